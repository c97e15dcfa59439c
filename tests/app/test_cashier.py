"""The cashier: money is asked for once, however the gateway, the rider and the clock behave."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from uuid import UUID

import pytest

from app import countries
from app.gateways import payments as simulated
from app.gateways.payments import SimulatedPayments
from domain import debts, deposits, errors, ids, payment_answers, payment_claims, payment_methods, payments, ports, tables
from domain.tables import LedgerAccount, PaymentState
from domain.values import Money, NotificationKind
from tests import factories
from tests.app.till import Till, Watched


async def test_a_receipt_is_charged_once_and_settled_however_many_cashiers_look(till: Till) -> None:
    await till.card()
    receipt_id = await till.owe()
    cashiers = [till.cashier for _ in range(4)]
    assert sum([await one.ask_due() for one in cashiers]) == 1
    (payment,) = await till.rows()
    assert (payment.state, payment.captured_minor, payment.asks) == (PaymentState.SUCCEEDED, 1200, None)
    receipt = await till.receipt(receipt_id)
    assert (receipt.settled_minor, receipt.is_overdue) == (1200, False)
    assert await till.booked(LedgerAccount.GATEWAY) == 1200 == -await till.booked(LedgerAccount.RECEIVABLE)
    assert till.gateway.keys == [f"payment:{payment.id}:charge"]


async def test_collecting_again_asks_for_nothing_twice(till: Till) -> None:
    await till.card()
    receipt_id = await till.owe()
    for _ in range(2):
        async with till.sessions.begin() as session:
            await payments.collect(session, await session.get_one(tables.Receipt, receipt_id), till.clock.now())
        await till.cashier.ask_due()
    assert len(await till.rows()) == 1


@pytest.mark.parametrize("where", ["before", "after"])
async def test_a_gateway_that_does_not_answer_is_asked_again_with_the_same_key_after_longer_pauses(
    till: Till, where: str
) -> None:
    await till.card()
    await till.owe()
    getattr(till.gateway, where).extend([errors.OutOfReach(), TimeoutError(), RuntimeError("a bug")])
    pauses = []
    for _ in range(3):
        assert await till.cashier.ask_due() == 1
        assert await till.cashier.ask_due() == 0, "not before its time"
        (payment,) = await till.rows()
        assert payment.state is PaymentState.PENDING
        assert payment.next_attempt_at is not None
        pauses.append(payment.next_attempt_at - till.clock.now())
        till.clock.instant = payment.next_attempt_at
    assert timedelta(seconds=10) <= pauses[0] < pauses[1] < pauses[2] <= timedelta(minutes=1)
    await till.cashier.ask_due()
    (payment,) = await till.rows()
    assert payment.state is PaymentState.SUCCEEDED
    assert set(till.gateway.keys) == {f"payment:{payment.id}:charge"}
    assert await till.booked(LedgerAccount.GATEWAY) == 1200


async def test_a_cashier_that_dies_after_asking_leaves_what_the_next_one_asks_with_the_same_key(till: Till) -> None:
    await till.card()
    await till.owe()
    async with till.sessions.begin() as session:
        (claim,) = await payment_claims.claim_payments(session, now=till.clock.now(), limit=8)
    assert claim.order is not None
    await till.gateway.pay(claim.order, key=claim.start_key)
    assert await till.cashier.ask_due() == 0, "the lease is not over"
    till.clock.advance(minutes=3)
    assert await till.cashier.ask_due() == 1
    assert set(till.gateway.keys) == {claim.start_key}
    assert await till.booked(LedgerAccount.GATEWAY) == 1200


async def test_a_bank_that_takes_its_time_is_looked_up_until_it_has_decided(till: Till) -> None:
    await till.card(simulated.LATE)
    receipt_id = await till.owe()
    for _ in range(3):
        await till.cashier.ask_due()
        till.clock.advance(minutes=5)
    assert (await till.receipt(receipt_id)).settled_minor == 1200
    assert len(till.gateway.keys) == 1, "asked once, then looked up by its name"


async def test_a_declined_receipt_is_a_debt_and_tried_again_after_an_hour_a_day_and_three_days(till: Till) -> None:
    await till.card(simulated.DECLINED_LATER)
    receipt_id = await till.owe()
    await till.cashier.ask_due()
    assert (await till.receipt(receipt_id)).is_overdue
    assert await till.told(NotificationKind.PAYMENT_FAILED) == 1
    async with till.sessions() as session:
        with pytest.raises(errors.DebtOpen) as refusal:
            await debts.require_solvent(session, till.rider.account_id, "EUR", till.clock.now())
    assert (refusal.value.owed, refusal.value.receipt_ids) == (Money(1200, "EUR"), [receipt_id])
    for pause in (timedelta(hours=1), timedelta(days=1), timedelta(days=3)):
        till.clock.instant += pause - timedelta(seconds=1)
        assert await till.cashier.ask_due() == 0
        till.clock.advance(seconds=1)
        assert await till.cashier.ask_due() == 1
    till.clock.advance(days=30)
    assert await till.cashier.ask_due() == 0, "now the rider has to act"
    rows = await till.rows()
    assert [(row.state, row.failure) for row in rows] == [(PaymentState.FAILED, "card_declined")] * 4
    assert len(set(till.gateway.keys)) == 4, "each try has a key of its own"
    assert await till.told(NotificationKind.PAYMENT_FAILED) == 4
    assert await till.booked(LedgerAccount.GATEWAY) == 0


async def test_a_rider_pays_a_debt_with_another_card_and_may_ride_again(till: Till) -> None:
    await till.card(simulated.DECLINED_LATER)
    receipt_id = await till.owe()
    await till.cashier.ask_due()
    other = await till.card(simulated.MASTERCARD, is_default=False)
    for _ in range(2):
        async with till.sessions.begin() as session:
            await payments.pay_receipt(session, till.rider, receipt_id=receipt_id, method_id=other, now=till.clock.now())
    assert await till.cashier.ask_due() == 1
    receipt = await till.receipt(receipt_id)
    assert (receipt.settled_minor, receipt.is_overdue) == (1200, False)
    async with till.sessions.begin() as session:
        await debts.require_solvent(session, till.rider.account_id, "EUR", till.clock.now())
        await payments.pay_receipt(session, till.rider, receipt_id=receipt_id, now=till.clock.now())
    assert await till.cashier.ask_due() == 0
    till.clock.advance(days=5)
    assert await till.cashier.ask_due() == 0
    assert await till.booked(LedgerAccount.GATEWAY) == 1200


async def test_paying_while_the_bank_is_being_asked_asks_nothing_twice(till: Till) -> None:
    await till.card(simulated.SILENT)
    receipt_id = await till.owe()
    await till.cashier.ask_due()
    other = await till.card(simulated.MASTERCARD, is_default=False)
    async with till.sessions.begin() as session:
        await payments.pay_receipt(session, till.rider, receipt_id=receipt_id, method_id=other, now=till.clock.now())
    for _ in range(4):
        till.clock.advance(minutes=5)
        await till.cashier.ask_due()
    assert len(await till.rows()) == 1
    assert await till.booked(LedgerAccount.GATEWAY) == 1200


async def test_nobody_pays_the_receipt_of_somebody_else(till: Till) -> None:
    receipt_id = await till.owe()
    async with till.sessions.begin() as session:
        stranger = await factories.add_rider(session)
        with pytest.raises(errors.NotFound):
            await payments.pay_receipt(session, stranger, receipt_id=receipt_id, now=till.clock.now())
        with pytest.raises(errors.NotFound):
            await payments.pay_receipt(session, till.rider, receipt_id=ids.new(), now=till.clock.now())
        assert await payments.find_payments(session, stranger, [receipt_id]) == {}


async def test_without_a_card_a_receipt_becomes_a_debt_and_the_gateway_is_not_asked(till: Till) -> None:
    receipt_id = await till.owe()
    await till.cashier.ask_due()
    assert (await till.receipt(receipt_id)).is_overdue
    assert [row.failure for row in await till.rows() if row.state is PaymentState.FAILED] == ["no_card"]
    assert till.gateway.keys == []
    async with till.sessions.begin() as session:
        with pytest.raises(errors.PaymentMethodRequired):
            await payments.pay_receipt(session, till.rider, receipt_id=receipt_id, now=till.clock.now())


async def test_what_no_card_takes_is_forgiven_and_noted_as_a_loss(till: Till) -> None:
    await till.card()
    receipt_id = await till.owe(49)
    assert await till.cashier.ask_due() == 0
    assert (await till.receipt(receipt_id)).settled_minor == 49
    assert (await till.booked(LedgerAccount.LOSSES), await till.booked(LedgerAccount.RECEIVABLE)) == (49, -49)


def test_the_least_that_cards_take_is_known_for_the_currency_of_every_country() -> None:
    """What the gateway refuses for being too little would be asked for again and again, and never be settled."""
    assert {country.currency for country in countries.COUNTRIES.values()} <= payments.SMALLEST.keys()


async def test_a_receipt_of_nothing_asks_for_nothing(till: Till) -> None:
    await till.owe(0)
    assert await till.rows() == []


@pytest.mark.parametrize(("total", "captures", "charges"), [(7_000, 7_000, 0), (10_000, 10_000, 0), (13_000, 10_000, 3_000)])
async def test_a_receipt_is_taken_from_the_deposit_and_charged_for_the_rest(
    till: Till, total: int, captures: int, charges: int
) -> None:
    await till.card()
    trip_id = await till.trip()
    await till.cashier.ask_due()
    assert till.decided == [(trip_id, True)]
    receipt_id = await till.owe(total, trip_id=trip_id)
    for _ in range(3):
        await till.cashier.ask_due()
    receipt = await till.receipt(receipt_id)
    assert receipt.settled_minor == total
    assert [row.captured_minor for row in await till.rows()] == [captures, *([charges] if charges else [])]
    assert await till.booked(LedgerAccount.GATEWAY) == total == -await till.booked(LedgerAccount.RECEIVABLE)


async def test_a_deposit_that_cannot_be_taken_is_charged_instead(till: Till) -> None:
    await till.card(simulated.CAPTURE_FAILS)
    trip_id = await till.trip()
    await till.cashier.ask_due()
    receipt_id = await till.owe(7_000, trip_id=trip_id)
    for _ in range(3):
        await till.cashier.ask_due()
    assert (await till.receipt(receipt_id)).settled_minor == 7_000
    assert [row.state for row in await till.rows()] == [PaymentState.CANCELLED, PaymentState.SUCCEEDED]
    assert await till.booked(LedgerAccount.GATEWAY) == 7_000


async def test_a_declined_deposit_is_told_to_the_trip_and_not_to_the_rider_as_a_debt(till: Till) -> None:
    await till.card(simulated.DECLINED_LATER)
    trip_id = await till.trip()
    await till.cashier.ask_due()
    assert till.decided == [(trip_id, False)]
    assert [row.state for row in await till.rows()] == [PaymentState.FAILED]
    assert await till.told(NotificationKind.PAYMENT_FAILED) == 0


async def _let_go(till: Till, trip_id: UUID) -> None:
    async with till.sessions.begin() as session:
        await deposits.let_go(session, trip_id, till.clock.now())


async def test_a_deposit_that_was_never_asked_for_is_just_over(till: Till) -> None:
    await till.card()
    await _let_go(till, await till.trip())
    assert await till.cashier.ask_due() == 0
    assert ([row.state for row in await till.rows()], till.gateway.keys) == ([PaymentState.CANCELLED], [])


async def test_a_held_deposit_that_is_not_needed_is_let_go(till: Till) -> None:
    await till.card()
    trip_id = await till.trip()
    await till.cashier.ask_due()
    await till.owe(0, trip_id=trip_id)
    await till.cashier.ask_due()
    assert [row.state for row in await till.rows()] == [PaymentState.CANCELLED]
    assert await till.booked(LedgerAccount.GATEWAY) == 0


async def test_a_deposit_given_up_while_the_bank_is_silent_is_held_by_nobody_in_the_end(till: Till) -> None:
    await till.card(simulated.SILENT)
    trip_id = await till.trip()
    await till.cashier.ask_due()
    await _let_go(till, trip_id)
    for _ in range(5):
        till.clock.advance(minutes=5)
        await till.cashier.ask_due()
    (payment,) = await till.rows()
    assert (payment.state, payment.asks) == (PaymentState.CANCELLED, None)
    assert till.decided == [], "the trip is over already"


async def test_a_deposit_that_nobody_took_in_seven_days_is_let_go_and_so_is_that_of_a_trip_that_never_began(till: Till) -> None:
    await till.card()
    trip_id = await till.trip()
    await till.cashier.ask_due()
    till.clock.advance(days=6, hours=23)
    await till.cashier.sweep_deposits()
    assert await till.cashier.ask_due() == 0
    till.clock.advance(hours=1)
    await till.cashier.sweep_deposits()
    assert await till.cashier.ask_due() == 1
    assert [row.state for row in await till.rows()] == [PaymentState.CANCELLED]
    receipt_id = await till.owe(7_000, trip_id=trip_id)
    await till.cashier.ask_due()
    assert (await till.receipt(receipt_id)).settled_minor == 7_000, "then it is charged in full"


async def test_a_removed_card_is_forgotten_by_the_gateway_once_nothing_is_asked_of_it(till: Till) -> None:
    forgotten: list[str] = []

    class Forgetting(Watched):
        async def remove_card(self, card_ref: str) -> None:
            forgotten.append(card_ref)
            if len(forgotten) == 1:
                raise errors.OutOfReach

    till.gateway = Forgetting()
    card_id = await till.card(simulated.SILENT)
    await till.owe()
    await till.cashier.ask_due()
    async with till.sessions.begin() as session:
        await payment_methods.remove_payment_method(session, till.rider, method_id=card_id, now=till.clock.now())
        assert await payment_methods.list_payment_methods(session, till.rider) == []
    assert await till.cashier.ask_due() == 0
    assert forgotten == []
    for _ in range(6):
        till.clock.advance(minutes=11)
        await till.cashier.ask_due()
    assert len(forgotten) == 2, "once more, for it did not answer; then never again"
    assert await till.booked(LedgerAccount.GATEWAY) == 1200


def test_gateways_are_what_the_port_asks_for() -> None:
    made: list[Callable[[], ports.PaymentGateway]] = [SimulatedPayments, simulated.ClosedPayments]
    assert all(one() for one in made)


async def test_a_deposit_is_let_go_also_when_its_card_was_removed_before_anybody_heard_that_it_is_held(till: Till) -> None:
    card_id = await till.card()
    trip_id = await till.trip()
    till.gateway.after.append(errors.OutOfReach())
    await till.cashier.ask_due()
    async with till.sessions.begin() as session:
        await deposits.let_go(session, trip_id, till.clock.now())
        await payment_methods.remove_payment_method(session, till.rider, method_id=card_id, now=till.clock.now())
    await till.work(3)
    (payment,) = await till.rows()
    assert (payment.state, payment.asks) == (PaymentState.CANCELLED, None)
    assert payment.gateway_ref is not None
    assert (await till.gateway.look_up(payment.gateway_ref)).state is ports.IntentState.CANCELLED


@pytest.mark.parametrize("is_asked", [False, True])
async def test_who_paid_after_all_is_not_charged_by_the_next_try_or_gets_that_back(till: Till, is_asked: bool) -> None:
    await till.card(simulated.DECLINED_LATER)
    receipt_id = await till.owe()
    await till.cashier.ask_due()
    other = await till.card(simulated.MASTERCARD, is_default=False)
    async with till.sessions.begin() as session:
        await payments.pay_receipt(session, till.rider, receipt_id=receipt_id, method_id=other, now=till.clock.now())
    if is_asked:
        till.gateway.after.append(errors.OutOfReach())
        await till.cashier.ask_due()
    failed = next(row for row in await till.rows() if row.state is PaymentState.FAILED)
    async with till.sessions.begin() as session:
        late = ports.Intent(failed.gateway_ref or "", ports.IntentState.SUCCEEDED, 1200)
        await payment_answers.record_intent(session, failed.id, late, till.clock.now())
    await till.work()
    receipt = await till.receipt(receipt_id)
    assert (receipt.settled_minor, receipt.is_overdue) == (1200, False)
    assert await till.booked(LedgerAccount.GATEWAY) == 1200 == -await till.booked(LedgerAccount.RECEIVABLE)
    assert await till.told(NotificationKind.REFUNDED) == is_asked
