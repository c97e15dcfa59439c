"""Withdrawals: reservations of vehicles that cannot serve them any more end with the vehicle's service."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import ColumnElement, and_, or_, select
from sqlalchemy.dialects.postgresql import Range
from sqlalchemy.ext.asyncio import AsyncSession

from domain import announcements, fleet, notifications, quotes, reservations, tables
from domain.values import OUT_OF_SERVICE, CancelCause, NotificationKind, ReservationState, TimeWindow, VehicleState

_VEHICLES = tables.Vehicle
_ROWS = tables.Reservation
_CONFIRMED = _ROWS.state == ReservationState.CONFIRMED


def _is_withdrawn(now: datetime) -> ColumnElement[bool]:
    """A vehicle out of service serves nobody, today or in a week: riders shall hear of it while there is time. One that does
    not answer may answer again by the time somebody comes for it."""
    return or_(
        _VEHICLES.state.in_(OUT_OF_SERVICE),
        and_(_VEHICLES.state == VehicleState.NON_CONTACTABLE, _ROWS.starts_at <= now),
    )


async def lock_reservations(session: AsyncSession, ref: fleet.VehicleRef) -> Sequence[tables.Reservation]:
    """Those that a vehicle has, before the vehicle itself is locked, as everybody does who wants both."""
    name = _VEHICLES.published_id if ref.published else _VEHICLES.id
    vehicle_id = select(_VEHICLES.id).where(name == ref.id).scalar_subquery()
    found = select(_ROWS).where(_ROWS.vehicle_id == vehicle_id, _CONFIRMED).order_by(_ROWS.id).with_for_update()
    return (await session.execute(found)).scalars().all()


async def withdraw_reservations(
    session: AsyncSession, vehicle: fleet.Vehicle, rows: Sequence[tables.Reservation], *, now: datetime
) -> int:
    """Cancels what a vehicle that the transaction has locked cannot serve, at no cost, and tells the riders what else is free.
    `rows`: what was locked before it. One that was made meanwhile is left to the next sweep: it would be told of before it."""
    return await _withdraw(session, rows, {vehicle.id: vehicle}, now)


async def sweep_withdrawn(session: AsyncSession, *, now: datetime, limit: int = 100) -> int:
    """Whatever road a vehicle went out of service by: none of its reservations outlives it for long."""
    found = (
        select(_ROWS)
        .join(_VEHICLES, _VEHICLES.id == _ROWS.vehicle_id)
        .where(_CONFIRMED, _is_withdrawn(now))
        .order_by(_ROWS.id)
        .limit(limit)
        .with_for_update(of=_ROWS, skip_locked=True)
    )
    rows = (await session.execute(found)).scalars().all()
    if not rows:
        return 0
    vehicles = await fleet.lock_vehicles(session, {row.vehicle_id for row in rows})
    return await _withdraw(session, rows, vehicles, now)


async def _withdraw(
    session: AsyncSession, rows: Sequence[tables.Reservation], vehicles: dict[UUID, fleet.Vehicle], now: datetime
) -> int:
    gone = (*OUT_OF_SERVICE, VehicleState.NON_CONTACTABLE)
    # A vehicle may have come back while its lock was waited for, and the rider have moved to another.
    rows = [row for row in rows if row.vehicle_id in vehicles and vehicles[row.vehicle_id].state in gone]
    for row in rows:
        vehicle, asked = vehicles[row.vehicle_id], row.blocked
        cause = CancelCause.VEHICLE_WITHDRAWN
        await reservations.close_reservation(session, row, ReservationState.CANCELLED, now, cancel_cause=cause)
        alternatives = await _find_alternatives(session, vehicle, asked, now)
        await notifications.notify(
            session,
            NotificationKind.VEHICLE_WITHDRAWN,
            customer_id=row.customer_id,
            metro_id=row.metro_id,
            facts=announcements.facts(row, vehicle.plate) | {"alternatives": alternatives},
            key=f"reservation:{row.id}:withdrawn",
            now=now,
        )
    return len(rows)


async def _find_alternatives(
    session: AsyncSession, vehicle: fleet.Vehicle, asked: Range[datetime], now: datetime
) -> list[dict[str, Any]]:
    """What is free for what is left of the time, as notifications tell it."""
    window = TimeWindow(max(now, asked.lower or now), asked.upper or now)
    if window.starts_at >= window.ends_at:
        return []
    return [
        {"publishedVehicleId": str(each.published_id), "plate": each.plate, "distanceMeters": round(each.distance_meters or 0)}
        for each in await quotes.find_free_instead(session, vehicle, window, now=now)
    ]
