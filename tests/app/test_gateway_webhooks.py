"""Webhooks of the payment gateway: each counts once, forged ones not at all, in whatever order they come."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterator
from typing import Any

import httpx
import pytest
from sqlalchemy import func, select
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from app.gateway_webhooks import MAX_BYTES, PATH, SIGNATURE, GatewayWebhooks
from app.gateways.stripe_payments import StripePayments
from domain import erasure, gateway_notes, payment_methods, tables
from domain.tables import DisputeState, LedgerAccount, PaymentState, RefundState
from tests.app import stripe_api
from tests.app.stripe_api import StripeApi, signed
from tests.app.test_stripe_payments import add_card, back, credit_note
from tests.app.till import Till


@pytest.fixture
def api() -> Iterator[StripeApi]:
    with stripe_api.serving() as found:
        yield found


@pytest.fixture
async def shop(till: Till, api: StripeApi) -> AsyncIterator[Till]:
    till.gateway = StripePayments(stripe_api.KEY, stripe_api.SECRET, api.url)
    yield till
    await till.gateway.close()


@pytest.fixture
async def door(shop: Till) -> AsyncIterator[httpx.AsyncClient]:
    webhooks = GatewayWebhooks(shop.sessions, shop.clock, shop.gateway, shop.decide)

    async def serve(request: Request) -> Response:
        return await webhooks(request)

    app = Starlette(routes=[Route(PATH, serve, methods=["POST"])])
    async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://nimrod") as made:
        yield made


async def post(door: httpx.AsyncClient, event: dict[str, Any], **given: Any) -> int:
    body, signature = signed(event, **given)
    return (await door.post(PATH, content=body, headers={SIGNATURE: signature})).status_code


async def noted(shop: Till) -> int:
    async with shop.sessions() as session:
        return int((await session.execute(select(func.count()).select_from(tables.GatewayEvent))).scalar_one())


async def disputes(shop: Till) -> list[tables.Dispute]:
    async with shop.sessions() as session:
        return list((await session.execute(select(tables.Dispute))).scalars())


async def slowly(shop: Till, api: StripeApi) -> None:
    """A bank has not decided about a payment yet; then it does, and only the webhooks know."""
    await add_card(shop)
    api.slow.add("pm_card_visa")
    await shop.owe()
    await shop.cashier.ask_due()
    assert [row.state for row in await shop.rows()] == [PaymentState.PENDING]
    intent = api.of("payment_intent")[0]
    intent.update(status="succeeded", amount_received=1200)
    api.tell("payment_intent.succeeded", intent)


async def test_a_payment_that_the_bank_thought_about_is_taken_with_the_webhook(
    shop: Till, api: StripeApi, door: httpx.AsyncClient
) -> None:
    await slowly(shop, api)
    assert await post(door, api.events[-1]) == 200
    assert [row.state for row in await shop.rows()] == [PaymentState.SUCCEEDED]
    assert await shop.booked(LedgerAccount.GATEWAY) == 1200 == api.held
    assert await shop.cashier.ask_due() == 0


async def test_a_webhook_counts_once_also_when_it_comes_twice_at_the_same_time(
    shop: Till, api: StripeApi, door: httpx.AsyncClient
) -> None:
    await slowly(shop, api)
    assert await asyncio.gather(*(post(door, api.events[-1]) for _ in range(4))) == [200] * 4
    assert await post(door, api.events[-1]) == 200
    assert (await noted(shop), await shop.booked(LedgerAccount.GATEWAY)) == (1, 1200)


async def test_a_late_word_of_something_earlier_changes_nothing(shop: Till, api: StripeApi, door: httpx.AsyncClient) -> None:
    await slowly(shop, api)
    await post(door, api.events[-1])
    intent = api.of("payment_intent")[0]
    for kind in ("payment_intent.payment_failed", "payment_intent.amount_capturable_updated", "payment_intent.canceled"):
        api.tell(kind, intent)
        assert await post(door, api.events[-1]) == 200
    (payment,) = await shop.rows()
    assert (payment.state, payment.captured_minor) == (PaymentState.SUCCEEDED, 1200)
    assert await shop.booked(LedgerAccount.GATEWAY) == 1200


@pytest.mark.parametrize("given", [{"secret": "whsec_other"}, {"age": 301}])
async def test_a_forged_or_old_webhook_is_refused_and_leaves_nothing(
    shop: Till, api: StripeApi, door: httpx.AsyncClient, given: dict[str, Any]
) -> None:
    await slowly(shop, api)
    assert await post(door, api.events[-1], **given) == 400
    assert (await noted(shop), await shop.booked(LedgerAccount.GATEWAY)) == (0, 0)


async def test_what_is_no_webhook_is_refused(shop: Till, api: StripeApi, door: httpx.AsyncClient) -> None:
    del shop, api
    body, signature = signed({"id": "evt_1", "object": "event"})
    assert (await door.post(PATH, content=body, headers={SIGNATURE: signature})).status_code == 400
    assert (await door.post(PATH, content=body)).status_code == 400
    assert (await door.post(PATH, content=body, headers={SIGNATURE: "t=x,v1="})).status_code == 400
    assert (await door.post(PATH, content=b"\xff\xfe", headers={SIGNATURE: signature})).status_code == 400
    assert (await door.post(PATH, content=body + b" ", headers={SIGNATURE: signature})).status_code == 400
    assert (await door.post(PATH, content=b"x" * (MAX_BYTES + 1), headers={SIGNATURE: signature})).status_code == 413


async def test_kinds_and_payments_that_are_not_ours_are_taken_and_left_alone(
    shop: Till, api: StripeApi, door: httpx.AsyncClient
) -> None:
    for kind, about in (
        ("invoice.paid", {"id": "in_1"}),
        ("payment_intent.succeeded", {"id": "pi_elsewhere", "amount_received": 5, "status": "succeeded"}),
        ("charge.dispute.created", {"id": "dp_elsewhere", "payment_intent": "pi_elsewhere", "amount": 5}),
        ("refund.failed", {"id": "re_elsewhere", "payment_intent": None, "amount": 5}),
    ):
        api.tell(kind, about)
        assert await post(door, api.events[-1]) == 200
    assert await noted(shop) == 4
    assert await shop.rows() == []


async def test_a_hold_that_is_decided_later_is_told_to_the_trip(shop: Till, api: StripeApi, door: httpx.AsyncClient) -> None:
    await add_card(shop)
    api.slow.add("pm_card_visa")
    trip_id = await shop.trip()
    await shop.cashier.ask_due()
    assert shop.decided == []
    intent = api.of("payment_intent")[0]
    intent.update(status="requires_capture", amount_capturable=10_000)
    api.tell("payment_intent.amount_capturable_updated", intent)
    for _ in range(2):
        assert await post(door, api.events[-1]) == 200
    assert shop.decided == [(trip_id, True)]


async def test_a_hold_that_the_bank_ended_is_held_no_more(shop: Till, api: StripeApi, door: httpx.AsyncClient) -> None:
    await add_card(shop)
    await shop.trip()
    await shop.cashier.ask_due()
    api.expire(api.of("payment_intent")[0]["id"])
    assert await post(door, api.events[-1]) == 200
    assert [row.state for row in await shop.rows()] == [PaymentState.CANCELLED]


@pytest.mark.parametrize(
    ("status", "state", "held", "account"),
    [("won", DisputeState.WON, 1200, LedgerAccount.GATEWAY), ("lost", DisputeState.LOST, 0, LedgerAccount.LOSSES)],
)
@pytest.mark.parametrize("is_late", [False, True])
async def test_a_dispute_holds_money_back_until_it_is_decided_in_whatever_order_it_is_told(
    shop: Till,
    api: StripeApi,
    door: httpx.AsyncClient,
    status: str,
    state: DisputeState,
    held: int,
    account: LedgerAccount,
    is_late: bool,
) -> None:
    await add_card(shop)
    await shop.owe()
    await shop.cashier.ask_due()
    dispute = api.dispute(api.of("payment_intent")[0]["id"])
    opened = api.events[-1]
    if not is_late:
        assert await post(door, opened) == 200
        assert await shop.booked(LedgerAccount.GATEWAY) == 0 == api.held
        assert await shop.booked(LedgerAccount.DISPUTED) == 1200
    api.decide(dispute, status)
    assert await post(door, api.events[-1]) == 200
    if is_late:
        assert await post(door, opened) == 200
    assert [(row.state, row.amount_minor) for row in await disputes(shop)] == [(state, 1200)]
    assert await shop.booked(LedgerAccount.GATEWAY) == held == api.held
    assert (await shop.booked(LedgerAccount.DISPUTED), await shop.booked(account)) == (0, 1200)


async def test_a_question_of_the_bank_takes_no_money(shop: Till, api: StripeApi, door: httpx.AsyncClient) -> None:
    await add_card(shop)
    await shop.owe()
    await shop.cashier.ask_due()
    api.dispute(api.of("payment_intent")[0]["id"], "warning_needs_response")
    assert await post(door, api.events[-1]) == 200
    assert await disputes(shop) == []


async def test_a_refund_that_the_bank_could_not_take_is_ours_again(shop: Till, api: StripeApi, door: httpx.AsyncClient) -> None:
    await add_card(shop)
    receipt_id = await shop.owe()
    await shop.cashier.ask_due()
    await credit_note(shop, receipt_id, 500)
    await shop.cashier.ask_due()
    assert await shop.booked(LedgerAccount.GATEWAY) == 700 == api.held
    api.fail_refund(api.of("refund")[0]["id"])
    for _ in range(2):
        assert await post(door, api.events[-1]) == 200
    assert [(row.state, row.failure) for row in await back(shop)] == [(RefundState.FAILED, "expired_or_canceled_card")]
    assert await shop.booked(LedgerAccount.GATEWAY) == 1200 == api.held


async def test_notes_are_forgotten_after_a_month(shop: Till, api: StripeApi, door: httpx.AsyncClient) -> None:
    api.tell("invoice.paid", {"id": "in_1"})
    await post(door, api.events[-1])
    for days, left in ((29, 1), (2, 0)):
        shop.clock.advance(days=days)
        async with shop.sessions.begin() as session:
            await gateway_notes.forget_notes(session, now=shop.clock.now())
        assert await noted(shop) == left


async def test_cards_of_an_erased_rider_are_forgotten_with_them(shop: Till, api: StripeApi) -> None:
    await add_card(shop)
    async with shop.sessions.begin() as session:
        await payment_methods.forget_customer(session, shop.rider.account_id, now=shop.clock.now())
    api.faults = ["drop"]
    await shop.work(rounds=4)
    assert api.of("customer")[0]["deleted"]
    async with shop.sessions() as session:
        assert (await session.execute(select(tables.GatewayRemoval))).all() == []


async def open_codes(shop: Till) -> set[erasure.BlockerCode]:
    async with shop.sessions() as session:
        found = [await find(session, shop.rider.account_id, shop.clock.now()) for find in erasure.BLOCKERS]
    return {one.code for some in found for one in some}


async def test_money_that_is_on_its_way_and_disputes_keep_the_account(
    shop: Till, api: StripeApi, door: httpx.AsyncClient
) -> None:
    await add_card(shop)
    receipt_id = await shop.owe()
    assert await open_codes(shop) == {erasure.BlockerCode.OWED_RECEIPT}
    await shop.cashier.ask_due()
    assert await open_codes(shop) == set()
    await credit_note(shop, receipt_id, 500)
    assert await open_codes(shop) == {erasure.BlockerCode.OPEN_PAYMENT}
    await shop.cashier.ask_due()
    dispute = api.dispute(api.of("payment_intent")[0]["id"])
    await post(door, api.events[-1])
    assert await open_codes(shop) == {erasure.BlockerCode.OPEN_DISPUTE}
    api.decide(dispute, "lost")
    await post(door, api.events[-1])
    assert await open_codes(shop) == set()
