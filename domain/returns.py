"""Returns: a ride ends where its vehicle may be left, with a photo that shows it, once the lock has closed."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from math import isfinite
from uuid import UUID

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from domain import (
    errors,
    lock_commands,
    metros,
    photos,
    pricing,
    return_checks,
    search,
    stations,
    tables,
    trip_announcements,
    trip_ends,
    trips,
    zones,
)
from domain.actor import Actor
from domain.ports import LockAnswer
from domain.tables import PhotoPurpose, PhotoState, ReturnRefusal, TripEnd, TripStep
from domain.values import Box, LatLng, Money, VehicleState

#: how far away a station is looked for where the vehicle may be left, and among how many
LOOKED_METERS, LOOKED_AT = 50_000, 50


async def return_vehicle(
    session: AsyncSession,
    who: Actor,
    *,
    trip_id: UUID,
    position: LatLng,
    accuracy_meters: float,
    photo_id: UUID | None,
    accepted_fine: Money | None = None,
    now: datetime,
) -> errors.ReturnRefused | None:
    """Asks the lock to close where the vehicle may be left; the trip ends with its answer. What is refused is returned, not
    raised: the try is written down, and a caller commits it. Raises NotFound, TripClosed, VehicleBusy, InvalidInput."""
    _check(position, accuracy_meters)
    row = await trips.lock_trip(session, who, trip_id)
    trips.must_be_idle(row)
    vehicle = await trip_ends.lock_vehicle(session, row.vehicle_id)
    facts = await _facts(session, row, vehicle, position, accuracy_meters, photo_id, now)
    found = return_checks.refusals(facts)
    tariff = await pricing.get_tariff_version(session, row.tariff_id)
    fine = return_checks.fine_for(found, Money(tariff.wrong_place_fine_minor, tariff.currency))
    session.add(
        tables.ReturnAttempt(
            trip_id=row.id,
            at=now,
            lat=position.lat,
            lon=position.lon,
            accuracy_meters=accuracy_meters,
            refusals=list(found),
        )
    )
    await session.flush()
    if found and (fine is None or accepted_fine != fine):
        return _refused(facts, found, fine)
    if photo_id is not None and photo_id != row.return_photo_id:
        await photos.use_photo(session, who, photo_id, PhotoPurpose.RETURN, now)
    row.return_photo_id = photo_id
    row.accepted_fine_minor = fine.minor_units if fine is not None else None
    station = return_checks.station_at(facts)
    row.end_station_id = None if station is None else station.station.id
    await lock_commands.ask(session, row, TripStep.RETURN, now=now)
    await trip_announcements.announce(session, row)
    return None


def _check(position: LatLng, accuracy_meters: float) -> None:
    issues = []
    if not (-90 <= position.lat <= 90 and -180 <= position.lon <= 180):
        issues.append(errors.Issue("position", "A latitude lies between -90 and 90, a longitude between -180 and 180."))
    if not (isfinite(accuracy_meters) and accuracy_meters >= 0):
        issues.append(errors.Issue("accuracyMeters", "accuracyMeters is 0 or more."))
    if issues:
        raise errors.InvalidInput(issues)


def _refused(facts: return_checks.Facts, found: Sequence[ReturnRefusal], fine: Money | None) -> errors.ReturnRefused:
    message = " ".join(return_checks.SENTENCES[one] for one in found)
    place = return_checks.nearest_legal(facts)
    if place is None:
        return errors.ReturnRefused(message, found, None, None, fine)
    station = None if place.station is None else place.station.station
    return errors.ReturnRefused(message, found, place.position, station, fine)


async def _facts(
    session: AsyncSession,
    row: tables.Trip,
    vehicle: tables.Vehicle,
    position: LatLng,
    accuracy_meters: float,
    photo_id: UUID | None,
    now: datetime,
) -> return_checks.Facts:
    rows = tables.Metro
    box = (await session.execute(select(rows.south, rows.west, rows.north, rows.east).where(rows.id == row.metro_id))).one()
    area = search.Area.around(position, LOOKED_METERS)
    has_said = vehicle.position_at is not None and now - vehicle.position_at <= return_checks.POSITION_KEPT
    has_plug_said = vehicle.plugged_in_at is not None and now - vehicle.plugged_in_at <= return_checks.PLUG_KEPT
    return return_checks.Facts(
        vehicle_type=row.vehicle_type,
        started_at=row.started_at or row.requested_at,
        metro=await metros.get_metro(session, row.metro_id),
        box=Box(*box),
        position=position,
        accuracy_meters=accuracy_meters,
        proof=await _proof(session, row, photo_id),
        vehicle_position=LatLng(vehicle.lat, vehicle.lon) if has_said else None,
        is_unplugged=has_plug_said and vehicle.is_plugged_in is False,
        stations=await stations.find_stations(session, row.metro_id, area, now=now, limit=LOOKED_AT),
        no_parking=await zones.list_no_parking(session, row.metro_id),
    )


async def _proof(session: AsyncSession, row: tables.Trip, photo_id: UUID | None) -> return_checks.Proof | None:
    """A photo of this rider that was uploaded for a return and has proved nothing yet, but this very return."""
    rows = tables.Photo
    own = select(rows).where(
        rows.id == photo_id,
        rows.customer_id == row.customer_id,
        rows.purpose == PhotoPurpose.RETURN,
        rows.state == PhotoState.STORED,
        rows.forget_at.is_(None),
    )
    photo = (await session.execute(own)).scalar_one_or_none()
    if photo is None or (photo.used_at is not None and photo.id != row.return_photo_id):
        return None
    taken_from = None
    if photo.taken_lat is not None and photo.taken_lon is not None:
        taken_from = LatLng(photo.taken_lat, photo.taken_lon)
    return return_checks.Proof(photo.taken_at or photo.stored_at or photo.requested_at, taken_from)


async def locked(session: AsyncSession, row: tables.Trip, vehicle: tables.Vehicle, answer: LockAnswer, *, now: datetime) -> None:
    """The lock has closed. What the vehicle says with that may refuse the return after all."""
    attempt = await _last_attempt(session, row.id)
    found = []
    if answer.is_plugged_in is False and row.end_station_id is not None and not row.vehicle_type.is_micromobility:
        found.append(ReturnRefusal.CHARGER_NOT_PLUGGED_IN)
    place = LatLng(attempt.lat, attempt.lon)
    if return_checks.disagrees(answer.position, place, attempt.accuracy_meters):
        found.append(ReturnRefusal.POSITION_DISAGREES)
    if found:
        await _refuse_late(session, row, attempt, found)
        return
    if vehicle.position_at is not None and now - vehicle.position_at <= return_checks.POSITION_KEPT:
        place = LatLng(vehicle.lat, vehicle.lon)
    ended_at = await trip_ends.meter_stopped_at(session, row, now, stands_at=place)
    left_at = trip_ends.Place(place, row.end_station_id)
    await trip_ends.finish(session, row, TripEnd.RETURNED, ended_at=ended_at, place=left_at, now=now)


async def not_locked(session: AsyncSession, row: tables.Trip) -> None:
    await _refuse_late(session, row, await _last_attempt(session, row.id), [ReturnRefusal.NOT_LOCKED])


async def never_locked(session: AsyncSession, row: tables.Trip, *, now: datetime) -> None:
    """The rider did all there was to do: the trip ends, and staff look at the vehicle."""
    attempt = await _last_attempt(session, row.id)
    place = LatLng(attempt.lat, attempt.lon)
    ended_at = await trip_ends.meter_stopped_at(session, row, now, stands_at=place)
    await trip_ends.finish(
        session,
        row,
        TripEnd.LOCK_SILENT,
        ended_at=ended_at,
        place=trip_ends.Place(place, row.end_station_id),
        vehicle_state=VehicleState.NON_OPERATIONAL,
        now=now,
    )


async def _refuse_late(
    session: AsyncSession, row: tables.Trip, attempt: tables.ReturnAttempt, found: Sequence[ReturnRefusal]
) -> None:
    """The trip goes on. The try counts all the same, should a later one pass here."""
    attempt.refusals = [*attempt.refusals, *found]
    row.awaits = row.awaits_until = row.accepted_fine_minor = row.end_station_id = None
    await session.flush()
    await lock_commands.withdraw(session, row.id)
    await trip_announcements.announce(session, row, refusals=found)


async def _last_attempt(session: AsyncSession, trip_id: UUID) -> tables.ReturnAttempt:
    rows = tables.ReturnAttempt
    last = select(rows).where(rows.trip_id == trip_id).order_by(rows.at.desc(), rows.id.desc()).limit(1)
    return (await session.execute(last)).scalar_one()
