"""Refunds: what a credit note gives back, to the cards that it was taken from."""

from __future__ import annotations

import logging
from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime, timedelta
from uuid import UUID

from sqlalchemy import func, or_, select, update
from sqlalchemy.ext.asyncio import AsyncSession

from domain import errors, jobs, ledger, notifications, payment_claims, payments, receipts, settlements, tables
from domain.actor import Actor
from domain.tables import LedgerAccount, LineKind, PaymentState, RefundState
from domain.values import FeeSettlement, Money, NotificationKind

logger = logging.getLogger(__name__)
LEASE = timedelta(minutes=2)

_rows = tables.Refund


@dataclass(frozen=True, slots=True)
class Claim:
    """A refund that is ours to ask for until the lease is over."""

    refund_id: UUID
    attempt: int
    payment_ref: str
    amount_minor: int
    created_at: datetime

    @property
    def key(self) -> str:
        return f"refund:{self.refund_id}"


async def refund(session: AsyncSession, *, credit_note: tables.Receipt, now: datetime) -> None:
    """Once for a credit note, in the transaction that issued it: it covers what is still owed of the receipt that it corrects;
    what was paid beyond goes back to the cards, the latest payment first, and what no card paid becomes credit."""
    rows = tables.Receipt
    corrected = select(rows).where(rows.id == credit_note.corrects_id).with_for_update()
    receipt = (await session.execute(corrected.execution_options(populate_existing=True))).scalar_one()
    back = -credit_note.total_minor
    covered = min(back, receipt.total_minor - receipt.settled_minor)
    if covered > 0:
        await settlements.settle(session, receipt, covered, how=FeeSettlement.WAIVED, now=now)
        await payments.ask_for_less(session, receipt, now=now)
    left = back - covered
    for payment in await _paid(session, receipt.id):
        left -= await _give_back(session, payment, credit_note, left, now=now)
    await _credit(session, receipt, credit_note, left, now=now)
    credit_note.settled_minor = credit_note.total_minor
    await session.flush()


async def refund_receipt(
    session: AsyncSession,
    who: Actor,
    *,
    receipt_id: UUID,
    kinds: Collection[LineKind] | None,
    amount: Money | None,
    now: datetime,
) -> UUID:
    """By staff: lines, an amount, or all that is left. The credit note. Raises NotFound, InvalidInput."""
    seen = await receipts.get_receipt(session, who, receipt_id)
    if amount is not None and amount.currency != seen.currency:
        raise errors.InvalidInput.of("amount", f"This receipt is in {seen.currency}.")
    receipt = await receipts.lock_receipt(session, receipt_id)
    minor = None if amount is None else amount.minor_units
    note = await receipts.issue_credit_note(session, receipt=receipt, kinds=kinds, amount_minor=minor, now=now)
    await refund(session, credit_note=note, now=now)
    return note.id


async def _credit(
    session: AsyncSession, receipt: tables.Receipt, credit_note: tables.Receipt, wanted: int, *, now: datetime
) -> None:
    """What credit paid becomes credit again."""
    entries, moves, notes = tables.LedgerEntry, tables.LedgerTransaction, tables.Receipt
    of_it = select(notes.id).where(or_(notes.id == receipt.id, notes.corrects_id == receipt.id))
    used = (
        select(func.coalesce(func.sum(entries.amount_minor), 0))
        .join(moves, entries.transaction_id == moves.id)
        .where(moves.receipt_id.in_(of_it), entries.account == LedgerAccount.CREDIT)
    )
    amount = min(wanted, int((await session.execute(used)).scalar_one()))
    if amount > 0:
        await ledger.post(
            session,
            key=f"credit_note:{credit_note.id}:credited",
            entries={LedgerAccount.RECEIVABLE: amount, LedgerAccount.CREDIT: -amount},
            currency=receipt.currency,
            customer_id=receipt.customer_id,
            receipt_id=credit_note.id,
            at=now,
        )
    if wanted > max(amount, 0):
        logger.warning("a credit note gives back more than is left of what was paid", extra={"receipt": str(credit_note.id)})


async def _paid(session: AsyncSession, receipt_id: UUID) -> list[tables.Payment]:
    rows = tables.Payment
    taken = select(rows).where(rows.receipt_id == receipt_id, rows.state == PaymentState.SUCCEEDED)
    return list((await session.execute(taken.order_by(rows.id.desc()).with_for_update())).scalars())


async def _give_back(
    session: AsyncSession, payment: tables.Payment, credit_note: tables.Receipt, wanted: int, *, now: datetime
) -> int:
    """Up to what is left of the payment; how much."""
    asked = select(func.coalesce(func.sum(_rows.amount_minor), 0)).where(
        _rows.payment_id == payment.id, _rows.state == RefundState.PENDING
    )
    under_way = int((await session.execute(asked)).scalar_one())
    disputes = tables.Dispute
    taken = select(func.coalesce(func.sum(disputes.amount_minor), 0)).where(
        disputes.payment_id == payment.id, disputes.state != tables.DisputeState.WON
    )
    disputed = int((await session.execute(taken)).scalar_one())
    amount = min(wanted, payment.captured_minor - payment.refunded_minor - under_way - disputed)
    if amount <= 0:
        return 0
    row = tables.Refund(
        payment_id=payment.id,
        receipt_id=credit_note.id,
        amount_minor=amount,
        state=RefundState.PENDING,
        next_attempt_at=now,
        created_at=now,
    )
    session.add(row)
    await session.flush()
    args = {"refund_id": str(row.id)}
    await jobs.defer(session, jobs.ASK_GATEWAY, args, queue=jobs.Queue.CUSTOMER, lock=f"refund:{row.id}")
    return amount


