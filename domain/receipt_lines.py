"""Receipt lines: how a bill is kept with its receipt, and what it is in the ledger."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from uuid import UUID

from sqlalchemy import insert, select
from sqlalchemy.ext.asyncio import AsyncSession

from domain import credit_notes, meters, tables, vat
from domain.tables import LedgerAccount

_LINES = tables.ReceiptLine.__table__
_OWN = meters.Line.__slots__


async def write_lines(session: AsyncSession, receipt_id: UUID, lines: Iterable[meters.Line]) -> None:
    """Once: they are never changed."""
    rows = [
        {"receipt_id": receipt_id, "position": position} | {name: getattr(line, name) for name in _OWN}
        for position, line in enumerate(lines, start=1)
    ]
    await session.execute(insert(tables.ReceiptLine), rows)


async def find_lines(session: AsyncSession, receipt_ids: Collection[UUID]) -> dict[UUID, list[meters.Line]]:
    """In their order, of each receipt."""
    found: dict[UUID, list[meters.Line]] = {}
    if not receipt_ids:
        return found
    query = select(_LINES.c.receipt_id, *(_LINES.c[name] for name in _OWN)).where(_LINES.c.receipt_id.in_(receipt_ids))
    for receipt_id, *values in await session.execute(query.order_by(_LINES.c.receipt_id, _LINES.c.position)):
        found.setdefault(receipt_id, []).append(meters.Line(*values))
    return found


def entries_of(bill: meters.Bill) -> dict[LedgerAccount, int]:
    """The rider owes the total; of it VAT is the state's, the rest is earned by rides or by fines."""
    fines = [line for line in bill.lines if line.kind in credit_notes.FINES]
    vat_minor = sum(share.vat_minor for share in bill.vat)
    fines_minor = sum(line.amount_minor for line in fines) - sum(share.vat_minor for share in vat.shares(fines))
    return {
        LedgerAccount.RECEIVABLE: bill.total.minor_units,
        LedgerAccount.REVENUE: -(bill.total.minor_units - vat_minor - fines_minor),
        LedgerAccount.FINES: -fines_minor,
        LedgerAccount.VAT: -vat_minor,
    }
