"""What the gateway says is recorded once, in whatever order it comes, and nobody has paid too much in the end."""

from __future__ import annotations

import pytest

from domain import ids
from domain.ports import IntentState
from domain.tables import LedgerAccount, PaymentState
from tests.domain.tills import Till


async def test_an_answer_that_comes_twice_is_booked_once(till: Till) -> None:
    await till.card()
    receipt_id = await till.owe()
    payment_id = await till.charged()
    for state in (IntentState.SUCCEEDED, IntentState.DECLINED, IntentState.PROCESSING, IntentState.CANCELLED):
        await till.hear(payment_id, state)
    assert [row.state for row in await till.rows()] == [PaymentState.SUCCEEDED]
    assert (await till.receipt(receipt_id)).settled_minor == 1200 == await till.booked(LedgerAccount.GATEWAY)


async def test_a_bank_that_has_not_decided_is_asked_again_later(till: Till) -> None:
    await till.card()
    receipt_id = await till.owe()
    await till.charged(IntentState.PROCESSING)
    assert not await till.is_due()
    till.clock.advance(minutes=1)
    await till.charged()
    assert (await till.receipt(receipt_id)).settled_minor == 1200


async def test_a_word_of_a_payment_that_nobody_knows_changes_nothing(till: Till) -> None:
    assert await till.hear(ids.new(), IntentState.SUCCEEDED, 100) is None
    assert await till.booked(LedgerAccount.GATEWAY) == 0


async def test_a_charge_that_succeeds_after_it_was_held_for_lost_takes_the_next_try_back(till: Till) -> None:
    await till.card()
    receipt_id = await till.owe()
    payment_id = await till.charged(IntentState.DECLINED)
    await till.hear(payment_id, IntentState.SUCCEEDED, 1200)
    till.clock.advance(days=30)
    assert not await till.is_due()
    assert [row.state for row in await till.rows()] == [PaymentState.SUCCEEDED, PaymentState.CANCELLED]
    receipt = await till.receipt(receipt_id)
    assert (receipt.settled_minor, receipt.is_overdue, await till.credit()) == (1200, False, 0)


async def test_who_was_charged_twice_all_the_same_gets_it_back_once(till: Till) -> None:
    await till.card()
    receipt_id = await till.owe()
    first = await till.charged(IntentState.DECLINED)
    till.clock.advance(hours=1)
    await till.charged()
    for _ in range(2):
        await till.hear(first, IntentState.SUCCEEDED, 1200)
    assert [(row.payment_id, row.amount_minor) for row in await till.given_back()] == [(first, 1200)]
    assert (await till.receipt(receipt_id)).settled_minor == 1200 == await till.booked(LedgerAccount.GATEWAY)


@pytest.mark.parametrize(("credited", "goes_back"), [(1200, 1200), (500, 500)])
async def test_a_charge_that_succeeds_after_staff_settled_the_receipt_is_given_back(
    till: Till, credited: int, goes_back: int
) -> None:
    await till.card()
    receipt_id = await till.owe_line()
    under_way = await till.claim()
    await till.give_back(receipt_id, credited)
    assert await till.given_back() == []
    await till.hear(under_way.payment_id, IntentState.SUCCEEDED, 1200)
    assert [row.amount_minor for row in await till.given_back()] == [goes_back]
    assert (await till.receipt(receipt_id)).settled_minor == 1200
    assert await till.booked(LedgerAccount.GATEWAY) == 1200 - goes_back
    assert not await till.is_due()
