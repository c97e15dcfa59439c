"""What a bank takes back is disputed until it is decided: won it comes back, lost it is a loss."""

from __future__ import annotations

from typing import Any

import pytest

from domain import disputes, tables
from domain.tables import DisputeState, LedgerAccount
from tests.domain.tills import Till


async def disputed(till: Till, *closed: DisputeState, amount: int = 1200) -> None:
    """Told twice of everything."""
    (paid,) = await till.rows()
    for _ in range(2):
        async with till.sessions.begin() as session:
            payment = await session.get_one(tables.Payment, paid.id, with_for_update=True)
            given: dict[str, Any] = {
                "gateway_ref": "dp_1",
                "amount_minor": amount,
                "reason": "fraudulent",
                "now": till.clock.now(),
            }
            dispute = await disputes.open_dispute(session, payment, **given)
            for state in closed:
                await disputes.close_dispute(session, payment, dispute, state, now=till.clock.now())


@pytest.mark.parametrize(
    ("closed", "gateway", "held", "losses"),
    [
        ([], 0, 1200, 0),
        ([DisputeState.WON], 1200, 0, 0),
        ([DisputeState.LOST], 0, 0, 1200),
        ([DisputeState.WON, DisputeState.LOST], 1200, 0, 0),
    ],
    ids=["open", "won", "lost", "decided twice"],
)
async def test_a_dispute_is_booked_once_as_it_was_decided_first(
    till: Till, closed: list[DisputeState], gateway: int, held: int, losses: int
) -> None:
    await till.card()
    await till.owe()
    await till.charged()
    await disputed(till, *closed)
    accounts = (LedgerAccount.GATEWAY, LedgerAccount.DISPUTED, LedgerAccount.LOSSES)
    assert [await till.booked(account) for account in accounts] == [gateway, held, losses]
    async with till.sessions() as session:
        (found,) = await disputes.list_disputes(session, till.staff, state=None, before=None, limit=10)
    assert found.state is (closed[0] if closed else DisputeState.OPEN)


@pytest.mark.parametrize(("closed", "back"), [([], 900), ([DisputeState.LOST], 900), ([DisputeState.WON], 1200)])
async def test_what_the_bank_took_back_is_not_given_back_once_more(till: Till, closed: list[DisputeState], back: int) -> None:
    await till.card()
    receipt_id = await till.owe_line()
    await till.charged()
    await disputed(till, *closed, amount=300)
    await till.give_back(receipt_id)
    assert [row.amount_minor for row in await till.given_back()] == [back]
