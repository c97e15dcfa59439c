"""Trip ends: what becomes of the vehicle, the reservation and the money when a trip is over, or never began."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from uuid import UUID

import h3
from sqlalchemy import delete, exists, or_, select, update
from sqlalchemy.ext.asyncio import AsyncSession

from domain import (
    announcements,
    deposits,
    eventlog,
    fleet,
    ids,
    lock_commands,
    metros,
    reservations,
    return_checks,
    support_tickets,
    tables,
    trip_announcements,
    trip_charges,
    trip_distances,
)
from domain.tables import TripEnd, TripState, TripStep
from domain.tables.geography import H3_RESOLUTION
from domain.values import CancelCause, LatLng, ReservationState, VehicleState

#: A vehicle that comes back with less is not offered to the next rider.
LOWEST_BATTERY_PERCENT = 10
#: how long a hold lasts at least after its unlocking failed: the rider stands there and tries again
TRY_AGAIN = timedelta(minutes=2)

_pauses = tables.TripPause


async def lock_reservation(session: AsyncSession, row: tables.Trip) -> tables.Reservation:
    """After the trip, before the vehicle."""
    found = select(tables.Reservation).where(tables.Reservation.id == row.reservation_id)
    locked = found.with_for_update().execution_options(populate_existing=True)
    return (await session.execute(locked)).scalar_one()


async def lock_vehicle(session: AsyncSession, vehicle_id: UUID) -> tables.Vehicle:
    found = select(tables.Vehicle).where(tables.Vehicle.id == vehicle_id)
    locked = found.with_for_update().execution_options(populate_existing=True)
    return (await session.execute(locked)).scalar_one()


async def set_vehicle(session: AsyncSession, vehicle: tables.Vehicle, state: VehicleState, *, now: datetime) -> None:
    """And tells of it, if it is news."""
    was = vehicle.state
    vehicle.state, vehicle.updated_at = state, now
    await session.flush()
    if state is not was:
        await eventlog.append_all(session, [fleet.changed(vehicle, was)])


async def give_up(session: AsyncSession, row: tables.Trip, cause: TripEnd, *, now: datetime) -> None:
    """A trip that never began: nothing is charged. Its hold or booking waits on; one that was made for it is cancelled."""
    reservation = await lock_reservation(session, row)
    row.state, row.end_cause, row.closed_at = TripState.CANCELLED, cause, now
    row.awaits = row.awaits_until = None
    await session.flush()
    await lock_commands.withdraw(session, row.id)
    if row.is_walk_up:
        doing = CancelCause.RIDER if cause is TripEnd.RIDER else CancelCause.UNLOCK_FAILED
        await reservations.close_reservation(session, reservation, ReservationState.CANCELLED, now, cancel_cause=doing)
    else:
        await _wait_on(session, reservation, cause, now)
    await deposits.let_go(session, row.id, now)
    await trip_announcements.announce(session, row)


async def _wait_on(session: AsyncSession, reservation: tables.Reservation, cause: TripEnd, now: datetime) -> None:
    """What time has overtaken meanwhile, the next sweep ends as any other."""
    vehicle = await lock_vehicle(session, reservation.vehicle_id)
    reservation.state = ReservationState.CONFIRMED
    if reservation.lapses_at is not None and cause is not TripEnd.RIDER:
        reservation.lapses_at = max(reservation.lapses_at, now + TRY_AGAIN)
    await session.flush()
    await eventlog.append_all(session, announcements.drafts(reservation, vehicle.plate, "changed"))


@dataclass(frozen=True, slots=True)
class Place:
    """Where a vehicle was left."""

    position: LatLng
    station_id: UUID | None = None


async def finish(
    session: AsyncSession,
    row: tables.Trip,
    cause: TripEnd,
    *,
    ended_at: datetime,
    place: Place | None = None,
    vehicle_state: VehicleState | None = None,
    now: datetime,
) -> None:
    """A ride that is over, in one step with its vehicle, its reservation and what is charged to `ended_at`. `vehicle_state`:
    None = whoever comes next may have it, if nothing speaks against that. `place`: None = it stands where it was last seen."""
    reservation = await lock_reservation(session, row)
    vehicle = await lock_vehicle(session, row.vehicle_id)
    was, was_at = vehicle.state, LatLng(vehicle.lat, vehicle.lon)
    # A clock that was set back ends nothing before it began.
    ended_at = max(ended_at, row.started_at or ended_at)
    await _close_pauses(session, row.id, ended_at)
    row.state, row.end_cause, row.ended_at, row.closed_at = TripState.ENDED, cause, ended_at, now
    row.awaits = row.awaits_until = row.paused_at = None
    place = place or Place(was_at)
    row.end_lat, row.end_lon, row.end_station_id = place.position.lat, place.position.lon, place.station_id
    row.end_battery_percent = vehicle.battery_percent
    await session.flush()
    row.distance_meters = await trip_distances.measure(session, row.id)
    await lock_commands.withdraw(session, row.id)
    await reservations.close_reservation(session, reservation, ReservationState.ENDED, now)
    vehicle.state = vehicle_state or await state_for_next(session, vehicle, now)
    vehicle.published_id = ids.new()
    vehicle.station_id, vehicle.lat, vehicle.lon = place.station_id, place.position.lat, place.position.lon
    vehicle.h3_cell = h3.str_to_int(h3.latlng_to_cell(vehicle.lat, vehicle.lon, H3_RESOLUTION))
    vehicle.updated_at = now
    await session.flush()
    await eventlog.append_all(session, [fleet.changed(vehicle, was, was_at)])
    await trip_charges.charge_trip(session, row, reservation, now=now)
    await trip_announcements.announce(session, row)


async def meter_stopped_at(
    session: AsyncSession, row: tables.Trip, now: datetime, *, stands_at: LatLng | None = None
) -> datetime:
    """To when a trip is charged that ends now: of one whose return was accepted, to the first try at it."""
    if row.awaits is not TripStep.RETURN:
        return now
    metro = await metros.get_metro(session, row.metro_id)
    settle = timedelta(minutes=metro.return_settle_minutes)
    rows, track = tables.ReturnAttempt, tables.TripPosition
    tries = select(rows.at, rows.lat, rows.lon).where(rows.trip_id == row.id).order_by(rows.at, rows.id)
    attempts = [return_checks.Attempt(at, LatLng(lat, lon)) for at, lat, lon in await session.execute(tries)]
    passed = attempts[-1]
    sharp = track.accuracy_meters <= metro.return_accuracy_meters
    between = select(track.at, track.lat, track.lon).where(
        track.trip_id == row.id, track.at > passed.at - settle, track.at <= passed.at, sharp
    )
    fixes = [return_checks.Attempt(at, LatLng(lat, lon)) for at, lat, lon in await session.execute(between)]
    return return_checks.meter_stops_at(attempts, settle=settle, stands_at=stands_at or passed.position, fixes=fixes)


async def _close_pauses(session: AsyncSession, trip_id: UUID, ended_at: datetime) -> None:
    """None reaches beyond the end, which may lie before the return was accepted."""
    of_trip = _pauses.trip_id == trip_id
    await session.execute(delete(_pauses).where(of_trip, _pauses.started_at >= ended_at))
    beyond = or_(_pauses.ended_at.is_(None), _pauses.ended_at > ended_at)
    await session.execute(update(_pauses).where(of_trip, beyond).values(ended_at=ended_at))


async def state_for_next(session: AsyncSession, vehicle: tables.Vehicle, now: datetime) -> VehicleState:
    incidents = tables.Incident
    is_faulty = support_tickets.has_withdrawn(vehicle.id)
    is_dangerous = exists().where(incidents.vehicle_id == vehicle.id, incidents.resolved_at.is_(None), incidents.severity == 1)
    if vehicle.battery_percent < LOWEST_BATTERY_PERCENT or (await session.execute(select(is_faulty | is_dangerous))).scalar_one():
        return VehicleState.NON_OPERATIONAL
    return VehicleState.RESERVED if await reservations.holds_now(session, vehicle.id, now) else VehicleState.AVAILABLE
