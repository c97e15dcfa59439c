"""A deposit is taken up to its amount, once, or let go."""

from __future__ import annotations

import pytest

from domain import deposits, errors, ids
from domain.payment_answers import Outcome
from domain.ports import IntentState
from domain.tables import LedgerAccount
from domain.values import Money
from tests.domain.tills import Till


async def test_without_a_card_nothing_is_held(till: Till) -> None:
    async with till.sessions() as session:
        with pytest.raises(errors.PaymentMethodRequired):
            await deposits.authorize_deposit(
                session, trip_id=ids.new(), customer_id=till.rider.account_id, amount=Money(1, "EUR"), now=till.clock.now()
            )


@pytest.mark.parametrize("is_authorized", [True, False])
async def test_what_the_bank_says_is_decided_once(till: Till, is_authorized: bool) -> None:
    await till.card()
    trip_id = await till.trip()
    claim = await till.claim()
    word = IntentState.AUTHORIZED if is_authorized else IntentState.DECLINED
    assert await till.hear(claim.payment_id, word) == Outcome(trip_id, is_authorized)
    assert await till.hear(claim.payment_id, word) is None


@pytest.mark.parametrize(("total", "captured", "charged"), [(9_999, 9_999, 0), (10_049, 10_000, 0), (10_050, 10_000, 50)])
async def test_a_receipt_is_taken_from_the_deposit_and_the_rest_charged_if_a_card_takes_it(
    till: Till, total: int, captured: int, charged: int
) -> None:
    await till.card()
    trip_id = await till.trip()
    await till.charged(IntentState.AUTHORIZED)
    receipt_id = await till.owe(total, trip_id=trip_id)
    await till.charged()
    if charged:
        await till.charged()
    assert not await till.is_due()
    assert [row.captured_minor for row in await till.rows()] == [captured, *([charged] if charged else [])]
    assert (await till.receipt(receipt_id)).settled_minor == total
    assert await till.booked(LedgerAccount.GATEWAY) == captured + charged


@pytest.mark.parametrize("word", [IntentState.DECLINED, IntentState.CANCELLED])
async def test_a_deposit_that_is_gone_when_it_is_to_be_taken_is_charged_instead(till: Till, word: IntentState) -> None:
    await till.card()
    trip_id = await till.trip()
    await till.charged(IntentState.AUTHORIZED)
    receipt_id = await till.owe(7_000, trip_id=trip_id)
    await till.charged(word)
    assert not (await till.receipt(receipt_id)).is_overdue, "nobody was refused anything yet"
    await till.charged()
    assert (await till.receipt(receipt_id)).settled_minor == 7_000 == await till.booked(LedgerAccount.GATEWAY)


async def test_a_deposit_that_is_being_taken_is_not_let_go(till: Till) -> None:
    await till.card()
    trip_id = await till.trip()
    await till.charged(IntentState.AUTHORIZED)
    await till.owe(7_000, trip_id=trip_id)
    async with till.sessions.begin() as session:
        await deposits.let_go(session, trip_id, till.clock.now())
    await till.charged()
    assert [row.captured_minor for row in await till.rows()] == [7_000]
