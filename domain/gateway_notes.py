"""Gateway notes: what the payment gateway tells by itself, each counted once, in whatever order they come."""

from __future__ import annotations

from datetime import datetime, timedelta

from sqlalchemy import delete, select
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncSession

from domain import disputes, history, payment_answers, refunds, tables
from domain.payment_answers import Outcome
from domain.ports import GatewayNote, Intent, IntentState

#: longer than the gateway sends a note again
KEPT = timedelta(days=30)
_INTENTS = {
    "payment_intent.amount_capturable_updated": IntentState.AUTHORIZED,
    "payment_intent.succeeded": IntentState.SUCCEEDED,
    "payment_intent.payment_failed": IntentState.DECLINED,
    "payment_intent.canceled": IntentState.CANCELLED,
}
_DISPUTES = ("charge.dispute.created", "charge.dispute.funds_withdrawn", "charge.dispute.closed")
_CLOSED = {"won": tables.DisputeState.WON, "lost": tables.DisputeState.LOST}
_REFUNDS = ("refund.updated", "refund.failed", "charge.refund.updated")


async def record_note(session: AsyncSession, note: GatewayNote, *, now: datetime) -> Outcome | None:
    """Does what it calls for, once. A second that comes at the same time waits for the first. Of payments that are not ours,
    or whose name we have not heard yet, it is only noted: the answer to our own ask says the same."""
    rows, payments = tables.GatewayEvent, tables.Payment
    seen = insert(rows).values(id=note.id, kind=note.kind, gateway_ref=note.object_ref or note.payment_ref, received_at=now)
    if (await session.execute(seen.on_conflict_do_nothing().returning(rows.id))).scalar_one_or_none() is None:
        return None
    found = select(payments.id).where(payments.gateway_ref == note.payment_ref)
    payment_id = (await session.execute(found)).scalar_one_or_none()
    if payment_id is None:
        return None
    if note.kind in _INTENTS:
        state = _INTENTS[note.kind]
        taken = (note.amount_minor or 0) if state is IntentState.SUCCEEDED else 0
        intent = Intent(note.payment_ref, state, taken, note.reason)
        return await payment_answers.record_intent(session, payment_id, intent, now)
    if note.kind in _DISPUTES:
        await _dispute(session, await session.get_one(payments, payment_id, with_for_update=True), note, now)
    elif note.kind in _REFUNDS and note.status in ("failed", "canceled"):
        await _refund_failed(session, note, now)
    return None


async def _dispute(session: AsyncSession, payment: tables.Payment, note: GatewayNote, now: datetime) -> None:
    """A question of the bank (`warning_…`) takes no money."""
    if note.object_ref is None or note.amount_minor is None or (note.status or "").startswith("warning"):
        return
    dispute = await disputes.open_dispute(
        session,
        payment,
        gateway_ref=note.object_ref,
        amount_minor=note.amount_minor,
        reason=note.reason or "unknown",
        now=now,
    )
    if note.kind == "charge.dispute.closed" and note.status in _CLOSED:
        await disputes.close_dispute(session, payment, dispute, _CLOSED[note.status], now=now)


async def _refund_failed(session: AsyncSession, note: GatewayNote, now: datetime) -> None:
    rows = tables.Refund
    found = select(rows.id).where(rows.gateway_ref == note.object_ref)
    refund_id = (await session.execute(found)).scalar_one_or_none()
    if refund_id is not None:
        await refunds.record_failed(session, refund_id, failure=note.reason or "failed", now=now)


async def forget_notes(session: AsyncSession, *, now: datetime) -> int:
    """A batch of those that the gateway will not send again; how many."""
    rows = tables.GatewayEvent
    old = select(rows.id).where(rows.received_at < now - KEPT).order_by(rows.received_at).limit(history.BATCH)
    gone = await session.execute(delete(rows).where(rows.id.in_(old)).returning(rows.id))
    return len(gone.scalars().all())
