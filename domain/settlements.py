"""Settlements: what covers a receipt, whatever it is: a payment, credit, a credit note, or nobody's asking for it."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy.ext.asyncio import AsyncSession

from domain import ledger, receipts, tables
from domain.tables import LedgerAccount
from domain.values import FeeSettlement


async def settle(
    session: AsyncSession,
    receipt: tables.Receipt,
    amount: int,
    *,
    how: FeeSettlement = FeeSettlement.PAID,
    now: datetime,
) -> None:
    """So much more of a locked receipt is covered."""
    receipt.settled_minor += amount
    if receipt.settled_minor >= receipt.total_minor:
        receipt.is_overdue = False
    await session.flush()
    await receipts.note_settled(session, receipt, now, how)


async def settle_from(
    session: AsyncSession, receipt: tables.Receipt, account: LedgerAccount, amount: int, *, what: str, now: datetime
) -> None:
    """The same, and where it comes from is booked; once for each `what`."""
    is_new = await ledger.post(
        session,
        key=f"receipt:{receipt.id}:{what}",
        entries={account: amount, LedgerAccount.RECEIVABLE: -amount},
        currency=receipt.currency,
        customer_id=receipt.customer_id,
        receipt_id=receipt.id,
        at=now,
    )
    if is_new:
        await settle(session, receipt, amount, now=now)
