"""Emergencies: help is called, the meter stops, the vehicle goes out of service; in every state, and without a trip."""

from __future__ import annotations

from datetime import datetime, timedelta
from uuid import UUID

from sqlalchemy import ColumnElement, func, select
from sqlalchemy.ext.asyncio import AsyncSession

from domain import errors, fleet, incidents, return_checks, tables, trip_ends, trips
from domain.actor import Actor, Audience
from domain.tables import EmergencyKind, TripEnd, TripState
from domain.values import LatLng, VehicleState

#: of incidents: somebody may be in danger
SEVERITY = 1
#: So many vehicles in so long a rider takes out of service without having ridden them: a script must not empty a city.
WOLF_AFTER, WOLF_WITHIN = 3, timedelta(days=1)
#: a vehicle that nobody has now, and that riders could take next
_OFFERED = (VehicleState.AVAILABLE, VehicleState.RESERVED, VehicleState.NON_CONTACTABLE)


async def report_emergency(
    session: AsyncSession,
    who: Actor,
    *,
    trip_id: UUID | None = None,
    vehicle: fleet.VehicleRef | None = None,
    kind: EmergencyKind,
    comment: str | None = None,
    position: LatLng | None = None,
    incident_id: UUID,
    now: datetime,
) -> None:
    """Of a trip, whatever it waits for, or of a vehicle. The rider's own trip with it ends at once; somebody else's ride goes on,
    and staff decide. Raises NotFound, InvalidInput (neither trip nor vehicle)."""
    row = await _lock_trip(session, who, trip_id, vehicle)
    if row is not None:
        vehicle_id, metro_id = row.vehicle_id, row.metro_id
    elif vehicle is not None:
        found = await fleet.get_vehicle(session, vehicle)
        vehicle_id, metro_id = found.id, found.metro_id
        who.require_metro(metro_id)
    else:
        raise errors.InvalidInput.of("vehicleId", "Name the trip or the vehicle.")
    ridden = await _ridden(session, row)
    if ridden is not None:
        await _stop(session, who, ridden, position, now)
    elif not await _cries_wolf(session, who, now):
        await _withdraw(session, vehicle_id, now)
    is_rider = who.audience is Audience.CUSTOMER
    await incidents.raise_incident(
        session,
        metro_id=metro_id,
        vehicle_id=vehicle_id,
        trip_id=row.id if row is not None and (not is_rider or row.customer_id == who.account_id) else None,
        customer_id=who.account_id if is_rider else None,
        kind=kind,
        severity=SEVERITY,
        comment=comment,
        position=position,
        incident_id=incident_id,
        now=now,
    )


async def _lock_trip(
    session: AsyncSession, who: Actor, trip_id: UUID | None, vehicle: fleet.VehicleRef | None
) -> tables.Trip | None:
    """The trip that was named, else the open one with the vehicle, whoever's it is."""
    if trip_id is not None:
        return await trips.lock_trip(session, who, trip_id)
    if vehicle is None:
        return None
    rows, vehicles = tables.Trip, tables.Vehicle
    named: ColumnElement[bool] = vehicles.id == vehicle.id
    if vehicle.published:
        # The rider of a trip knows it by the id that it had at the start; everybody else by the one of now.
        named = (vehicles.published_id == vehicle.id) | (
            (rows.published_vehicle_id == vehicle.id) & (rows.customer_id == who.account_id)
        )
    return await _lock_open(session, named)


async def _ridden(session: AsyncSession, row: tables.Trip | None) -> tables.Trip | None:
    """The open trip; of a ride that is over the one that somebody else is about to begin with its vehicle."""
    if row is None or row.state in tables.OPEN_TRIP:
        return row
    return await _lock_open(session, tables.Trip.vehicle_id == row.vehicle_id)


async def _lock_open(session: AsyncSession, named: ColumnElement[bool]) -> tables.Trip | None:
    rows, vehicles = tables.Trip, tables.Vehicle
    open_one = select(rows.id).join(vehicles, vehicles.id == rows.vehicle_id).where(named, rows.state.in_(tables.OPEN_TRIP))
    found = (await session.execute(open_one.limit(1))).scalar_one_or_none()
    return None if found is None else await trips.lock_row(session, found)


async def _stop(session: AsyncSession, who: Actor, row: tables.Trip, position: LatLng | None, now: datetime) -> None:
    if row.state is TripState.PREPARING:
        # Before the reservation is closed: the vehicle is not available in between.
        await trip_ends.lock_reservation(session, row)
        vehicle = await trip_ends.lock_vehicle(session, row.vehicle_id)
        await trip_ends.set_vehicle(session, vehicle, VehicleState.NON_OPERATIONAL, now=now)
        await trip_ends.give_up(session, row, TripEnd.EMERGENCY, now=now)
        return
    if who.audience is Audience.CUSTOMER and row.customer_id != who.account_id:
        return
    state = VehicleState.NON_OPERATIONAL
    ended_at = await trip_ends.meter_stopped_at(session, row, now)
    place = None if position is None or await _says_where_it_is(session, row.vehicle_id, now) else trip_ends.Place(position)
    await trip_ends.finish(session, row, TripEnd.EMERGENCY, ended_at=ended_at, place=place, vehicle_state=state, now=now)


async def _says_where_it_is(session: AsyncSession, vehicle_id: UUID, now: datetime) -> bool:
    """Then staff look for it there, wherever the phone says that its rider is."""
    said_at = (await session.execute(select(tables.Vehicle.position_at).where(tables.Vehicle.id == vehicle_id))).scalar_one()
    return said_at is not None and now - said_at <= return_checks.POSITION_KEPT


async def _cries_wolf(session: AsyncSession, who: Actor, now: datetime) -> bool:
    """Whether somebody has called for help for several vehicles already that they did not ride. Staff are called all the same."""
    rows = tables.Incident
    strange = (
        select(func.count())
        .select_from(rows)
        .where(rows.customer_id == who.account_id, rows.trip_id.is_(None), rows.reported_at > now - WOLF_WITHIN)
    )
    return who.audience is Audience.CUSTOMER and (await session.execute(strange)).scalar_one() >= WOLF_AFTER


async def _withdraw(session: AsyncSession, vehicle_id: UUID, now: datetime) -> None:
    """Who reserved it is told by the next sweep."""
    vehicle = await trip_ends.lock_vehicle(session, vehicle_id)
    if vehicle.state in _OFFERED:
        await trip_ends.set_vehicle(session, vehicle, VehicleState.NON_OPERATIONAL, now=now)
