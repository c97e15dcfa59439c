"""Retention: for how long rows about riders are kept, and forgetting those that are older."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta
from uuid import UUID

from sqlalchemy import ColumnElement, and_, delete, exists, func, or_, select, tuple_, update
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncSession

from domain import eventlog, history, promotions, tables
from domain.channels import DeliveryState
from domain.tables import ExportState
from domain.tables.reservations import NOBODY
from domain.values import ReservationState

#: what was told to an address without an account is forgotten this long after it was sent
ADDRESSES_KEPT = timedelta(days=1)
#: nothing is sent any more that is older
SENT_WITHIN = timedelta(days=2)
#: conversations in one transaction, each with its rows and its topic
CHATS = 50


async def forget_notifications(session: AsyncSession, *, before: datetime, limit: int = history.BATCH) -> int:
    """What riders were told before an instant, with its deliveries. Fewer than `limit` when no more are due."""
    return await _forget(session, tables.Notification.created_at < before, limit)


async def forget_addresses(session: AsyncSession, *, before: datetime, limit: int = history.BATCH) -> int:
    """What was told to an address, of somebody who has no account or has none any more, and was sent before an instant, or
    cannot be sent any more."""
    rows, deliveries = tables.Notification, tables.Delivery
    at = func.coalesce(deliveries.sent_at, deliveries.created_at)
    lately = exists().where(deliveries.notification_id == rows.id, or_(deliveries.state == DeliveryState.QUEUED, at >= before))
    is_done = and_(rows.planned_at < before, ~lately)
    return await _forget(session, and_(rows.email.is_not(None), or_(is_done, rows.created_at < before - SENT_WITHIN)), limit)


async def _forget(session: AsyncSession, due: ColumnElement[bool], limit: int) -> int:
    rows = tables.Notification
    old = select(rows.id).where(due).order_by(rows.created_at).limit(limit).with_for_update(skip_locked=True)
    return len((await session.execute(delete(rows).where(rows.id.in_(old)).returning(rows.id))).all())


async def forget_exports(session: AsyncSession, *, before: datetime, limit: int = history.BATCH) -> int:
    """That one was asked for, once its archive is gone."""
    rows = tables.Export
    over = (ExportState.EXPIRED, ExportState.FAILED)
    old = select(rows.id).where(rows.requested_at < before, rows.state.in_(over)).order_by(rows.requested_at)
    locked = old.limit(limit).with_for_update(skip_locked=True)
    return len((await session.execute(delete(rows).where(rows.id.in_(locked)).returning(rows.id))).all())


async def forget_tracks(session: AsyncSession, *, before: datetime, limit: int = history.BATCH) -> int:
    """Where trips went."""
    rows = tables.TripPosition
    key = (rows.trip_id, rows.at)
    old = select(*key).where(rows.received_at < before).order_by(rows.received_at).limit(limit).with_for_update(skip_locked=True)
    gone = delete(rows).where(tuple_(*key).in_(old)).returning(rows.at)
    return len((await session.execute(gone)).all())


async def forget_unmet_demand(session: AsyncSession, *, before: datetime, limit: int = history.BATCH) -> int:
    rows = tables.UnmetDemand
    # Metro by metro, as the index goes.
    of_metros = select(rows.id).join(tables.Metro, tables.Metro.id == rows.metro_id)
    old = of_metros.where(rows.hour < before).limit(limit).with_for_update(of=rows, skip_locked=True)
    return len((await session.execute(delete(rows).where(rows.id.in_(old)).returning(rows.id))).all())


async def forget_chats(session: AsyncSession, *, before: datetime, limit: int = CHATS) -> int:
    """Conversations in which nothing was said since an instant, with their topics."""
    chats, turns = tables.Conversation, tables.Turn
    lately = exists().where(turns.conversation_id == chats.id, turns.created_at >= before)
    old = select(chats.id).where(chats.created_at < before, ~lately).order_by(chats.created_at).limit(limit)
    found = (await session.execute(old.with_for_update(skip_locked=True))).scalars().all()
    # Who sends a message locks the conversation first: one that waited for us finds none.
    await session.execute(delete(chats).where(chats.id.in_(found)))
    for conversation_id in found:
        await history.erase_topic(session, eventlog.chat_topic(conversation_id))
    return len(found)


async def forget_riders_of_reservations(session: AsyncSession, *, before: datetime, limit: int = history.BATCH) -> int:
    """Whose reservations and trips were that closed before an instant: the rows stay, and belong to nobody."""
    rows = tables.Reservation
    over = rows.state.not_in((ReservationState.CONFIRMED, ReservationState.STARTED))
    old = select(rows.id).where(rows.closed_at < before, over, rows.customer_id != NOBODY).order_by(rows.closed_at).limit(limit)
    found = (await session.execute(old.with_for_update(skip_locked=True))).scalars().all()
    if found:
        await _add_nobody(session, before)
        nobodys = {"customer_id": NOBODY, "cancel_reason": None}
        await session.execute(update(rows).where(rows.id.in_(found)).values(nobodys))
        trips = tables.Trip
        places = dict.fromkeys(("start_lat", "start_lon", "end_lat", "end_lon", "end_station_id", "end_reason"))
        ridden = update(trips).where(trips.reservation_id.in_(found))
        rides = (await session.execute(ridden.values({"customer_id": NOBODY} | places).returning(trips.id))).scalars().all()
        await _forget_payers(session, reservation_ids=found, trip_ids=rides, at=before)
    return len(found)


async def _forget_payers(
    session: AsyncSession, *, reservation_ids: Sequence[UUID], trip_ids: Sequence[UUID], at: datetime
) -> None:
    """Who was charged for these: the sums stay in the books."""
    rows, payments, sources = tables.Receipt, tables.Payment, tables.ReceiptSource
    of_trips = and_(rows.source == sources.TRIP, rows.trip_id.in_(trip_ids))
    of_fees = and_(rows.source == sources.CANCELLATION, rows.reservation_id.in_(reservation_ids))
    issued = (await session.execute(select(rows.id).where(or_(of_trips, of_fees)))).scalars().all()
    notes = (await session.execute(select(rows.id).where(rows.corrects_id.in_(issued)))).scalars().all()
    found, nobodys = [*issued, *notes], {"customer_id": NOBODY}
    await promotions.hand_over_use(session, found, to=NOBODY, now=at)
    await session.execute(update(rows).where(rows.id.in_(found)).values(nobodys))
    for table in (tables.LedgerTransaction, payments, tables.Fine):
        await session.execute(update(table).where(table.receipt_id.in_(found)).values(nobodys))
    held = and_(payments.purpose == tables.PaymentPurpose.DEPOSIT, payments.trip_id.in_(trip_ids))
    await session.execute(update(payments).where(held).values(nobodys))


async def _add_nobody(session: AsyncSession, at: datetime) -> None:
    nobody = {"id": NOBODY, "email": "nobody@erased.invalid", "name": "", "language": "en", "created_at": at, "erased_at": at}
    await session.execute(insert(tables.Customer).values(nobody).on_conflict_do_nothing())
