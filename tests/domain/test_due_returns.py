"""Riders are told once before their vehicle is due; what never comes back is given up."""

from __future__ import annotations

from datetime import datetime, timedelta

from sqlalchemy import select

from app.database import SessionFactory
from domain import changes, due_returns, tables
from domain.tables import TripEnd, TripState
from domain.values import NotificationKind, VehicleState, VehicleType
from tests import factories
from tests.conftest import FixedClock
from tests.domain import rides
from tests.domain.bookings import HOUR, new_vehicle, notified, reserve, state_of
from tests.domain.conftest import City

MINUTE, SECOND = timedelta(minutes=1), timedelta(seconds=1)


async def warn(sessions: SessionFactory, now: datetime) -> int:
    async with sessions.begin() as session:
        return await due_returns.warn_riders(session, now=now)


async def give_up_lost(sessions: SessionFactory, now: datetime) -> int:
    async with sessions() as session:
        found = await due_returns.list_lost(session, now=now)
    for trip_id in found:
        async with sessions.begin() as session:
            await due_returns.give_up_lost(session, trip_id, now=now)
    return len(found)


async def test_a_booking_that_can_last_longer_says_until_when(
    session_factory: SessionFactory, city: City, clock: FixedClock
) -> None:
    now, car = clock.now(), await new_vehicle(session_factory, city, VehicleType.CAR)
    trip = await rides.ride(session_factory, city.rider, car, now, ends_at=now + 2 * HOUR)
    async with session_factory.begin() as session:
        other = await factories.add_rider(session)
    await reserve(session_factory, other, car, now, starts_at=now + 5 * HOUR, ends_at=now + 6 * HOUR)
    assert [await warn(session_factory, now + 90 * MINUTE + after) for after in (-SECOND, SECOND, MINUTE)] == [0, 1, 0]
    (told,) = await notified(session_factory, city.rider)
    assert told.kind is NotificationKind.RETURN_DUE
    assert told.facts == {
        "tripId": str(trip.id),
        "vehicleType": "car",
        "plate": trip.vehicle.plate,
        "dueAt": (now + 2 * HOUR).isoformat(),
        "extendableUntil": (now + 5 * HOUR).isoformat(),
    }


async def test_an_extension_moves_what_is_due_and_is_told_of_the_trip_too(
    session_factory: SessionFactory, city: City, clock: FixedClock
) -> None:
    now, car = clock.now(), await new_vehicle(session_factory, city, VehicleType.CAR)
    trip = await rides.ride(session_factory, city.rider, car, now, ends_at=now + 2 * HOUR)
    await warn(session_factory, now + 100 * MINUTE)
    until = now + 4 * HOUR
    async with session_factory.begin() as session:
        await changes.extend_reservation(
            session, city.rider, reservation_id=trip.reservation_id, ends_at=until, now=now + 100 * MINUTE
        )
    assert (await rides.read(session_factory, city.rider, trip.id)).due_at == until
    last = (await rides.told(session_factory, f"rider:{city.rider.account_id}"))[-1]
    assert (last["tripId"], last["state"], last["dueAt"]) == (str(trip.id), "in_use", until.isoformat())
    assert await warn(session_factory, now + 110 * MINUTE) == 0
    assert await warn(session_factory, until - MINUTE) == 1


async def test_what_cannot_last_longer_names_what_to_swap_for(
    session_factory: SessionFactory, city: City, clock: FixedClock
) -> None:
    now, bike = clock.now(), await new_vehicle(session_factory, city)
    other = await rides.vehicle_row(session_factory, await new_vehicle(session_factory, city))
    await rides.ride(session_factory, city.rider, bike, now)
    assert await warn(session_factory, now + 12 * HOUR - 30 * MINUTE) == 1
    (told,) = await notified(session_factory, city.rider)
    assert told.facts["dueAt"] == (now + 12 * HOUR).isoformat()
    (instead,) = told.facts["alternatives"]
    assert (instead["publishedVehicleId"], instead["plate"]) == (str(other.published_id), other.plate)


async def test_what_is_a_day_late_is_missing_and_its_meter_stops(
    session_factory: SessionFactory, city: City, clock: FixedClock
) -> None:
    now, bike = clock.now(), await new_vehicle(session_factory, city)
    trip = await rides.ride(session_factory, city.rider, bike, now)
    late = now + 36 * HOUR
    assert [await give_up_lost(session_factory, late - SECOND), await give_up_lost(session_factory, late)] == [0, 1]
    over = await rides.read(session_factory, city.rider, trip.id)
    assert (over.state, over.end_cause, over.ended_at) == (TripState.ENDED, TripEnd.OPERATOR, late)
    assert await state_of(session_factory, bike) is VehicleState.MISSING
    async with session_factory() as session:
        incident = (await session.execute(select(tables.Incident))).scalar_one()
    assert (incident.trip_id, incident.severity) == (trip.id, 2)
