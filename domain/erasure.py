"""Erasure: an account ends for good; what is kept for the books stands for nobody."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from uuid import UUID

from sqlalchemy import Select, delete, or_, select, update
from sqlalchemy.ext.asyncio import AsyncSession

from domain import (
    errors,
    fleet,
    history,
    ids,
    notifications,
    payment_methods,
    personal_data,
    personal_rows,
    reservations,
    sessions,
    tables,
)
from domain.actor import Actor
from domain.values import CancelCause, NotificationKind, ReservationState

#: An access token outlives its account for minutes, and a request its token: what they still write is erased after them.
LEFTOVERS = timedelta(hours=2)


class BlockerCode(StrEnum):
    OPEN_TRIP = "open_trip"
    OWED_FEE = "owed_fee"
    OWED_RECEIPT = "owed_receipt"
    LATE_BOOKING = "late_booking"
    OPEN_APPEAL = "open_appeal"
    OPEN_PAYMENT = "open_payment"
    OPEN_DISPUTE = "open_dispute"


@dataclass(frozen=True, slots=True)
class Blocker:
    """What is still open, and how to close it."""

    code: BlockerCode
    message: str
    #: public id of what is open
    id: str


@dataclass(frozen=True, slots=True)
class Account:
    email: str
    language: str
    password_hash: str | None


async def _open_trips(session: AsyncSession, customer_id: UUID, _: datetime) -> list[Blocker]:
    """None begins meanwhile: who unlocks waits for the account."""
    rows = tables.Trip
    ridden = select(rows.id).where(rows.customer_id == customer_id, rows.state.in_(tables.OPEN_TRIP)).order_by(rows.id)
    message = "You are on a trip. Return the vehicle first."
    return [
        Blocker(BlockerCode.OPEN_TRIP, message, ids.encode(ids.TRIP, found))
        for found in (await session.execute(ridden)).scalars()
    ]


async def _owed_fees(session: AsyncSession, customer_id: UUID, _: datetime) -> list[Blocker]:
    rows = tables.Reservation
    owed = select(rows.id).where(
        rows.customer_id == customer_id, rows.cancel_fee_minor.is_not(None), rows.fee_settled_at.is_(None)
    )
    message = "The fee of a booking that was cancelled late is owed. Settle it first."
    return [
        Blocker(BlockerCode.OWED_FEE, message, ids.encode(ids.RESERVATION, found))
        for found in (await session.execute(owed.order_by(rows.id))).scalars()
    ]


async def _owed_receipts(session: AsyncSession, customer_id: UUID, _: datetime) -> list[Blocker]:
    """Of trips: a fee is told of by its reservation."""
    rows = tables.Receipt
    owed = select(rows.id).where(
        rows.customer_id == customer_id, rows.source == tables.ReceiptSource.TRIP, rows.settled_minor < rows.total_minor
    )
    message = "This receipt is not paid yet. Pay it first, or wait until its payment is through."
    return [
        Blocker(BlockerCode.OWED_RECEIPT, message, ids.encode(ids.RECEIPT, found))
        for found in (await session.execute(owed.order_by(rows.id))).scalars()
    ]


async def _late_bookings(session: AsyncSession, customer_id: UUID, now: datetime) -> list[Blocker]:
    """Whose fee nobody escapes by leaving."""
    rows = tables.Reservation
    late = select(rows.id).where(
        rows.customer_id == customer_id,
        rows.state == ReservationState.CONFIRMED,
        rows.cancel_free_until < now,
        rows.late_cancel_minor > 0,
        rows.ends_at > now,
    )
    message = "Cancelling this booking costs a fee now: cancel it yourself, or wait until it is over."
    return [
        Blocker(BlockerCode.LATE_BOOKING, message, ids.encode(ids.RESERVATION, found))
        for found in (await session.execute(late.order_by(rows.id))).scalars()
    ]


async def _open_payments(session: AsyncSession, customer_id: UUID, _: datetime) -> list[Blocker]:
    payments = tables.Payment
    receipts = tables.Receipt
    # What asks for a receipt that is owed is told of by that.
    held = (
        select(payments.id)
        .outerjoin(receipts, payments.receipt_id == receipts.id)
        .where(
            payments.customer_id == customer_id,
            payments.asks.is_not(None),
            or_(receipts.id.is_(None), receipts.settled_minor >= receipts.total_minor),
        )
    )
    back = (
        select(tables.Refund.receipt_id)
        .join(payments, tables.Refund.payment_id == payments.id)
        .where(payments.customer_id == customer_id, tables.Refund.state == tables.RefundState.PENDING)
    )
    code, message = BlockerCode.OPEN_PAYMENT, "Money is on its way from or to your card. Wait until it is there."
    return [
        *(Blocker(code, message, ids.encode(ids.PAYMENT, one)) for one in await _ids(session, held)),
        *(Blocker(code, message, ids.encode(ids.RECEIPT, one)) for one in await _ids(session, back)),
    ]


async def _open_disputes(session: AsyncSession, customer_id: UUID, _: datetime) -> list[Blocker]:
    payments, disputes = tables.Payment, tables.Dispute
    found = (
        select(payments.id)
        .join(disputes, disputes.payment_id == payments.id)
        .where(payments.customer_id == customer_id, disputes.state == tables.DisputeState.OPEN)
    )
    message = "Your bank disputes this payment. Wait until that is decided."
    return [Blocker(BlockerCode.OPEN_DISPUTE, message, ids.encode(ids.PAYMENT, one)) for one in await _ids(session, found)]


async def _open_appeals(session: AsyncSession, customer_id: UUID, _: datetime) -> list[Blocker]:
    """Whoever decides needs what would be erased, and the rider may get money back."""
    rows = tables.Fine
    appealed = select(rows.id).where(rows.customer_id == customer_id, rows.state == tables.FineState.APPEALED)
    message = "Your appeal against this fine is not decided yet. Wait for the decision."
    return [Blocker(BlockerCode.OPEN_APPEAL, message, ids.encode(ids.FINE, one)) for one in await _ids(session, appealed)]


async def _ids(session: AsyncSession, found: Select[UUID]) -> list[UUID]:
    return sorted(set((await session.execute(found)).scalars()))


#: each names what it finds open; an account without any may be erased
BLOCKERS: tuple[Callable[[AsyncSession, UUID, datetime], Awaitable[list[Blocker]]], ...] = (
    _open_trips,
    _owed_fees,
    _owed_receipts,
    _late_bookings,
    _open_appeals,
    _open_payments,
    _open_disputes,
)


async def get_account(session: AsyncSession, who: Actor, *, now: datetime, lock: bool = False) -> Account:
    """Raises SessionEnded: the session is over, and with an erased account all of them are."""
    customers = tables.Customer
    found = select(customers.email, customers.language, customers.password_hash).where(
        customers.id == who.account_id, customers.erased_at.is_(None)
    )
    if lock:
        # Who refers to the account meanwhile does not wait: they might hold what cancelling waits for.
        found = found.with_for_update(key_share=True)
    row = (await session.execute(found)).one_or_none()
    if row is None or await sessions.find_session(session, who, who.session_id, now=now) is None:
        raise errors.SessionEnded
    return Account(*row)


async def erase_account(session: AsyncSession, who: Actor, *, checked: Account, now: datetime) -> None:
    """`checked`: the account as it was when its password was. Reservations that may still be cancelled are. Mails the
    address that was. Raises SessionEnded, InvalidCredentials (changed meanwhile), ErasureBlocked."""
    account = await get_account(session, who, now=now, lock=True)
    if account.password_hash != checked.password_hash or account.email != checked.email:
        raise errors.InvalidCredentials("The account was changed meanwhile. Try again.", path="password")
    await _hold_reservations(session, who.account_id)
    if reasons := [reason for find in BLOCKERS for reason in await find(session, who.account_id, now)]:
        raise errors.ErasureBlocked(reasons)
    await _erase_rows(session, who.account_id, now=now)
    await notifications.notify(
        session,
        NotificationKind.ACCOUNT_ERASED,
        email=account.email,
        language=account.language,
        facts={},
        now=now,
    )


async def _hold_reservations(session: AsyncSession, customer_id: UUID) -> None:
    """None of them begins or is cancelled for a fee between the look for what is open and the commit."""
    rows = tables.Reservation
    unfinished = rows.state.in_((ReservationState.CONFIRMED, ReservationState.STARTED))
    held = select(rows.id).where(rows.customer_id == customer_id, unfinished).order_by(rows.id).with_for_update()
    await session.execute(held)


async def _erase_rows(session: AsyncSession, customer_id: UUID, *, now: datetime) -> None:
    await _cancel_reservations(session, customer_id, now=now)
    await payment_methods.forget_customer(session, customer_id, now=now)
    # Who may write to these topics is gone before they are: children first, and the account, which all refer to, last.
    topics: list[str] = (await session.execute(select(personal_data.topics_of(customer_id)))).scalar_one()
    for entry in reversed(list(personal_data.riders())):
        table, erased = entry.source, entry.erased
        if isinstance(erased, personal_rows.Deleted):
            await session.execute(delete(table).where(entry.of(customer_id)))
        elif isinstance(erased, personal_rows.Changed):
            values = {name: value(table, now) if callable(value) else value for name, value in erased.columns.items()}
            await session.execute(update(table).where(entry.of(customer_id)).values(values))
    for topic in topics:
        await history.erase_topic(session, topic)


async def _cancel_reservations(session: AsyncSession, customer_id: UUID, *, now: datetime) -> None:
    rows = tables.Reservation
    held = select(rows).where(rows.customer_id == customer_id, rows.state == ReservationState.CONFIRMED)
    found = (await session.execute(held.order_by(rows.id).with_for_update())).scalars().all()
    if found:
        await fleet.lock_vehicles(session, {row.vehicle_id for row in found})
    for row in found:
        cause = CancelCause.RIDER
        await reservations.close_reservation(session, row, ReservationState.CANCELLED, now, cancel_cause=cause)


async def list_lately_erased(session: AsyncSession, *, now: datetime) -> list[UUID]:
    """Accounts for which something may still have been written: by a request that was under way, or with an access token
    that had not run out."""
    customers = tables.Customer
    lately = select(customers.id).where(customers.erased_at > now - LEFTOVERS).order_by(customers.erased_at)
    return list((await session.execute(lately)).scalars())


async def erase_leftovers(session: AsyncSession, customer_id: UUID, *, now: datetime) -> None:
    """Of an erased account."""
    await _erase_rows(session, customer_id, now=now)
