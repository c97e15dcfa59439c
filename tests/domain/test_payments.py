"""A receipt is asked for until it is settled, by one payment at a time."""

from __future__ import annotations

import asyncio
from datetime import timedelta

import pytest

from domain import payment_claims, payments, tables
from domain.ports import IntentState
from domain.tables import LedgerAccount, PaymentState
from domain.values import NotificationKind
from tests.domain.tills import Till


async def test_a_refused_receipt_is_tried_again_after_an_hour_a_day_and_three_days_and_then_no_more(till: Till) -> None:
    await till.card()
    await till.owe()
    await till.charged(IntentState.DECLINED)
    for pause in payments.RETRIES:
        till.clock.instant += pause - timedelta(seconds=1)
        assert not await till.is_due()
        till.clock.advance(seconds=1)
        await till.charged(IntentState.DECLINED)
    till.clock.advance(days=60)
    assert not await till.is_due()
    assert await till.told(NotificationKind.PAYMENT_FAILED) == 4


@pytest.mark.parametrize(("total", "is_forgiven"), [(49, True), (50, False)])
async def test_less_than_cards_are_charged_is_forgiven(till: Till, total: int, is_forgiven: bool) -> None:
    await till.card()
    receipt_id = await till.owe(total)
    assert await till.is_due() is not is_forgiven
    assert (await till.receipt(receipt_id)).settled_minor == (total if is_forgiven else 0)
    assert await till.booked(LedgerAccount.LOSSES) == (total if is_forgiven else 0)


async def test_who_pays_at_once_from_everywhere_has_one_open_payment(till: Till) -> None:
    await till.card()
    receipt_id = await till.owe()
    await till.charged(IntentState.DECLINED)

    async def pay() -> None:
        async with till.sessions.begin() as session:
            await payments.pay_receipt(session, till.rider, receipt_id=receipt_id, now=till.clock.now())

    async def collect() -> None:
        async with till.sessions.begin() as session:
            await payments.collect(session, await session.get_one(tables.Receipt, receipt_id), till.clock.now())

    await asyncio.gather(*(act() for act in (pay, collect) * 4))
    assert [row.state for row in await till.rows()] == [PaymentState.FAILED, PaymentState.PENDING]
    await till.charged()
    assert await till.booked(LedgerAccount.GATEWAY) == 1200


async def test_a_settled_receipt_is_never_charged_again(till: Till) -> None:
    await till.card()
    receipt_id = await till.owe()
    await till.charged()
    async with till.sessions.begin() as session:
        await payments.pay_receipt(session, till.rider, receipt_id=receipt_id, now=till.clock.now())
        receipt = await session.get_one(tables.Receipt, receipt_id)
        await payments.collect(session, receipt, till.clock.now())
        await payments.charge(session, receipt, due_at=till.clock.now(), now=till.clock.now())
    till.clock.advance(days=30)
    assert not await till.is_due()
    assert len(await till.rows()) == 1


async def test_pauses_grow_to_half_an_hour_and_no_two_payments_come_back_together(till: Till) -> None:
    await till.card()
    await till.owe()
    claim = await till.claim()
    pauses = [payment_claims.pause_after(attempt, claim.payment_id) for attempt in (1, 3, 30)]
    assert timedelta(seconds=10) <= pauses[0] < pauses[1] < pauses[2] <= timedelta(minutes=45)


async def test_what_a_newer_claim_has_taken_over_does_not_wait_for_the_old_one(till: Till) -> None:
    await till.card()
    await till.owe()
    old = await till.claim()
    till.clock.advance(minutes=3)
    new = await till.claim()
    async with till.sessions.begin() as session:
        await payment_claims.record_silence(session, old, now=till.clock.now())
    (row,) = await till.rows()
    assert (row.attempts, row.next_attempt_at) == (new.attempt, till.clock.now() + payment_claims.LEASE)
