"""Help can be called in every state, and without a trip."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

import pytest
from sqlalchemy import select, update

from app.database import SessionFactory
from domain import emergencies, errors, fleet, ids, tables
from domain.actor import Actor
from domain.tables import EmergencyKind, LockPurpose, TripEnd, TripState, TripStep
from domain.values import LatLng, ReservationState, VehicleState
from tests import factories
from tests.conftest import FixedClock
from tests.domain import rides
from tests.domain.bookings import new_vehicle, reserve, state_of
from tests.domain.conftest import City

MINUTE = timedelta(minutes=1)


async def call(sessions: SessionFactory, who: Actor, now: datetime, **about: Any) -> tables.Incident:
    incident_id = ids.new()
    async with sessions.begin() as session:
        await emergencies.report_emergency(
            session, who, kind=EmergencyKind.INJURY, comment="Help!", incident_id=incident_id, now=now, **about
        )
    async with sessions() as session:
        return (await session.execute(select(tables.Incident).where(tables.Incident.id == incident_id))).scalar_one()


@pytest.mark.parametrize("step", [None, TripStep.UNLOCK, TripStep.PAUSE, TripStep.RESUME, TripStep.RETURN])
async def test_an_emergency_stops_the_meter_whatever_the_trip_waits_for(
    session_factory: SessionFactory, city: City, clock: FixedClock, step: TripStep | None
) -> None:
    now, bike = clock.now(), await new_vehicle(session_factory, city)
    trip = await rides.unlock(session_factory, city.rider, bike, now)
    if step is not TripStep.UNLOCK:
        await rides.answer(session_factory, bike, now)
    if step in (TripStep.PAUSE, TripStep.RESUME):
        await rides.pause(session_factory, city.rider, trip.id, now + MINUTE)
    if step is TripStep.RESUME:
        await rides.answer(session_factory, bike, now + MINUTE)
        await rides.resume(session_factory, city.rider, trip.id, now + 2 * MINUTE)
    if step is TripStep.RETURN:
        await rides.give_back(session_factory, city.rider, trip.id, now + 2 * MINUTE)
    assert (await rides.read(session_factory, city.rider, trip.id)).awaits is step
    incident = await call(session_factory, city.rider, now + 3 * MINUTE, trip_id=trip.id)
    assert (incident.severity, incident.trip_id, incident.vehicle_id) == (1, trip.id, bike)
    over = await rides.read(session_factory, city.rider, trip.id)
    assert (over.end_cause, over.awaits) == (TripEnd.EMERGENCY, None)
    if step is TripStep.UNLOCK:
        assert (over.state, over.receipt_id) == (TripState.CANCELLED, None)
    else:
        ended_at = now + (2 if step is TripStep.RETURN else 3) * MINUTE
        assert (over.state, over.ended_at, over.receipt_id is None) == (TripState.ENDED, ended_at, False)
    assert await state_of(session_factory, bike) is VehicleState.NON_OPERATIONAL
    assert not {"queued", "sent"} & {state for _, state in await rides.asked(session_factory, bike)}


async def test_what_opens_late_where_help_was_called_stays_open(
    session_factory: SessionFactory, city: City, clock: FixedClock
) -> None:
    bike = await new_vehicle(session_factory, city)
    trip = await rides.unlock(session_factory, city.rider, bike, clock.now())
    await call(session_factory, city.rider, clock.now(), trip_id=trip.id)
    await rides.answer(session_factory, bike, clock.now(), purpose=LockPurpose.UNLOCK)
    assert await rides.asked(session_factory, bike) == [("unlock", "succeeded")]


async def test_a_trip_that_is_over_is_left_alone_and_its_vehicle_taken_out(
    session_factory: SessionFactory, city: City, clock: FixedClock
) -> None:
    now, bike = clock.now(), await new_vehicle(session_factory, city)
    trip = await rides.ride(session_factory, city.rider, bike, now)
    await rides.give_back(session_factory, city.rider, trip.id, now + MINUTE)
    await rides.answer(session_factory, bike, now + MINUTE)
    before = await rides.receipt_of(session_factory, trip.id)
    await call(session_factory, city.rider, now + 2 * MINUTE, trip_id=trip.id)
    over = await rides.read(session_factory, city.rider, trip.id)
    assert (over.end_cause, over.receipt_id) == (TripEnd.RETURNED, before.id)
    assert await state_of(session_factory, bike) is VehicleState.NON_OPERATIONAL


async def test_help_called_after_a_ride_stops_who_is_about_to_set_out_with_the_vehicle(
    session_factory: SessionFactory, city: City, clock: FixedClock
) -> None:
    now, bike = clock.now(), await new_vehicle(session_factory, city)
    trip = await rides.ride(session_factory, city.rider, bike, now)
    await rides.give_back(session_factory, city.rider, trip.id, now + MINUTE)
    await rides.answer(session_factory, bike, now + MINUTE)
    async with session_factory.begin() as session:
        next_rider = await factories.add_rider(session)
        await factories.add_payment_method(session, next_rider.account_id)
    next_trip = await rides.unlock(session_factory, next_rider, bike, now + 2 * MINUTE)
    incident = await call(session_factory, city.rider, now + 2 * MINUTE, trip_id=trip.id)
    assert incident.trip_id == trip.id
    stopped = await rides.read(session_factory, next_rider, next_trip.id)
    assert (stopped.state, stopped.end_cause) == (TripState.CANCELLED, TripEnd.EMERGENCY)
    assert await state_of(session_factory, bike) is VehicleState.NON_OPERATIONAL


async def test_without_a_trip_the_vehicle_is_named(session_factory: SessionFactory, city: City, clock: FixedClock) -> None:
    bike = await new_vehicle(session_factory, city)
    ref = fleet.VehicleRef((await rides.vehicle_row(session_factory, bike)).published_id, published=True)
    incident = await call(session_factory, city.rider, clock.now(), vehicle=ref)
    assert (incident.trip_id, incident.vehicle_id, incident.customer_id) == (None, bike, city.rider.account_id)
    assert await state_of(session_factory, bike) is VehicleState.NON_OPERATIONAL
    with pytest.raises(errors.InvalidInput, match="Name the trip or the vehicle"):
        await call(session_factory, city.rider, clock.now())


async def test_nobody_empties_a_city_by_calling_for_help(session_factory: SessionFactory, city: City, clock: FixedClock) -> None:
    bikes = [await new_vehicle(session_factory, city) for _ in range(4)]
    for bike in bikes:
        await call(session_factory, city.rider, clock.now(), vehicle=fleet.VehicleRef(bike, published=False))
    states = [await state_of(session_factory, bike) for bike in bikes]
    assert states == [VehicleState.NON_OPERATIONAL] * 3 + [VehicleState.AVAILABLE], "staff are called to the fourth as well"


async def test_the_rider_of_a_vehicle_that_is_named_is_on_that_trip(
    session_factory: SessionFactory, city: City, clock: FixedClock
) -> None:
    bike = await new_vehicle(session_factory, city)
    trip = await rides.ride(session_factory, city.rider, bike, clock.now())
    ref = fleet.VehicleRef(trip.published_vehicle_id, published=True)
    assert (await call(session_factory, city.rider, clock.now(), vehicle=ref)).trip_id == trip.id
    assert (await rides.read(session_factory, city.rider, trip.id)).state is TripState.ENDED


async def test_nobody_ends_somebody_elses_ride_by_calling_for_help(
    session_factory: SessionFactory, city: City, clock: FixedClock
) -> None:
    bike = await new_vehicle(session_factory, city)
    trip = await rides.ride(session_factory, city.rider, bike, clock.now())
    async with session_factory.begin() as session:
        stranger = await factories.add_rider(session)
    incident = await call(session_factory, stranger, clock.now(), vehicle=fleet.VehicleRef(bike, published=False))
    assert (incident.trip_id, incident.vehicle_id) == (None, bike)
    assert (await rides.read(session_factory, city.rider, trip.id)).state is TripState.IN_USE


async def test_a_hold_outlives_the_emergency_until_its_vehicle_is_withdrawn(
    session_factory: SessionFactory, city: City, clock: FixedClock
) -> None:
    bike = await new_vehicle(session_factory, city)
    held = await reserve(session_factory, city.rider, bike, clock.now())
    trip = await rides.unlock(session_factory, city.rider, bike, clock.now())
    await call(session_factory, city.rider, clock.now(), trip_id=trip.id)
    assert (await rides.reservation_row(session_factory, held.id)).state is ReservationState.CONFIRMED
    assert await state_of(session_factory, bike) is VehicleState.NON_OPERATIONAL


async def test_a_phone_does_not_say_where_a_vehicle_is_that_says_so_itself(
    session_factory: SessionFactory, city: City, clock: FixedClock
) -> None:
    now, place = clock.now(), LatLng(48.1, 11.5)
    for said, stands in ((factories.CENTER, factories.CENTER), (None, place)):
        bike = await new_vehicle(session_factory, city)
        trip = await rides.ride(session_factory, city.rider, bike, now, position=said)
        await call(session_factory, city.rider, now + MINUTE, trip_id=trip.id, position=place)
        row = await rides.vehicle_row(session_factory, bike)
        assert LatLng(row.lat, row.lon) == stands
        async with session_factory.begin() as session:
            await session.execute(update(tables.Receipt).values(settled_minor=tables.Receipt.total_minor))
