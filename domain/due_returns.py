"""Due returns: riders are told in time, once, with what they can do; what never comes back is given up."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from sqlalchemy import BigInteger, ColumnElement, DateTime, Select, cast, extract, func, select
from sqlalchemy.ext.asyncio import AsyncSession

from domain import changes, fleet, ids, incidents, metros, notifications, quotes, tables, trip_ends, trips
from domain.tables import EmergencyKind, TripEnd, TripState
from domain.values import NotificationKind, TimeWindow, VehicleState

BATCH = 100
#: how long after it was due a vehicle is taken for lost
LOST_AFTER = timedelta(hours=24)
#: for how long a vehicle to swap for should be free
SWAPPED_FOR = timedelta(hours=1)
LOST_SEVERITY = 2

_rows = tables.Trip
_ridden = _rows.state.in_((TripState.IN_USE, TripState.PAUSED))
_hours = func.make_interval(0, 0, 0, 0, tables.Metro.ride_max_hours)
#: as `trip_announcements.due_at`
_due: ColumnElement[datetime] = cast(
    func.coalesce(tables.Reservation.ends_at, _rows.started_at + _hours), DateTime(timezone=True)
)


def _ridden_trips(*columns: Any) -> Select[Any]:
    return (
        select(_rows.id, *columns)
        .join(tables.Reservation, tables.Reservation.id == _rows.reservation_id)
        .join(tables.Metro, tables.Metro.id == _rows.metro_id)
        .where(_ridden)
    )


async def warn_riders(session: AsyncSession, *, now: datetime, limit: int = BATCH) -> int:
    """Of each end once: who has a booking extended is told of the new one in time as well. Fewer than `limit` when no more are
    due."""
    key = func.concat("trip:", _rows.id, ":due:", cast(func.floor(extract("epoch", _due)), BigInteger))
    is_told = select(tables.Notification.id).where(tables.Notification.key == key).exists()
    warning = func.make_interval(0, 0, 0, 0, 0, tables.Metro.return_warning_minutes)
    query = _ridden_trips(_due.label("due")).where(_due - warning <= now, _due > now, ~is_told)
    found = (await session.execute(query.order_by(_rows.id).limit(limit))).all()
    for trip_id, due in found:
        await _warn(session, trip_id, due, now)
    return len(found)


async def _warn(session: AsyncSession, trip_id: UUID, due: datetime, now: datetime) -> None:
    row = await session.get_one(_rows, trip_id)
    vehicle = await fleet.get_vehicle(session, fleet.VehicleRef(row.vehicle_id, published=False))
    facts: dict[str, Any] = {
        "tripId": str(row.id),
        "vehicleType": row.vehicle_type,
        "plate": vehicle.plate,
        "dueAt": due.isoformat(),
    }
    until = None
    if not row.vehicle_type.is_micromobility:
        reservation = await session.get_one(tables.Reservation, row.reservation_id)
        until = await changes.free_until(session, reservation, await metros.get_metro(session, row.metro_id))
    if until is not None and until > due:
        facts["extendableUntil"] = until.isoformat()
    else:
        window = TimeWindow(due, due + SWAPPED_FOR)
        facts["alternatives"] = [
            {"publishedVehicleId": str(one.published_id), "plate": one.plate, "distanceMeters": round(one.distance_meters or 0)}
            for one in await quotes.find_free_instead(session, vehicle, window, now=now)
        ]
    await notifications.notify(
        session,
        NotificationKind.RETURN_DUE,
        customer_id=row.customer_id,
        metro_id=row.metro_id,
        facts=facts,
        key=f"trip:{row.id}:due:{int(due.timestamp())}",
        now=now,
    )


def _lost(now: datetime) -> Select[Any]:
    return _ridden_trips().where(_due <= now - LOST_AFTER, _rows.awaits.is_(None))


async def list_lost(session: AsyncSession, *, now: datetime, limit: int = BATCH) -> Sequence[UUID]:
    """Trips that are open long after their vehicle was due."""
    query = _lost(now)
    return list((await session.execute(query.order_by(_rows.id).limit(limit))).scalars())


async def give_up_lost(session: AsyncSession, trip_id: UUID, *, now: datetime) -> None:
    """The meter does not run for ever: the trip ends, the vehicle is missing, and staff go and look for it."""
    row = await trips.lock_row(session, trip_id)
    if row is None or (await session.execute(_lost(now).where(_rows.id == trip_id))).one_or_none() is None:
        return
    row.end_reason = "It was not returned within a day after it was due."
    await trip_ends.finish(session, row, TripEnd.OPERATOR, ended_at=now, vehicle_state=VehicleState.MISSING, now=now)
    await incidents.raise_incident(
        session,
        metro_id=row.metro_id,
        vehicle_id=row.vehicle_id,
        trip_id=row.id,
        customer_id=row.customer_id,
        kind=EmergencyKind.OTHER,
        severity=LOST_SEVERITY,
        comment=row.end_reason,
        position=None,
        incident_id=ids.new(),
        now=now,
    )
