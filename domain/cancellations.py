"""Cancellations: giving reservations up, free until a limit, then for a fee that was shown before."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncSession

from domain import (
    announcements,
    errors,
    ledger,
    notifications,
    payments,
    pricing,
    receipts,
    refunds,
    reservations,
    settlements,
    tables,
)
from domain.actor import Actor, Audience
from domain.tables import LedgerAccount
from domain.values import CancelCause, FeeSettlement, Money, NotificationKind, ReservationState, is_storable

MAX_REASON_LENGTH = 500


@dataclass(frozen=True, slots=True)
class Terms:
    """What giving a reservation up would mean for its rider at an instant."""

    #: that instant included
    free_until: datetime | None
    #: 0 while it is free
    fee: Money


def terms_of(row: reservations.Reservation | tables.Reservation, now: datetime) -> Terms | None:
    """None for what cannot be cancelled: begun, closed, or overtaken by time though no sweep has seen it yet."""
    if row.state is not ReservationState.CONFIRMED or is_over(row, now):
        return None
    free_until = row.cancel_free_until or row.lapses_at
    is_late = row.cancel_free_until is not None and now > row.cancel_free_until
    return Terms(free_until, Money(row.late_cancel_minor if is_late else 0, row.currency))


def is_over(row: reservations.Reservation | tables.Reservation, now: datetime) -> bool:
    """A hold lapses and a booking ends at that instant, not when a sweep comes by."""
    over_at = row.lapses_at or row.ends_at
    return over_at is not None and over_at <= now


async def cancel_reservation(
    session: AsyncSession,
    who: Actor,
    *,
    reservation_id: UUID,
    reason: str | None = None,
    accepted_fee: Money | None = None,
    now: datetime,
) -> UUID:
    """Frees the vehicle. Riders their own, for exactly the fee that they accepted, if one applies; staff any of their metros,
    for nothing and with a reason, which the rider is told.

    Raises NotFound, ReservationClosed, CancellationFee, InvalidInput.
    """
    if reason is not None and not (1 <= len(reason.strip()) <= MAX_REASON_LENGTH and is_storable(reason)):
        raise errors.InvalidInput.of("reason", f"A reason has 1 to {MAX_REASON_LENGTH} characters.")
    row = await reservations.lock_reservation(session, who, reservation_id)
    terms = terms_of(row, now)
    if terms is None:
        over = "over" if row.state is ReservationState.CONFIRMED else row.state
        raise errors.ReservationClosed(f"The reservation is {over} and cannot be cancelled.", path="reservationId")
    by_rider = who.audience is Audience.CUSTOMER
    if by_rider:
        _must_be_accepted(terms, accepted_fee)
    vehicle = await reservations.close_reservation(
        session,
        row,
        ReservationState.CANCELLED,
        now,
        cancel_cause=CancelCause.RIDER if by_rider else CancelCause.OPERATOR,
        cancel_reason=reason,
        cancel_fee_minor=(terms.fee.minor_units or None) if by_rider else None,
    )
    if row.cancel_fee_minor is not None:
        tariff = await pricing.get_tariff_version(session, row.tariff_id)
        receipt = await receipts.issue_cancellation_receipt(session, reservation=row, tariff=tariff, now=now)
        await payments.collect(session, receipt, now)
    if not by_rider:
        await notifications.notify(
            session,
            NotificationKind.RESERVATION_CANCELLED,
            customer_id=row.customer_id,
            metro_id=row.metro_id,
            facts=announcements.facts(row, vehicle.plate) | {"reason": reason},
            key=f"reservation:{row.id}:cancelled",
            now=now,
        )
    return row.id


def _must_be_accepted(terms: Terms, accepted: Money | None) -> None:
    """Nobody pays more or other than what was shown, and nobody finds out afterwards."""
    if (accepted or Money(0, terms.fee.currency)) == terms.fee:
        return
    if not terms.fee.minor_units:
        message = "Cancelling is free now: leave acceptedFee out."
    elif accepted is None:
        message = "Cancelling is not free any more. Show the fee, then repeat the act with exactly it as acceptedFee."
    else:
        message = "The fee is another than the one that was accepted. Show it, then repeat the act with exactly it."
    raise errors.CancellationFee(message, fee=terms.fee, free_until=terms.free_until)


async def settle_cancellation_fee(
    session: AsyncSession, who: Actor, *, reservation_id: UUID, settlement: FeeSettlement, now: datetime
) -> None:
    """Notes that a fee is no debt any more: it was paid elsewhere, or it is given back. Raises NotFound, InvalidInput (none is
    owed), ReservationClosed (settled before)."""
    row = await reservations.lock_reservation(session, who, reservation_id)
    if row.cancel_fee_minor is None:
        raise errors.InvalidInput.of("reservationId", "No fee is owed for this reservation.")
    if row.fee_settled_at is not None:
        raise errors.ReservationClosed(
            f"The fee was {row.fee_settlement} on {row.fee_settled_at:%Y-%m-%dT%H:%M:%SZ}; nothing is owed.", path="reservationId"
        )
    row.fee_settlement = settlement
    row.fee_settled_at = now
    await session.flush()
    receipt = await receipts.lock_cancellation_receipt(session, row.id)
    if receipt is not None and settlement is FeeSettlement.PAID:
        await _note_paid_elsewhere(session, receipt, now)
    elif receipt is not None:
        note = await receipts.issue_credit_note(session, receipt=receipt, now=now)
        await refunds.refund(session, credit_note=note, now=now)


async def _note_paid_elsewhere(session: AsyncSession, receipt: tables.Receipt, now: datetime) -> None:
    """What was not asked for yet is not asked for any more. Raises ReservationClosed: it might be paid twice."""
    waiting = await payments.find_open(session, receipt.id)
    if waiting is not None and waiting.attempts > 0:
        raise errors.ReservationClosed("The rider's card is being charged. Wait until that is decided.", path="reservationId")
    due = receipt.total_minor - receipt.settled_minor
    await ledger.post(
        session,
        key=f"receipt:{receipt.id}:outside",
        entries={LedgerAccount.OUTSIDE: due, LedgerAccount.RECEIVABLE: -due},
        currency=receipt.currency,
        customer_id=receipt.customer_id,
        receipt_id=receipt.id,
        at=now,
    )
    await settlements.settle(session, receipt, due, now=now)
    await payments.ask_for_less(session, receipt, now=now)
