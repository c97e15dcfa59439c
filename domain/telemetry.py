"""Telemetry: what vehicles tell of themselves, kept in their rows and on the track of whoever rides them.

It does not go through the event log: a change is announced only where somebody who looks at the fleet would see one.
"""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime
from typing import Any
from uuid import UUID

import h3
from sqlalchemy import select, update
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncSession

from domain import eventlog, fleet, tables, tracks
from domain.ports import VehicleStatus
from domain.tables import geography
from domain.values import LatLng, VehicleType

#: of a full battery
FULL_RANGE_METERS = {
    VehicleType.SCOOTER_STANDING: 45_000,
    VehicleType.BICYCLE: 70_000,
    VehicleType.CAR: 320_000,
    VehicleType.VAN: 240_000,
}
#: What stands seems to wander by less: its position stays as it was last shown, so that a slow drift adds up to a move.
WANDERING_METERS = 25
#: a charge is announced when it passes a multiple of this
BATTERY_STEP_PERCENT = 5

_VEHICLES, _FIXES = tables.Vehicle, tables.TripPosition
_ridden = (tables.TripState.IN_USE, tables.TripState.PAUSED)


def range_meters(vehicle_type: VehicleType, battery_percent: int) -> int:
    return FULL_RANGE_METERS[vehicle_type] * battery_percent // 100


async def record_status(session: AsyncSession, status: VehicleStatus, *, now: datetime) -> bool:
    """False when the row knows newer things. A clock that is ahead is taken for ours. Raises NotFound.

    The row's `updated_at` is then when the status was true, not when it came: a vehicle whose clock is behind is still heard.
    """
    at = min(status.at, now)
    if status.position is not None and await _jumps(session, status, status.position, at):
        status = replace(status, position=None)
    # Before the vehicle: whoever locks both begins with the trip.
    await _append_to_track(session, status, at, now)
    vehicle = await fleet.get_vehicle(session, fleet.VehicleRef(status.vehicle_id, published=False), lock=True)
    if at <= vehicle.updated_at:
        return False
    told = _told(vehicle, status)
    plugged = {} if status.is_plugged_in is None else {"is_plugged_in": status.is_plugged_in, "plugged_in_at": at}
    placed = {} if status.position is None else {"position_at": at}
    cell = {"h3_cell": _cell(told["lat"], told["lon"])} if "lat" in told else {}
    changed = update(_VEHICLES).where(_VEHICLES.id == vehicle.id).values(**told, **plugged, **placed, **cell, updated_at=at)
    await session.execute(changed)
    is_now = replace(vehicle, **told, updated_at=at)
    if _is_news(vehicle, is_now):
        await eventlog.append_all(session, [fleet.changed(is_now, vehicle.state, vehicle.position)])
    return True


async def _jumps(session: AsyncSession, status: VehicleStatus, position: LatLng, at: datetime) -> bool:
    """Away from where the vehicle itself has said that it was, not from where a phone says so: nobody makes its word doubted by
    inventing positions."""
    own = select(_VEHICLES.lat, _VEHICLES.lon, _VEHICLES.position_at).where(_VEHICLES.id == status.vehicle_id)
    was = (await session.execute(own)).one_or_none()
    if was is None or was.position_at is None or not at - tracks.LOOK_BACK <= was.position_at <= at:
        return False
    before = tracks.Fix(was.position_at, LatLng(was.lat, was.lon), status.accuracy_meters)
    return not tracks.without_jumps([before], [tracks.Fix(at, position, status.accuracy_meters)])


async def _append_to_track(session: AsyncSession, status: VehicleStatus, at: datetime, now: datetime) -> None:
    """How far the trip has gone is measured when its phone records next, and at its end."""
    if status.position is None:
        return
    trip_id = await _find_ridden(session, status.vehicle_id, at)
    if trip_id is None:
        return
    columns = {
        "trip_id": trip_id,
        "at": at,
        "received_at": now,
        "lat": status.position.lat,
        "lon": status.position.lon,
        "accuracy_meters": status.accuracy_meters,
    }
    await session.execute(insert(_FIXES).values(columns).on_conflict_do_nothing())


async def _find_ridden(session: AsyncSession, vehicle_id: UUID, at: datetime) -> UUID | None:
    """Kept from being closed or deleted until the end of the transaction, and nobody else is held up who writes its track."""
    trips = tables.Trip
    found = select(trips.id).where(trips.vehicle_id == vehicle_id, trips.state.in_(_ridden), trips.started_at <= at)
    return (await session.execute(found.with_for_update(read=True, key_share=True))).scalar_one_or_none()


def _told(vehicle: fleet.Vehicle, status: VehicleStatus) -> dict[str, Any]:
    """The columns that the status changes."""
    told: dict[str, Any] = {}
    if status.position is not None and (vehicle.is_ridden or _has_moved(vehicle.position, status.position)):
        told |= {"lat": status.position.lat, "lon": status.position.lon}
    if status.battery_percent is not None:
        told["battery_percent"] = status.battery_percent
        told["current_range_meters"] = range_meters(vehicle.vehicle_type, status.battery_percent)
    if status.odometer_meters is not None:
        told["odometer_meters"] = max(status.odometer_meters, vehicle.odometer_meters)
    return told


def _is_news(was: fleet.Vehicle, now: fleet.Vehicle) -> bool:
    """Of a vehicle that is ridden, the charge alone: where it is, its rider's stream tells."""
    has_moved = not was.is_ridden and was.position != now.position
    return has_moved or was.battery_percent // BATTERY_STEP_PERCENT != now.battery_percent // BATTERY_STEP_PERCENT


def _has_moved(was: LatLng, now: LatLng) -> bool:
    return was.meters_to(now) > WANDERING_METERS


def _cell(lat: float, lon: float) -> int:
    return int(h3.str_to_int(h3.latlng_to_cell(lat, lon, geography.H3_RESOLUTION)))
