"""Stripe, by its own library, against its API on the wire: whatever fails between, money is taken once and the books agree."""

from __future__ import annotations

import asyncio
import random
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from typing import Any
from uuid import UUID

import pytest
from sqlalchemy import select

from app.gateways.stripe_payments import StripePayments
from domain import deposits, errors, ids, payment_methods, payments, ports, refunds, tables
from domain.ports import IntentOrder, IntentState
from domain.tables import LedgerAccount, PaymentState, RefundState
from tests import factories
from tests.app import stripe_api
from tests.app.stripe_api import StripeApi
from tests.app.till import Till

VISA = "pm_card_visa"


@pytest.fixture
def api() -> Iterator[StripeApi]:
    with stripe_api.serving() as found:
        yield found


@asynccontextmanager
async def client(api: StripeApi, key: str = stripe_api.KEY, **given: Any) -> AsyncIterator[StripePayments]:
    made = StripePayments(key, stripe_api.SECRET, api.url, **given)
    try:
        yield made
    finally:
        await made.close()


@pytest.fixture
async def gateway(api: StripeApi) -> AsyncIterator[StripePayments]:
    async with client(api) as made:
        yield made


@pytest.fixture
def shop(till: Till, gateway: StripePayments) -> Till:
    till.gateway = gateway
    return till


async def add_card(shop: Till, token: str = VISA) -> UUID:
    """As `addPaymentMethod` does."""
    gateway, rider = shop.gateway, shop.rider.account_id
    ref = await gateway.add_customer(rider, key=f"customer:{rider}")
    card = await gateway.add_card(ref, token, key=f"card:{token}")
    async with shop.sessions.begin() as session:
        return await payment_methods.add_payment_method(
            session, shop.rider, customer_ref=ref, card=card, method_id=ids.new(), now=shop.clock.now()
        )


async def test_a_card_is_added_and_a_receipt_charged(shop: Till, api: StripeApi) -> None:
    await add_card(shop)
    receipt_id = await shop.owe()
    await shop.cashier.ask_due()
    (payment,) = await shop.rows()
    (intent,) = api.of("payment_intent")
    assert (payment.state, payment.gateway_ref, intent["metadata"]) == (
        PaymentState.SUCCEEDED,
        intent["id"],
        {"payment_id": str(payment.id)},
    )
    assert (await shop.receipt(receipt_id)).settled_minor == 1200 == api.held == await shop.booked(LedgerAccount.GATEWAY)
    assert api.of("customer")[0]["metadata"] == {"customer_id": str(shop.rider.account_id)}, "and nothing else of them"


async def test_the_same_key_adds_one_card_and_one_customer(shop: Till, api: StripeApi) -> None:
    assert await add_card(shop) == await add_card(shop)
    assert (len(api.of("payment_method")), len(api.of("customer"))) == (1, 1)


@pytest.mark.parametrize(
    ("token", "error"),
    [("pm_card_visa_chargeDeclined", errors.PaymentMethodDeclined), ("pm_unknown", errors.InvalidInput)],
)
async def test_a_card_that_is_refused_or_unknown_is_not_added(shop: Till, token: str, error: type[Exception]) -> None:
    with pytest.raises(error):
        await add_card(shop, token)


async def prepare(shop: Till, key: str = "form") -> str:
    """As `preparePaymentMethod` does."""
    ref = await shop.gateway.add_customer(shop.rider.account_id, key=f"customer:{shop.rider.account_id}")
    secret: str = await shop.gateway.prepare_card(ref, key=key)
    return secret


async def test_a_card_that_its_bank_has_confirmed_is_added_and_charged(shop: Till, api: StripeApi) -> None:
    secret = await prepare(shop)
    assert await prepare(shop) == secret, "the same form for the same key"
    assert [one["usage"] for one in api.of("setup_intent")] == ["off_session"]
    form = api.confirm(secret)
    assert await add_card(shop, form) == await add_card(shop, form)
    receipt_id = await shop.owe()
    await shop.cashier.ask_due()
    assert (await shop.receipt(receipt_id)).settled_minor == 1200 == api.held


async def test_a_form_that_is_not_finished_is_to_be_finished_first(shop: Till) -> None:
    name, _, _ = (await prepare(shop)).partition("_secret_")
    with pytest.raises(errors.InvalidInput, match="finish the form first"):
        await add_card(shop, name)


