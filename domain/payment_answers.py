"""Payment answers: what the gateway said of a payment, recorded once, whoever heard it and in whatever order.

States only go forward: what is taken stays taken, and a late word of something earlier changes nothing.
"""

from __future__ import annotations

import logging
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from domain import ledger, notifications, payment_claims, payments, receipts, refunds, settlements, tables
from domain.ports import Intent, IntentState
from domain.tables import LedgerAccount, PaymentAsk, PaymentPurpose, PaymentState
from domain.values import NotificationKind

logger = logging.getLogger(__name__)
#: a ride that cannot be paid with a card that is not there
NO_CARD = "no_card"


@dataclass(frozen=True, slots=True)
class Outcome:
    """What was decided about the deposit of a trip: `trips.deposit_decided` goes on with it, in the same transaction."""

    trip_id: UUID
    is_authorized: bool


async def record_intent(session: AsyncSession, payment_id: UUID, intent: Intent, now: datetime) -> Outcome | None:
    """Moves the payment, books what was taken, settles the receipt or makes it a debt, and asks for what is next."""
    payment, receipt = await _lock(session, payment_id)
    if payment is None:
        return None
    payment.gateway_ref = payment.gateway_ref or intent.gateway_ref or None
    payment.updated_at = now
    outcome = None
    if intent.state is IntentState.PROCESSING:
        if payment.asks is not None:
            payment.next_attempt_at = now + payment_claims.pause_after(payment.attempts or 1, payment.id)
    elif intent.state is IntentState.AUTHORIZED:
        outcome = _authorized(payment, now)
    elif intent.state is IntentState.SUCCEEDED:
        await _succeeded(session, payment, receipt, intent, now)
    elif payment.state in payments.OPEN:
        outcome = await _lost(session, payment, receipt, intent, now)
    await session.flush()
    return outcome


async def _lock(session: AsyncSession, payment_id: UUID) -> tuple[tables.Payment | None, tables.Receipt | None]:
    """The trip first: whoever acts on it goes on to its deposit; a reservation before the receipt of its cancellation."""
    rows, trips = tables.Payment, tables.Trip
    trip_id = (await session.execute(select(rows.trip_id).where(rows.id == payment_id))).scalar_one_or_none()
    if trip_id is not None:
        await session.execute(select(trips.id).where(trips.id == trip_id).with_for_update())
    receipt_id = (await session.execute(select(rows.receipt_id).where(rows.id == payment_id))).scalar_one_or_none()
    receipt = None if receipt_id is None else await receipts.lock_receipt(session, receipt_id)
    found = select(rows).where(rows.id == payment_id).with_for_update().execution_options(populate_existing=True)
    return (await session.execute(found)).scalar_one_or_none(), receipt


def _authorized(payment: tables.Payment, now: datetime) -> Outcome | None:
    if payment.state is not PaymentState.PENDING or payment.trip_id is None:
        return None
    payment.state = PaymentState.AUTHORIZED
    if payment.asks is PaymentAsk.AUTHORIZE:
        payment.asks = payment.next_attempt_at = None
        return Outcome(payment.trip_id, is_authorized=True)
    # Given up meanwhile: it goes on to be cancelled.
    payment.next_attempt_at = now
    return None


async def _succeeded(
    session: AsyncSession, payment: tables.Payment, receipt: tables.Receipt | None, intent: Intent, now: datetime
) -> None:
    if payment.state is PaymentState.SUCCEEDED:
        return
    if payment.state not in payments.OPEN:
        logger.error("money came for a payment that was over", extra={"payment": str(payment.id), "state": payment.state})
    taken = intent.captured_minor or payment.captured_minor or payment.amount_minor
    payment.state, payment.captured_minor, payment.failure = PaymentState.SUCCEEDED, min(taken, payment.amount_minor), None
    payment.asks = payment.next_attempt_at = None
    await session.flush()
    await ledger.post(
        session,
        key=f"payment:{payment.id}:captured",
        entries={LedgerAccount.GATEWAY: taken, LedgerAccount.RECEIVABLE: -taken},
        currency=payment.currency,
        customer_id=payment.customer_id,
        receipt_id=payment.receipt_id,
        at=now,
    )
    if receipt is None:
        return
    due = receipt.total_minor - receipt.settled_minor
    await settlements.settle(session, receipt, min(due, taken), now=now)
    if taken > due:
        await refunds.return_surplus(session, payment, receipt, taken - due, now=now)
    # Another try may wait, if this one was taken for lost.
    await payments.ask_for_less(session, receipt, now=now)
    await payments.charge(session, receipt, due_at=now, now=now)


async def _lost(
    session: AsyncSession, payment: tables.Payment, receipt: tables.Receipt | None, intent: Intent, now: datetime
) -> Outcome | None:
    """Refused, or let go."""
    asked, is_declined = payment.asks, intent.state is IntentState.DECLINED
    if asked is PaymentAsk.CAPTURE and is_declined:
        logger.warning("a deposit could not be taken", extra={"payment": str(payment.id), "failure": intent.failure})
    is_failed = is_declined and payment.state is PaymentState.PENDING
    payment.state = PaymentState.FAILED if is_failed else PaymentState.CANCELLED
    payment.failure = (intent.failure or "declined")[:100] if is_declined else None
    payment.captured_minor = 0
    payment.asks = payment.next_attempt_at = None
    await session.flush()
    if payment.purpose is PaymentPurpose.DEPOSIT:
        if receipt is not None:
            await payments.charge(session, receipt, due_at=now, now=now)
        if asked is PaymentAsk.AUTHORIZE and payment.trip_id is not None:
            return Outcome(payment.trip_id, is_authorized=False)
    elif receipt is not None:
        await _owe(session, payment, receipt, now)
    return None


async def _owe(session: AsyncSession, payment: tables.Payment, receipt: tables.Receipt, now: datetime) -> None:
    """A debt from the first refusal on; tried again some times by itself."""
    due = receipt.total_minor - receipt.settled_minor
    if due <= 0:
        return
    receipt.is_overdue = True
    await session.flush()
    failed = await payments.count_failed(session, receipt.id)
    if failed <= len(payments.RETRIES):
        await payments.charge(session, receipt, due_at=now + payments.RETRIES[failed - 1], now=now)
    await notifications.notify(
        session,
        NotificationKind.PAYMENT_FAILED,
        customer_id=receipt.customer_id,
        metro_id=receipt.metro_id,
        facts={
            "receiptId": str(receipt.id),
            "number": receipt.number,
            "dueMinor": due,
            "currency": receipt.currency,
        },
        key=f"payment:{payment.id}:failed",
        now=now,
    )
