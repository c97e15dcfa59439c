"""Disputes: payments that a rider's bank takes back, until it is decided."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from sqlalchemy import select
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncSession

from domain import ids, ledger, tables
from domain.actor import Actor
from domain.tables import DisputeState, LedgerAccount

_rows = tables.Dispute


@dataclass(frozen=True, slots=True)
class Dispute:
    id: UUID
    payment_id: UUID
    receipt_id: UUID | None
    customer_id: UUID
    amount_minor: int
    currency: str
    reason: str
    state: DisputeState
    opened_at: datetime
    closed_at: datetime | None


async def open_dispute(
    session: AsyncSession, payment: tables.Payment, *, gateway_ref: str, amount_minor: int, reason: str, now: datetime
) -> tables.Dispute:
    """Of a locked payment: the bank holds the money back. Once, whoever tells of it first."""
    row = insert(_rows).values(
        id=ids.new(),
        payment_id=payment.id,
        gateway_ref=gateway_ref,
        amount_minor=amount_minor,
        reason=reason[:100],
        state=DisputeState.OPEN,
        opened_at=now,
    )
    await session.execute(row.on_conflict_do_nothing(index_elements=["gateway_ref"]))
    found = select(_rows).where(_rows.gateway_ref == gateway_ref).with_for_update()
    dispute = (await session.execute(found)).scalar_one()
    await _book(session, payment, f"dispute:{gateway_ref}:opened", LedgerAccount.GATEWAY, dispute.amount_minor, now)
    return dispute


async def close_dispute(
    session: AsyncSession, payment: tables.Payment, dispute: tables.Dispute, state: DisputeState, *, now: datetime
) -> None:
    """Won, the money comes back; lost, it is a loss. Once."""
    if dispute.state is not DisputeState.OPEN:
        return
    dispute.state, dispute.closed_at = state, now
    await session.flush()
    account = LedgerAccount.GATEWAY if state is DisputeState.WON else LedgerAccount.LOSSES
    await _book(session, payment, f"dispute:{dispute.gateway_ref}:closed", account, -dispute.amount_minor, now)


async def _book(
    session: AsyncSession, payment: tables.Payment, key: str, account: LedgerAccount, amount: int, now: datetime
) -> None:
    await ledger.post(
        session,
        key=key,
        entries={LedgerAccount.DISPUTED: amount, account: -amount},
        currency=payment.currency,
        customer_id=payment.customer_id,
        receipt_id=payment.receipt_id,
        at=now,
    )


async def list_disputes(
    session: AsyncSession, who: Actor, *, state: DisputeState | None, before: UUID | None, limit: int
) -> list[Dispute]:
    """Of the staff's metros, the latest first."""
    payments, receipts = tables.Payment, tables.Receipt
    statement = (
        select(_rows, payments.receipt_id, payments.customer_id, payments.currency)
        .join(payments, _rows.payment_id == payments.id)
        .join(receipts, payments.receipt_id == receipts.id)
    )
    if who.metro_ids is not None:
        statement = statement.where(receipts.metro_id.in_(who.metro_ids))
    if state is not None:
        statement = statement.where(_rows.state == state)
    if before is not None:
        statement = statement.where(_rows.id < before)
    found = await session.execute(statement.order_by(_rows.id.desc()).limit(limit))
    return [
        Dispute(
            id=row.id,
            payment_id=row.payment_id,
            receipt_id=receipt_id,
            customer_id=customer_id,
            amount_minor=row.amount_minor,
            currency=currency,
            reason=row.reason,
            state=row.state,
            opened_at=row.opened_at,
            closed_at=row.closed_at,
        )
        for row, receipt_id, customer_id, currency in found
    ]