async def test_a_card_that_its_bank_refused_in_the_form_is_declined(shop: Till, api: StripeApi) -> None:
    with pytest.raises(errors.PaymentMethodDeclined):
        await add_card(shop, api.confirm(await prepare(shop), "pm_card_visa_chargeDeclined"))


async def test_a_form_of_somebody_else_or_of_a_card_that_was_removed_adds_none(shop: Till, api: StripeApi) -> None:
    theirs = await shop.gateway.prepare_card(await shop.gateway.add_customer(ids.new(), key="other"), key="theirs")
    own = api.confirm(await prepare(shop))
    await shop.gateway.remove_card(api.objects[own]["payment_method"]["id"])
    for form in (api.confirm(theirs), own, "seti_unknown"):
        with pytest.raises(errors.InvalidInput, match="not good, or was used before"):
            await add_card(shop, form)


async def test_a_declined_charge_has_the_reason_of_the_bank_and_is_a_debt(shop: Till, api: StripeApi) -> None:
    await add_card(shop, "pm_card_chargeCustomerFail")
    receipt_id = await shop.owe()
    await shop.cashier.ask_due()
    failed = (await shop.rows())[0]
    assert (failed.state, failed.failure) == (PaymentState.FAILED, "insufficient_funds")
    assert failed.gateway_ref == api.of("payment_intent")[0]["id"]
    assert (await shop.receipt(receipt_id)).is_overdue
    await add_card(shop)
    await shop.work(rounds=2, hours=1)
    assert (await shop.receipt(receipt_id)).settled_minor == 1200 == api.held


@pytest.mark.parametrize("fault", ["drop", "lose", "500", "500_after", "429", "done_500_for_good"])
async def test_whatever_fails_on_the_way_a_receipt_is_charged_once(shop: Till, api: StripeApi, fault: str) -> None:
    await add_card(shop)
    api.faults = [fault] * (1 if fault.endswith("for_good") else 2)
    receipt_id = await shop.owe()
    await shop.work(rounds=6)
    assert (await shop.receipt(receipt_id)).settled_minor == 1200 == api.held
    assert len(api.of("payment_intent")) == 1


async def test_a_timeout_and_then_success_charges_once(shop: Till, api: StripeApi) -> None:
    await add_card(shop)
    usual = shop.gateway
    api.faults = ["hang"]
    await shop.owe()
    async with client(api, call_seconds=0.2) as shop.gateway:
        await shop.cashier.ask_due()
    assert [row.state for row in await shop.rows()] == [PaymentState.PENDING]
    api.may_answer.set()
    shop.gateway = usual
    await shop.work(rounds=2)
    assert (api.held, await shop.booked(LedgerAccount.GATEWAY), len(api.of("payment_intent"))) == (1200, 1200, 1)


async def test_a_gateway_away_for_days_that_has_forgotten_the_key_charges_once(shop: Till, api: StripeApi) -> None:
    await add_card(shop)
    await shop.owe()
    api.faults = ["lose"]
    await shop.cashier.ask_due()
    api.forget_keys()
    shop.clock.advance(days=2)
    await shop.cashier.ask_due()
    assert (api.held, await shop.booked(LedgerAccount.GATEWAY), len(api.of("payment_intent"))) == (1200, 1200, 1)


async def test_a_failure_that_is_repeated_for_a_key_lasts_as_long_as_the_key(shop: Till, api: StripeApi) -> None:
    await add_card(shop)
    await shop.owe()
    api.faults = ["500_for_good"]
    await shop.work(rounds=6)
    assert api.held == 0
    api.forget_keys()
    await shop.work(rounds=2, minutes=40)
    assert (api.held, await shop.booked(LedgerAccount.GATEWAY), len(api.of("payment_intent"))) == (1200, 1200, 1)


async def test_a_wrong_key_of_ours_is_no_refusal_of_the_riders_card(shop: Till, api: StripeApi) -> None:
    await add_card(shop)
    receipt_id = await shop.owe()
    async with client(api, "sk_wrong") as shop.gateway:
        await shop.cashier.ask_due()
    assert [row.state for row in await shop.rows()] == [PaymentState.PENDING]
    assert not (await shop.receipt(receipt_id)).is_overdue


