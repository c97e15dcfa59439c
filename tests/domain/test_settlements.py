"""What covers a receipt is booked once for each reason, and a covered receipt is no debt."""

from __future__ import annotations

from domain import settlements, tables
from domain.ports import IntentState
from domain.tables import LedgerAccount
from tests.domain.tills import Till


async def test_a_reason_covers_a_receipt_once_and_all_of_it_ends_the_debt(till: Till) -> None:
    await till.card()
    receipt_id = await till.owe()
    await till.charged(IntentState.DECLINED)
    states = []
    for what, amount in (("first", 700), ("first", 700), ("second", 500)):
        async with till.sessions.begin() as session:
            receipt = await session.get_one(tables.Receipt, receipt_id, with_for_update=True)
            await settlements.settle_from(session, receipt, LedgerAccount.LOSSES, amount, what=what, now=till.clock.now())
            states.append((receipt.settled_minor, receipt.is_overdue))
    assert states == [(700, True), (700, True), (1200, False)]
    assert await till.booked(LedgerAccount.LOSSES) == 1200
