"""Cards, debts, codes and refunds, through the resolvers: once a key, and only one's own."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import timedelta
from typing import Any
from uuid import UUID

import pytest
from sqlalchemy import func, select

from app.cashier import Cashier
from app.database import SessionFactory
from app.gateways.payments import SimulatedPayments, simulated_card
from app.gateways.throttles import MinuteThrottle
from domain import errors, idempotency, ids, ledger, payment_methods, payments, promotions, receipts, tables, trips
from domain.actor import Actor
from domain.ports import Card
from domain.tables import LedgerAccount, LineKind
from domain.values import Money
from resolvers import payments as resolver
from resolvers.context import Ctx
from tests import factories
from tests.conftest import FixedClock
from tests.resolvers.front import asking, runtime_of


class Counted(SimulatedPayments):
    def __init__(self) -> None:
        super().__init__()
        self.keys: list[str] = []
        self.failures: list[Exception] = []

    async def add_card(self, customer_ref: str, token: str, *, key: str) -> Card:
        self.keys.append(key)
        if self.failures:
            raise self.failures.pop(0)
        return await super().add_card(customer_ref, token, key=key)


@dataclass
class Desk:
    ctx: Ctx
    staff: Ctx
    stranger: Ctx
    gateway: Counted
    metro: tables.Metro
    clock: FixedClock

    @property
    def rider(self) -> Actor:
        return self.ctx.who

    async def owe(self, total_minor: int = 1000) -> str:
        async with self.ctx.runtime.transaction() as session:
            receipt = await factories.add_receipt(session, self.metro, self.rider.account_id, total_minor=total_minor)
            line = tables.ReceiptLine(
                receipt_id=receipt.id,
                position=1,
                kind=LineKind.RIDING,
                category=tables.ChargeCategory.FARE,
                quantity=1,
                unit_minor=total_minor,
                amount_minor=total_minor,
                vat_treatment=tables.VatTreatment.STANDARD,
                vat_percent=19,
            )
            session.add(line)
            await payments.collect(session, receipt, self.clock.now())
            return ids.encode(ids.RECEIPT, receipt.id)

    async def work(self) -> None:
        cashier = Cashier(self.ctx.runtime.sessions, self.clock, self.gateway, trips.deposit_decided)
        while await cashier.ask_due():
            pass

    async def balance(self, account: LedgerAccount) -> int:
        async with self.ctx.runtime.reading() as session:
            return (await ledger.balance(session, account, self.rider.account_id)).get("EUR", 0)

    async def code(self, code: str = "WELCOME", *, amount: int = 500, most: int = 10) -> promotions.Promotion:
        return await resolver.create_promotion(
            self.staff,
            code=code,
            metro_id=ids.encode(ids.METRO, self.metro.id),
            amount=Money(amount, "EUR"),
            valid_until=self.clock.now() + timedelta(days=1),
            max_redemptions=most,
            idempotency_key=f"code {code}",
        )


@pytest.fixture
async def desk(session_factory: SessionFactory, clock: FixedClock) -> Desk:
    async with session_factory.begin() as session:
        metro = await factories.add_metro(session, is_default=True)
        rider, stranger = await factories.add_rider(session), await factories.add_rider(session)
        staff = await factories.add_member(session)
    gateway = Counted()
    runtime = replace(runtime_of(session_factory, clock), payments=gateway)
    return Desk(asking(runtime, rider), asking(runtime, staff), asking(runtime, stranger), gateway, metro, clock)


async def add(ctx: Ctx, key: str = "key", token: str = "pm_card_visa") -> UUID:  # noqa: S107 - a test token
    return (await resolver.add_payment_method(ctx, gateway_token=token, idempotency_key=key)).id


async def test_a_card_is_added_once_a_key_and_the_newest_is_the_default(desk: Desk) -> None:
    first = await add(desk.ctx)
    assert await add(desk.ctx) == first
    second = await add(desk.ctx, "other", "pm_card_mastercard")
    found = await resolver.list_payment_methods(desk.ctx)
    assert [(row.id, row.is_default, row.last4) for row in found] == [(second, True, "4444"), (first, False, "4242")]
    with pytest.raises(errors.IdempotencyConflict):
        await add(desk.ctx, "key", "pm_card_mastercard")
    assert len(desk.gateway.keys) == 2, "the gateway was not asked for what was known"


async def test_a_card_that_its_bank_confirmed_in_the_form_is_added_by_its_rider_alone(desk: Desk) -> None:
    secret = await resolver.prepare_payment_method(desk.ctx, idempotency_key="form")
    assert await resolver.prepare_payment_method(desk.ctx, idempotency_key="form") == secret
    assert await resolver.prepare_payment_method(desk.ctx, idempotency_key="next") != secret
    form, _, _ = secret.partition("_secret_")
    with pytest.raises(errors.InvalidInput):
        await add(desk.stranger, token=form)
    kept = await add(desk.ctx, token=form)
    assert await add(desk.ctx, "again", form) == kept


async def test_who_prepares_a_card_stays_the_same_to_the_gateway(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    told: list[str] = []

    async def tell(customer_id: UUID, *, key: str) -> str:
        told.append(key)
        return f"cus_sim_{len(told)}"

    monkeypatch.setattr(desk.gateway, "add_customer", tell)
    for key in ("form", "next"):
        await resolver.prepare_payment_method(desk.ctx, idempotency_key=key)
    assert told == [f"customer:{desk.rider.account_id}"]


@pytest.mark.parametrize("key", ["", "a\x00b", "x" * 101])
async def test_a_card_is_not_prepared_with_a_key_that_cannot_be_kept(desk: Desk, key: str) -> None:
    with pytest.raises(errors.InvalidInput) as refusal:
        await resolver.prepare_payment_method(desk.ctx, idempotency_key=key)
    assert refusal.value.path == ["idempotencyKey"]


async def test_no_card_is_prepared_for_who_has_the_most_there_may_be(desk: Desk) -> None:
    for number in range(payment_methods.MOST):
        await add(desk.ctx, f"card {number}")
    with pytest.raises(errors.InvalidInput, match="Remove one first"):
        await resolver.prepare_payment_method(desk.ctx, idempotency_key="form")


async def test_a_card_whose_bank_wants_to_ask_again_is_confirmed_in_the_form_and_pays(desk: Desk) -> None:
    await add(desk.ctx, token="pm_card_authenticationRequired")
    receipt_id = await desk.owe()
    await desk.work()
    secret = await resolver.prepare_payment_method(desk.ctx, idempotency_key="form")
    good = ids.encode(ids.PAYMENT_METHOD, await add(desk.ctx, "form", secret.partition("_secret_")[0]))
    await resolver.pay_receipt(desk.ctx, receipt_id=receipt_id, method_id=good, idempotency_key="pay")
    await desk.work()
    (found,) = await resolver.load_payments(desk.ctx, [ids.decode(receipt_id, ids.RECEIPT)])
    assert [(row.captured_minor, row.failure) for row in found] == [(0, "authentication_required"), (1000, None)]


async def test_a_card_that_is_there_already_is_found_again_by_each_key_that_added_it(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    card = simulated_card("cus_sim_1")

    async def same(*_: object, **__: object) -> Card:
        return card

    monkeypatch.setattr(desk.gateway, "add_card", same)
    assert len({await add(desk.ctx, key) for key in ("key", "other", "other", "key")}) == 1


@pytest.mark.parametrize("key", ["", "a\x00b", "x" * 101])
async def test_a_key_that_cannot_be_kept_is_refused_before_the_gateway_is_asked(desk: Desk, key: str) -> None:
    with pytest.raises(errors.InvalidInput) as refusal:
        await add(desk.ctx, key)
    assert refusal.value.path == ["idempotencyKey"]
    with pytest.raises(errors.InvalidInput):
        await resolver.refund_receipt(desk.staff, receipt_id=await desk.owe(), kinds=None, amount=None, idempotency_key=key)
    assert desk.gateway.keys == []


async def test_a_key_is_not_used_up_by_a_gateway_that_does_not_answer_or_a_card_that_is_refused(desk: Desk) -> None:
    desk.gateway.failures = [errors.OutOfReach()]
    with pytest.raises(errors.OutOfReach):
        await add(desk.ctx)
    with pytest.raises(errors.PaymentMethodDeclined):
        await add(desk.ctx, "key", "pm_card_visa_chargeDeclined")
    await add(desk.ctx)
    assert desk.gateway.keys[0] == desk.gateway.keys[2]
    assert len(await resolver.list_payment_methods(desk.ctx)) == 1


async def test_a_card_that_could_not_be_kept_is_forgotten_by_the_gateway(desk: Desk) -> None:
    class Erasing(Counted):
        """The account goes while the gateway is asked."""

        async def add_card(self, customer_ref: str, token: str, *, key: str) -> Card:
            async with desk.ctx.runtime.transaction() as session:
                row = await session.get_one(tables.Customer, desk.rider.account_id)
                row.erased_at = desk.clock.now()
            return await super().add_card(customer_ref, token, key=key)

    desk.ctx.runtime = replace(desk.ctx.runtime, payments=Erasing())
    with pytest.raises(errors.NotFound):
        await add(desk.ctx)
    async with desk.ctx.runtime.reading() as session:
        removals = await payment_methods.claim_removals(session, now=desk.clock.now(), limit=9)
    assert removals == [(tables.RemovalKind.CUSTOMER, f"cus_sim_{desk.rider.account_id.hex}")]


@pytest.mark.parametrize("token", ["", "4242424242424242", "pm_x/../y", "pm_unknown", "pm_\0"])
async def test_what_is_no_token_is_refused(desk: Desk, token: str) -> None:
    with pytest.raises(errors.InvalidInput) as refusal:
        await add(desk.ctx, "key", token)
    assert refusal.value.path == ["gatewayToken"]


async def test_stolen_cards_are_not_tried_out_one_after_another(desk: Desk) -> None:
    desk.ctx.runtime = replace(desk.ctx.runtime, throttle=MinuteThrottle(2))
    for number in range(2):
        with pytest.raises(errors.PaymentMethodDeclined):
            await add(desk.ctx, f"key {number}", "pm_card_visa_chargeDeclined")
    with pytest.raises(errors.TooManyTries):
        await add(desk.ctx, "last")


async def test_a_rider_has_ten_cards_at_most(desk: Desk) -> None:
    for number in range(10):
        await add(desk.ctx, f"key {number}")
    with pytest.raises(errors.InvalidInput):
        await add(desk.ctx, "one more")


async def test_a_removed_card_makes_way_for_the_newest_and_nobody_removes_that_of_others(desk: Desk) -> None:
    first, second = await add(desk.ctx), await add(desk.ctx, "other")
    named = ids.encode(ids.PAYMENT_METHOD, second)
    with pytest.raises(errors.NotFound):
        await resolver.remove_payment_method(desk.stranger, method_id=named, idempotency_key="x")
    for _ in range(2):
        left = await resolver.remove_payment_method(desk.ctx, method_id=named, idempotency_key="gone")
        assert [(row.id, row.is_default) for row in left] == [(first, True)]
    with pytest.raises(errors.NotFound):
        await resolver.remove_payment_method(desk.ctx, method_id=named, idempotency_key="again")
    with pytest.raises(errors.IdempotencyConflict):
        await resolver.remove_payment_method(desk.ctx, method_id=ids.encode(ids.PAYMENT_METHOD, first), idempotency_key="gone")


async def test_the_default_is_chosen_once_a_key_and_only_among_ones_own(desk: Desk) -> None:
    first, _ = await add(desk.ctx), await add(desk.ctx, "other")
    named = ids.encode(ids.PAYMENT_METHOD, first)
    for _ in range(2):
        row = await resolver.set_default_payment_method(desk.ctx, method_id=named, idempotency_key="this")
        assert row.is_default
    with pytest.raises(errors.NotFound):
        await resolver.set_default_payment_method(desk.stranger, method_id=named, idempotency_key="this")
    assert await resolver.find_payment_method(desk.stranger, first) is None


async def test_a_declined_receipt_is_paid_with_another_card_once_a_key(desk: Desk) -> None:
    await add(desk.ctx, "bad", "pm_card_chargeCustomerFail")
    receipt_id = await desk.owe()
    await desk.work()
    good = ids.encode(ids.PAYMENT_METHOD, await add(desk.ctx, "good"))
    for _ in range(2):
        await resolver.pay_receipt(desk.ctx, receipt_id=receipt_id, method_id=good, idempotency_key="pay")
        await desk.work()
    (found,) = await resolver.load_payments(desk.ctx, [ids.decode(receipt_id, ids.RECEIPT)])
    assert [row.captured_minor for row in found] == [0, 1000]
    paid = await resolver.pay_receipt(desk.ctx, receipt_id=receipt_id, method_id=None, idempotency_key="again")
    assert (paid.owed_minor, paid.is_overdue) == (0, False)
    with pytest.raises(errors.IdempotencyConflict):
        await resolver.pay_receipt(desk.ctx, receipt_id=receipt_id, method_id=None, idempotency_key="pay")
    with pytest.raises(errors.NotFound):
        await resolver.pay_receipt(desk.stranger, receipt_id=receipt_id, method_id=None, idempotency_key="pay")
    assert await resolver.load_payments(desk.stranger, [ids.decode(receipt_id, ids.RECEIPT)]) == [[]]


@pytest.mark.parametrize(
    ("total", "left", "charged"), [(1000, [], [0, 500]), (480, [Money(20, "EUR")], [0, 0]), (400, [Money(100, "EUR")], [0, 0])]
)
async def test_credit_that_comes_later_pays_an_old_debt_first(
    desk: Desk, total: int, left: list[Money], charged: list[int]
) -> None:
    await add(desk.ctx, "bad", "pm_card_chargeCustomerFail")
    receipt_id = await desk.owe(total)
    await desk.work()
    await desk.code()
    await resolver.redeem_promotion(desk.ctx, code="WELCOME", idempotency_key="redeem")
    good = ids.encode(ids.PAYMENT_METHOD, await add(desk.ctx, "good"))
    for _ in range(2):
        await resolver.pay_receipt(desk.ctx, receipt_id=receipt_id, method_id=good, idempotency_key="pay")
        await desk.work()
    paid = await resolver.pay_receipt(desk.ctx, receipt_id=receipt_id, method_id=None, idempotency_key="again")
    assert (paid.owed_minor, paid.is_overdue) == (0, False)
    assert await resolver.list_credit(desk.ctx) == left
    (found,) = await resolver.load_payments(desk.ctx, [ids.decode(receipt_id, ids.RECEIPT)])
    assert [row.captured_minor for row in found] == charged
    assert await desk.balance(LedgerAccount.RECEIVABLE) == -total, "all of it: what called for it is booked elsewhere"


async def test_a_code_is_credit_once_and_receipts_are_paid_with_it_first(desk: Desk) -> None:
    await desk.code()
    for _ in range(2):
        left = await resolver.redeem_promotion(desk.ctx, code=" welcome ", idempotency_key="redeem")
        assert left == [Money(500, "EUR")]
    with pytest.raises(errors.PromotionClosed):
        await resolver.redeem_promotion(desk.ctx, code="WELCOME", idempotency_key="other")
    await add(desk.ctx)
    first = await desk.owe(300)
    assert await resolver.list_credit(desk.ctx) == [Money(200, "EUR")]
    second = await desk.owe(1000)
    await desk.work()
    assert await resolver.list_credit(desk.ctx) == []
    found = await resolver.load_payments(desk.ctx, [ids.decode(one, ids.RECEIPT) for one in (first, second)])
    assert [[row.captured_minor for row in of_one] for of_one in found] == [[], [800]]
    assert await desk.balance(LedgerAccount.GATEWAY) == 800


async def test_codes_that_are_unknown_used_up_or_over_answer_alike(desk: Desk) -> None:
    await desk.code("ONCE", most=1)
    await resolver.redeem_promotion(desk.ctx, code="ONCE", idempotency_key="one")
    await desk.code("LATE")
    desk.clock.advance(days=1)
    for code in ("ONCE", "LATE", "NEVER"):
        with pytest.raises(errors.PromotionClosed):
            await resolver.redeem_promotion(desk.stranger, code=code, idempotency_key=code)
    with pytest.raises(errors.InvalidInput):
        await resolver.redeem_promotion(desk.stranger, code="no!", idempotency_key="x")


async def test_a_code_is_made_once_a_key_and_not_twice(desk: Desk) -> None:
    made = await desk.code()
    assert (await desk.code()).id == made.id
    with pytest.raises(errors.InvalidInput) as refusal:
        await resolver.create_promotion(
            desk.staff,
            code="WELCOME",
            metro_id=ids.encode(ids.METRO, desk.metro.id),
            amount=Money(5, "EUR"),
            valid_until=desk.clock.now() + timedelta(days=1),
            max_redemptions=1,
            idempotency_key="other",
        )
    assert refusal.value.path == ["code"]
    with pytest.raises(errors.InvalidInput) as refusal:
        await resolver.create_promotion(
            desk.staff,
            code="BAD1",
            metro_id=ids.encode(ids.METRO, desk.metro.id),
            amount=Money(5, "USD"),
            valid_until=desk.clock.now(),
            max_redemptions=0,
            idempotency_key="bad",
        )
    assert [issue.path for issue in refusal.value.issues] == ["amount", "validUntil", "maxRedemptions"]


async def test_a_refund_is_given_once_a_key_and_what_credit_paid_becomes_credit_again(desk: Desk) -> None:
    await desk.code()
    await resolver.redeem_promotion(desk.ctx, code="WELCOME", idempotency_key="redeem")
    await add(desk.ctx)
    receipt_id = await desk.owe(1000)
    await desk.work()

    async def refund(key: str, amount: int | None = None, ctx: Ctx = desk.staff) -> receipts.Receipt:
        money = None if amount is None else Money(amount, "EUR")
        return await resolver.refund_receipt(ctx, receipt_id=receipt_id, kinds=None, amount=money, idempotency_key=key)

    note = await refund("one", 200)
    assert (await refund("one", 200)).id == note.id
    assert note.total.minor_units == -200
    with pytest.raises(errors.IdempotencyConflict):
        await refund("one", 300)
    await refund("rest")
    await desk.work()
    with pytest.raises(errors.InvalidInput):
        await refund("more", 1)
    assert await resolver.list_credit(desk.ctx) == [Money(500, "EUR")]
    assert await desk.balance(LedgerAccount.GATEWAY) == 0


async def test_staff_refund_in_their_metros_alone_and_in_its_currency(desk: Desk) -> None:
    receipt_id = await desk.owe(1000)
    async with desk.ctx.runtime.transaction() as session:
        elsewhere = await factories.add_metro(session)
        other = asking(desk.ctx.runtime, await factories.add_member(session, desk.staff.who.role, elsewhere))
    with pytest.raises(errors.NotFound):
        await resolver.refund_receipt(other, receipt_id=receipt_id, kinds=None, amount=None, idempotency_key="x")
    for kinds, amount in ((None, Money(5, "USD")), ([LineKind.RIDING], Money(5, "EUR"))):
        with pytest.raises(errors.InvalidInput):
            await resolver.refund_receipt(desk.staff, receipt_id=receipt_id, kinds=kinds, amount=amount, idempotency_key="x")


async def test_keys_of_acts_outside_the_database_are_recalled_for_a_day(desk: Desk) -> None:
    await add(desk.ctx)
    act: dict[str, Any] = {"account_id": desk.rider.account_id, "mutation": "add_payment_method", "key": "key"}
    given = {"gatewayToken": "pm_card_visa"}
    async with desk.ctx.runtime.reading() as session:
        assert await idempotency.recall(session, **act, given=given, now=desk.clock.now()) is not None
        later = desk.clock.now() + idempotency.KEPT + timedelta(seconds=1)
        assert await idempotency.recall(session, **act, given=given, now=later) is None
        cards = select(func.count()).select_from(tables.PaymentMethod)
        assert (await session.execute(cards)).scalar_one() == 1