async def test_a_card_that_is_gone_at_the_gateway_is_a_refusal(shop: Till, api: StripeApi) -> None:
    await add_card(shop)
    for card in api.of("payment_method"):
        card["customer"] = None
    receipt_id = await shop.owe()
    await shop.cashier.ask_due()
    assert (await shop.receipt(receipt_id)).is_overdue


@pytest.mark.parametrize("fault", ["", "drop", "lose", "500_after"])
async def test_a_deposit_is_held_and_taken_in_part_whatever_fails(shop: Till, api: StripeApi, fault: str) -> None:
    await add_card(shop)
    trip_id = await shop.trip()
    await shop.work(rounds=1)
    assert shop.decided == [(trip_id, True)]
    assert api.held == 0
    receipt_id = await shop.owe(7_300, trip_id=trip_id)
    api.faults = [fault] if fault else []
    await shop.work(rounds=4)
    assert (await shop.receipt(receipt_id)).settled_minor == 7_300 == api.held == await shop.booked(LedgerAccount.GATEWAY)


async def test_a_hold_that_expired_at_the_bank_is_charged_instead(shop: Till, api: StripeApi) -> None:
    await add_card(shop)
    trip_id = await shop.trip()
    await shop.cashier.ask_due()
    api.expire(api.of("payment_intent")[0]["id"])
    receipt_id = await shop.owe(7_300, trip_id=trip_id)
    await shop.work(rounds=3)
    assert (await shop.receipt(receipt_id)).settled_minor == 7_300 == api.held == await shop.booked(LedgerAccount.GATEWAY)


@pytest.mark.parametrize("fault", ["", "drop", "lose", "500_after"])
async def test_a_deposit_given_up_while_nobody_knows_is_held_by_nobody_in_the_end(shop: Till, api: StripeApi, fault: str) -> None:
    await add_card(shop)
    trip_id = await shop.trip()
    api.faults = [fault] if fault else []
    await shop.cashier.ask_due()
    async with shop.sessions.begin() as session:
        await deposits.let_go(session, trip_id, shop.clock.now())
    await shop.work(rounds=4)
    assert [row.state for row in await shop.rows()] == [PaymentState.CANCELLED]
    assert {one["status"] for one in api.of("payment_intent")} == {"canceled"}


async def test_a_deposit_given_up_while_the_bank_thinks_about_it_is_let_go_once_it_has_decided(
    shop: Till, api: StripeApi
) -> None:
    await add_card(shop)
    api.slow.add(VISA)
    trip_id = await shop.trip()
    await shop.cashier.ask_due()
    async with shop.sessions.begin() as session:
        await deposits.let_go(session, trip_id, shop.clock.now())
    await shop.work(rounds=4)
    assert [row.state for row in await shop.rows()] == [PaymentState.CANCELLED]
    assert {one["status"] for one in api.of("payment_intent")} == {"canceled"}
    assert shop.decided == []


async def credit_note(shop: Till, receipt_id: UUID, amount: int) -> UUID:
    async with shop.sessions.begin() as session:
        note = await factories.add_receipt(
            session,
            shop.metro,
            shop.rider.account_id,
            source=tables.ReceiptSource.CREDIT_NOTE,
            corrects_id=receipt_id,
            total_minor=-amount,
        )
        await refunds.refund(session, credit_note=note, now=shop.clock.now())
        return note.id


async def back(shop: Till) -> list[tables.Refund]:
    async with shop.sessions() as session:
        return list((await session.execute(select(tables.Refund).order_by(tables.Refund.id))).scalars())


@pytest.mark.parametrize("fault", ["", "drop", "lose", "500", "429"])
async def test_a_refund_goes_back_to_the_card_once_whatever_fails(shop: Till, api: StripeApi, fault: str) -> None:
    await add_card(shop)
    receipt_id = await shop.owe()
    await shop.work(rounds=1)
    api.faults = [fault] if fault else []
    await credit_note(shop, receipt_id, 500)
    await shop.work(rounds=4)
    assert [(row.state, row.amount_minor) for row in await back(shop)] == [(RefundState.SUCCEEDED, 500)]
    assert api.held == 700 == await shop.booked(LedgerAccount.GATEWAY)


async def test_a_refund_of_what_was_given_back_at_the_gateway_already_fails_for_good(shop: Till, api: StripeApi) -> None:
    await add_card(shop)
    receipt_id = await shop.owe()
    await shop.work(rounds=1)
    api.of("payment_intent")[0]["amount_refunded"] = 1200
    await credit_note(shop, receipt_id, 500)
    await shop.work(rounds=3)
    assert [(row.state, row.failure) for row in await back(shop)] == [(RefundState.FAILED, "charge_already_refunded")]


