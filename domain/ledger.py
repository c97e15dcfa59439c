"""The ledger: double-entry books in whole minor units, only ever added to.

Debits are positive, credits negative. What happened to money is posted once: `key` names the event in the world. The database
refuses what does not sum to zero, and every change of what was posted.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from uuid import UUID

from sqlalchemy import func, select
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncSession

from domain import ids, tables
from domain.tables import LedgerAccount

_MOVES, _ENTRIES = tables.LedgerTransaction, tables.LedgerEntry


async def post(
    session: AsyncSession,
    *,
    key: str,
    entries: Mapping[LedgerAccount, int],
    currency: str,
    customer_id: UUID | None,
    receipt_id: UUID | None,
    at: datetime,
) -> bool:
    """False when this was posted before, or moves nothing. Raises ValueError: the entries do not sum to zero, a fault of ours."""
    if sum(entries.values()):
        raise ValueError(f"the entries of {key} do not sum to zero: {dict(entries)}")
    moved = [(account, amount) for account, amount in entries.items() if amount]
    if not moved:
        return False
    move = insert(_MOVES).values(id=ids.new(), key=key, customer_id=customer_id, receipt_id=receipt_id, at=at)
    once = move.on_conflict_do_nothing(index_elements=["key"]).returning(_MOVES.id)
    made = (await session.execute(once)).scalar_one_or_none()
    if made is None:
        return False
    rows = [
        {"transaction_id": made, "position": position, "account": account, "currency": currency, "amount_minor": amount}
        for position, (account, amount) in enumerate(moved, start=1)
    ]
    await session.execute(insert(_ENTRIES), rows)
    return True


async def balance(session: AsyncSession, account: LedgerAccount, customer_id: UUID | None = None) -> dict[str, int]:
    """By currency; of one customer, or of all."""
    total = select(_ENTRIES.currency, func.sum(_ENTRIES.amount_minor)).where(_ENTRIES.account == account)
    if customer_id is not None:
        total = total.join(_MOVES, _MOVES.id == _ENTRIES.transaction_id).where(_MOVES.customer_id == customer_id)
    return {currency: int(minor) for currency, minor in await session.execute(total.group_by(_ENTRIES.currency))}


async def trial_balance(session: AsyncSession, currency: str) -> dict[LedgerAccount, int]:
    """Of every account that was ever used; together they are zero."""
    total = select(_ENTRIES.account, func.sum(_ENTRIES.amount_minor)).where(_ENTRIES.currency == currency)
    return {account: int(minor) for account, minor in await session.execute(total.group_by(_ENTRIES.account))}
