"""Debts: who may not begin a new trip until something is paid."""

from __future__ import annotations

from datetime import datetime
from uuid import UUID

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from domain import errors, payment_methods, tables
from domain.values import Money


async def require_solvent(session: AsyncSession, customer_id: UUID, currency: str, now: datetime) -> None:
    """Raises DebtOpen: the last try to collect a receipt failed. PaymentMethodRequired: no card."""
    del now
    rows = tables.Receipt
    owed = select(rows.id, rows.currency, rows.total_minor - rows.settled_minor).where(
        rows.customer_id == customer_id, rows.settled_minor < rows.total_minor, rows.is_overdue
    )
    found = (await session.execute(owed.order_by(rows.id))).all()
    if found:
        first = currency if any(row.currency == currency for row in found) else found[0].currency
        due = sum(row[2] for row in found if row.currency == first)
        raise errors.DebtOpen(Money(due, first), [row.id for row in found])
    if await payment_methods.find_default(session, customer_id) is None:
        raise errors.PaymentMethodRequired