async def test_a_credit_note_covers_what_is_owed_before_anything_goes_back(shop: Till, api: StripeApi) -> None:
    await add_card(shop, "pm_card_chargeCustomerFail")
    receipt_id = await shop.owe()
    await shop.work(rounds=1)
    await credit_note(shop, receipt_id, 1000)
    assert (await shop.receipt(receipt_id)).settled_minor == 1000
    await add_card(shop)
    await shop.work(rounds=2, hours=1)
    assert (await shop.receipt(receipt_id)).settled_minor == 1200
    assert (api.held, await back(shop)) == (200, [])


async def test_what_a_payment_under_way_brings_too_much_goes_back(shop: Till, api: StripeApi) -> None:
    await add_card(shop)
    receipt_id = await shop.owe()
    api.faults = ["lose"]
    await shop.cashier.ask_due()
    await credit_note(shop, receipt_id, 500)
    await shop.work(rounds=4)
    assert api.held == 700 == await shop.booked(LedgerAccount.GATEWAY)
    assert (await shop.receipt(receipt_id)).settled_minor == 1200


async def test_a_customer_and_a_card_are_forgotten_and_forgetting_them_again_is_no_failure(
    gateway: StripePayments, api: StripeApi
) -> None:
    ref = await gateway.add_customer(ids.new(), key="one")
    card = await gateway.add_card(ref, "pm_card_visa", key="two")
    for _ in range(2):
        await gateway.remove_card(card.gateway_ref)
        await gateway.forget_customer(ref)
    assert api.objects[ref]["deleted"]


async def test_an_intent_that_the_bank_thinks_about_is_looked_up(gateway: StripePayments, api: StripeApi) -> None:
    ref = await gateway.add_customer(ids.new(), key="one")
    card = await gateway.add_card(ref, "pm_card_visa", key="two")
    api.slow.add("pm_card_visa")
    order = IntentOrder(ids.new(), ref, card.gateway_ref, 500, "EUR", holds=False)
    first = await gateway.pay(order, key="three")
    assert first.state is IntentState.PROCESSING
    assert (await gateway.look_up(first.gateway_ref)).state is IntentState.SUCCEEDED
    found = await gateway.find(order)
    assert found is not None
    assert found.gateway_ref == first.gateway_ref


@pytest.mark.parametrize("seed", range(6, 12))
async def test_whatever_faults_come_the_books_and_the_gateway_agree(shop: Till, api: StripeApi, seed: int) -> None:
    """Receipts, deposits, refunds and cards at random, with a fault in every second request."""
    dice = random.Random(seed)
    await add_card(shop)
    receipts: list[UUID] = []
    for _ in range(8):
        api.faults = [dice.choice(["", "drop", "lose", "500", "500_after", "429"]) for _ in range(6)]
        act: Any = dice.choice(["owe", "owe", "refund", "pay", "work", "keys"])
        if act == "owe":
            receipts.append(await shop.owe(dice.randint(50, 20_000)))
        elif act == "refund" and receipts:
            receipt = await shop.receipt(receipts.pop(dice.randrange(len(receipts))))
            await credit_note(shop, receipt.id, dice.randint(1, receipt.total_minor))
        elif act == "pay" and receipts:
            async with shop.sessions.begin() as session:
                await payments.pay_receipt(session, shop.rider, receipt_id=dice.choice(receipts), now=shop.clock.now())
        elif act == "keys":
            shop.clock.advance(days=2)
            api.forget_keys()
        await asyncio.gather(shop.cashier.ask_due(), shop.cashier.ask_due())
        shop.clock.advance(minutes=dice.choice([1, 3, 40]))
    api.faults = []
    await shop.work(rounds=14, minutes=50)
    assert api.held == await shop.booked(LedgerAccount.GATEWAY)
    for receipt_id in receipts:
        receipt = await shop.receipt(receipt_id)
        assert receipt.settled_minor == receipt.total_minor
    assert all(row.asks is None for row in await shop.rows())
    assert all(row.state is RefundState.SUCCEEDED for row in await back(shop))


def test_it_is_what_the_port_asks_for(gateway: StripePayments) -> None:
    port: ports.PaymentGateway = gateway
    assert port is gateway
