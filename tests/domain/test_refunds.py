"""What was paid goes back where it came from, once, and never more of it."""

from __future__ import annotations

import pytest

from domain import errors, refunds
from domain.tables import LedgerAccount, RefundState
from domain.values import NotificationKind
from tests.domain.tills import Till


async def test_a_part_and_then_the_rest_go_back_to_the_card_and_nothing_after_that(till: Till) -> None:
    await till.card()
    receipt_id = await till.owe_line()
    await till.charged()
    await till.give_back(receipt_id, 200)
    await till.give_back(receipt_id)
    with pytest.raises(errors.InvalidInput):
        await till.give_back(receipt_id, 1)
    assert [row.amount_minor for row in await till.given_back()] == [200, 1000]
    assert await till.booked(LedgerAccount.GATEWAY) == 0
    assert await till.told(NotificationKind.REFUNDED) == 2


async def test_a_refund_that_is_told_twice_is_booked_once_and_one_that_comes_back_is_taken_back(till: Till) -> None:
    await till.card()
    receipt_id = await till.owe_line()
    await till.charged()
    await till.give_back(receipt_id)
    (row,) = await till.given_back()
    async with till.sessions.begin() as session:
        await refunds.record_refunded(session, row.id, gateway_ref="again", now=till.clock.now())
    assert [one.refunded_minor for one in await till.rows()] == [1200]
    for _ in range(2):
        async with till.sessions.begin() as session:
            await refunds.record_failed(session, row.id, failure="closed account", now=till.clock.now())
    assert [one.state for one in await till.refund_rows()] == [RefundState.FAILED]
    assert ([one.refunded_minor for one in await till.rows()], await till.booked(LedgerAccount.GATEWAY)) == ([0], 1200)


async def test_of_a_receipt_that_was_not_paid_nothing_goes_back_and_less_is_asked_for(till: Till) -> None:
    await till.card()
    receipt_id = await till.owe_line()
    await till.give_back(receipt_id, 500)
    assert await till.given_back() == []
    await till.charged()
    assert [row.captured_minor for row in await till.rows()] == [700]
    assert (await till.receipt(receipt_id)).settled_minor == 1200
