"""Trip announcements: what is told of a trip, live."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import Integer, cast, extract, func, select
from sqlalchemy.ext.asyncio import AsyncSession

from domain import eventlog, tables

KIND = "trip.changed"

_pauses, _receipts = tables.TripPause, tables.Receipt


def due_at(started_at: datetime | None, booked_until: datetime | None, ride_max_hours: int) -> datetime | None:
    """When the vehicle has to be back. None: nobody rides it yet, and no booking says so."""
    if booked_until is not None:
        return booked_until
    return None if started_at is None else started_at + timedelta(hours=ride_max_hours)


async def announce(session: AsyncSession, row: tables.Trip, *, refusals: Sequence[tables.ReturnRefusal] = ()) -> None:
    """Writes what the transaction has made of a trip that it has locked, and tells both sides of it. `refusals`: of a return
    that was refused after it had been accepted."""
    await session.flush()
    await eventlog.append_all(session, drafts(row, await _beside(session, row), refusals))


async def _beside(session: AsyncSession, row: tables.Trip) -> Any:
    """What is told of a trip and is in other rows."""
    paused = func.coalesce(func.sum(extract("epoch", _pauses.ended_at - _pauses.started_at)), 0)
    found = (
        select(
            tables.Vehicle.plate,
            tables.Reservation.ends_at,
            tables.Metro.ride_max_hours,
            select(cast(func.floor(paused), Integer)).where(_pauses.trip_id == row.id).scalar_subquery().label("paused_seconds"),
            select(_receipts.id)
            .where(_receipts.trip_id == row.id, _receipts.source == tables.ReceiptSource.TRIP)
            .scalar_subquery()
            .label("receipt_id"),
        )
        .select_from(tables.Trip)
        .join(tables.Vehicle, tables.Vehicle.id == tables.Trip.vehicle_id)
        .join(tables.Reservation, tables.Reservation.id == tables.Trip.reservation_id)
        .join(tables.Metro, tables.Metro.id == tables.Trip.metro_id)
        .where(tables.Trip.id == row.id)
    )
    return (await session.execute(found)).one()


def drafts(row: tables.Trip, beside: Any, refusals: Sequence[tables.ReturnRefusal] = ()) -> list[eventlog.Draft]:
    """One change, told twice: to dispatch, and to the rider without what only staff see."""
    due = due_at(row.started_at, beside.ends_at, beside.ride_max_hours)
    shared = {
        "tripId": str(row.id),
        "reservationId": str(row.reservation_id),
        "vehicleType": row.vehicle_type,
        "state": row.state,
        "awaits": row.awaits,
        "startedAt": _text(row.started_at),
        "pausedAt": _text(row.paused_at),
        "pausedSeconds": beside.paused_seconds,
        "endedAt": _text(row.ended_at),
        "endCause": row.end_cause,
        "dueAt": _text(due),
        "tariffId": str(row.tariff_id),
        "receiptId": None if beside.receipt_id is None else str(beside.receipt_id),
        "refusals": list(refusals),
    }
    for_dispatch = {"customerId": str(row.customer_id), "vehicleId": str(row.vehicle_id), "plate": beside.plate}
    for_rider = {"publishedVehicleId": str(row.published_vehicle_id)}
    return [
        (eventlog.dispatch_topic(row.metro_id), KIND, shared | for_dispatch),
        (eventlog.rider_topic(row.customer_id), KIND, shared | for_rider),
    ]


def _text(instant: datetime | None) -> str | None:
    return None if instant is None else instant.isoformat()
