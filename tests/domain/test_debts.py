"""Who owes what a card refused begins no trip until it is paid."""

from __future__ import annotations

import pytest

from domain import debts, errors, payments
from domain.ports import IntentState
from domain.values import Money
from tests.domain.tills import Till


async def check(till: Till) -> None:
    async with till.sessions() as session:
        await debts.require_solvent(session, till.rider.account_id, "EUR", till.clock.now())


async def test_a_rider_without_a_card_begins_no_trip(till: Till) -> None:
    with pytest.raises(errors.PaymentMethodRequired):
        await check(till)


async def test_what_was_not_refused_yet_is_no_debt(till: Till) -> None:
    await till.card()
    await till.owe()
    await check(till)


async def test_a_rider_does_not_ride_while_a_receipt_is_overdue_and_does_once_it_is_paid(till: Till) -> None:
    await till.card()
    owed = [await till.owe(1200)]
    await till.charged(IntentState.DECLINED)
    owed.append(await till.owe(300))
    await till.charged(IntentState.DECLINED)
    with pytest.raises(errors.DebtOpen) as refusal:
        await check(till)
    assert (refusal.value.owed, refusal.value.receipt_ids) == (Money(1500, "EUR"), owed)
    for receipt_id in owed:
        with pytest.raises(errors.DebtOpen):
            await check(till)
        async with till.sessions.begin() as session:
            await payments.pay_receipt(session, till.rider, receipt_id=receipt_id, now=till.clock.now())
        await till.charged()
    await check(till)


async def test_a_debt_that_staff_take_back_is_none(till: Till) -> None:
    await till.card()
    receipt_id = await till.owe_line()
    await till.charged(IntentState.DECLINED)
    await till.give_back(receipt_id)
    await check(till)
    till.clock.advance(days=30)
    assert not await till.is_due(), "the next try is off"