async def return_surplus(
    session: AsyncSession, payment: tables.Payment, receipt: tables.Receipt, amount: int, *, now: datetime
) -> None:
    """A credit note covered what a payment under way was for: it goes back with that note. Or another try was taken for lost
    and was not: then it goes back with the receipt itself."""
    notes = tables.Receipt
    latest = select(notes).where(notes.corrects_id == receipt.id).order_by(notes.id.desc()).limit(1)
    note = (await session.execute(latest)).scalar_one_or_none()
    if note is None:
        logger.warning("a receipt was paid twice", extra={"receipt": str(receipt.id), "payment": str(payment.id)})
    await _give_back(session, payment, note or receipt, amount, now=now)


async def claim_refunds(session: AsyncSession, *, now: datetime, limit: int, only: UUID | None = None) -> list[Claim]:
    due = select(_rows.id).where(_rows.state == RefundState.PENDING, _rows.next_attempt_at <= now)
    if only is not None:
        due = due.where(_rows.id == only)
    free = due.order_by(_rows.next_attempt_at).limit(limit).with_for_update(skip_locked=True)
    taking = update(_rows).where(_rows.id.in_(free)).values(attempts=_rows.attempts + 1, next_attempt_at=now + LEASE)
    taken = list((await session.execute(taking.returning(_rows.id))).scalars())
    paid = tables.Payment
    columns = (_rows.id, _rows.attempts, paid.gateway_ref, _rows.amount_minor, _rows.created_at)
    found = select(*columns).join(paid, _rows.payment_id == paid.id).where(_rows.id.in_(taken)).order_by(_rows.id)
    return [
        Claim(row.id, row.attempts, row.gateway_ref or "", row.amount_minor, row.created_at)
        for row in await session.execute(found)
    ]


async def record_silence(session: AsyncSession, claim: Claim, *, now: datetime) -> None:
    own = update(_rows).where(_rows.id == claim.refund_id, _rows.attempts == claim.attempt, _rows.state == RefundState.PENDING)
    await session.execute(own.values(next_attempt_at=now + payment_claims.pause_after(claim.attempt, claim.refund_id)))


async def _lock(session: AsyncSession, refund_id: UUID) -> tuple[tables.Refund, tables.Payment, tables.Receipt]:
    found = select(_rows.payment_id, _rows.receipt_id).where(_rows.id == refund_id)
    payment_id, receipt_id = (await session.execute(found)).one()
    payment = await session.get_one(tables.Payment, payment_id, with_for_update=True, populate_existing=True)
    row = await session.get_one(tables.Refund, refund_id, with_for_update=True, populate_existing=True)
    return row, payment, await session.get_one(tables.Receipt, receipt_id)


async def record_refunded(session: AsyncSession, refund_id: UUID, *, gateway_ref: str, now: datetime) -> None:
    """The gateway has it, and it is on its way. Once."""
    row, payment, note = await _lock(session, refund_id)
    if row.state is not RefundState.PENDING:
        return
    row.state, row.gateway_ref, row.next_attempt_at = RefundState.SUCCEEDED, gateway_ref, None
    payment.refunded_minor += row.amount_minor
    await session.flush()
    await _book(session, row, payment, "paid", sign=1, now=now)
    facts = {
        "receiptId": str(note.id),
        "number": note.number,
        "refundedMinor": row.amount_minor,
        "currency": note.currency,
    }
    await notifications.notify(
        session,
        NotificationKind.REFUNDED,
        customer_id=note.customer_id,
        metro_id=note.metro_id,
        facts=facts,
        key=f"refund:{row.id}",
        now=now,
    )


async def record_failed(session: AsyncSession, refund_id: UUID, *, failure: str, now: datetime) -> None:
    """Refused, or given back to us by the bank afterwards: staff look after it. Once."""
    row, payment, _ = await _lock(session, refund_id)
    if row.state is RefundState.FAILED:
        return
    was_paid = row.state is RefundState.SUCCEEDED
    row.state, row.failure, row.next_attempt_at = RefundState.FAILED, failure[:100], None
    if was_paid:
        payment.refunded_minor -= row.amount_minor
    await session.flush()
    if was_paid:
        await _book(session, row, payment, "failed", sign=-1, now=now)
    logger.warning("a refund failed", extra={"refund": str(row.id), "failure": failure[:100]})


async def _book(
    session: AsyncSession, row: tables.Refund, payment: tables.Payment, what: str, *, sign: int, now: datetime
) -> None:
    amount = sign * row.amount_minor
    await ledger.post(
        session,
        key=f"refund:{row.id}:{what}",
        entries={LedgerAccount.RECEIVABLE: amount, LedgerAccount.GATEWAY: -amount},
        currency=payment.currency,
        customer_id=payment.customer_id,
        receipt_id=row.receipt_id,
        at=now,
    )
