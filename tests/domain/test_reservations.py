"""No vehicle is ever anybody's but one rider's."""

from __future__ import annotations

import asyncio
from collections import Counter
from contextlib import suppress
from dataclasses import replace
from datetime import timedelta
from itertools import pairwise
from uuid import UUID

import pytest
from sqlalchemy import select

from app.database import SessionFactory
from domain import cancellations, errors, eventlog, fleet, ids, quotes, reservations, tables
from domain.actor import Actor, Role
from domain.values import ReservationState, VehicleState, VehicleType
from tests import factories
from tests.conftest import FixedClock
from tests.domain.bookings import HOUR, cancel, count, kinds, new_vehicle, reserve, state_of, sweep, told
from tests.domain.conftest import City
from tests.log import settled_after


async def test_a_hold_reserves_the_bike_and_tells_dispatchers(
    session_factory: SessionFactory, city: City, clock: FixedClock
) -> None:
    bike = await new_vehicle(session_factory, city)
    held = await reserve(session_factory, city.rider, bike, clock.now(), expected_minutes=10)
    assert (held.state, held.ends_at, held.lapses_at) == (ReservationState.CONFIRMED, None, clock.now() + timedelta(minutes=15))
    assert held.quoted_minor == 290
    assert await state_of(session_factory, bike) is held.vehicle.state is VehicleState.RESERVED
    async with session_factory() as session:
        assert await reservations.get_reservation(session, city.rider, held.id) == held
    assert await kinds(session_factory, city) == ["reservation.confirmed", "vehicle.changed"]


async def test_a_booking_ahead_leaves_the_car_to_others_until_then(
    session_factory: SessionFactory, city: City, clock: FixedClock
) -> None:
    car = await new_vehicle(session_factory, city, VehicleType.CAR)
    tomorrow = clock.now() + timedelta(days=1)
    booked = await reserve(session_factory, city.rider, car, clock.now(), starts_at=tomorrow, ends_at=tomorrow + HOUR)
    assert booked.quoted_minor == 100 + 60 * 19
    assert await state_of(session_factory, car) is VehicleState.AVAILABLE
    await reserve(session_factory, city.rider, car, clock.now(), starts_at=tomorrow - HOUR, ends_at=tomorrow)
    await reserve(session_factory, city.rider, car, clock.now(), starts_at=tomorrow + HOUR, ends_at=tomorrow + 2 * HOUR)
    with pytest.raises(errors.VehicleUnavailable):
        await reserve(session_factory, city.rider, car, clock.now(), starts_at=tomorrow + HOUR / 2, ends_at=tomorrow + 1.5 * HOUR)
    assert await count(session_factory) == 3


async def test_of_two_hundred_who_want_one_bike_exactly_one_gets_it(
    session_factory: SessionFactory, city: City, clock: FixedClock
) -> None:
    bike = await new_vehicle(session_factory, city)
    async with session_factory.begin() as session:
        riders = [await factories.add_rider(session) for _ in range(200)]
    outcomes: Counter[str] = Counter()

    async def attempt(who: Actor) -> None:
        try:
            await reserve(session_factory, who, bike, clock.now())
        except errors.VehicleUnavailable:
            outcomes["unavailable"] += 1
        else:
            outcomes["reserved"] += 1

    await asyncio.gather(*(attempt(who) for who in riders))
    assert outcomes == {"reserved": 1, "unavailable": 199}
    assert await count(session_factory) == 1
    assert (await kinds(session_factory, city)).count("reservation.confirmed") == 1


async def test_overlapping_bookings_of_one_car_leave_no_overlap(
    session_factory: SessionFactory, city: City, clock: FixedClock
) -> None:
    car = await new_vehicle(session_factory, city, VehicleType.CAR)

    async def attempt(number: int) -> bool:
        start = clock.now() + number % 7 * HOUR / 2
        try:
            await reserve(session_factory, city.rider, car, clock.now(), starts_at=start, ends_at=start + HOUR)
        except errors.VehicleUnavailable:
            return False
        return True

    made = await asyncio.gather(*(attempt(number) for number in range(40)))
    async with session_factory() as session:
        windows = select(tables.Reservation.starts_at, tables.Reservation.ends_at).order_by(tables.Reservation.starts_at)
        rows = (await session.execute(windows)).all()
    assert len(rows) == sum(made) >= 2
    assert all(one.ends_at <= other.starts_at for one, other in pairwise(rows))


async def test_cancelling_and_reserving_at_once_never_lock_each_other_out(
    session_factory: SessionFactory, city: City, clock: FixedClock
) -> None:
    """A deadlock would end one of them with an error of the database after a second."""
    now, later = clock.now(), clock.now() + HOUR

    async def again(vehicle_id: UUID) -> None:
        with suppress(errors.VehicleUnavailable):
            await reserve(session_factory, city.rider, vehicle_id, now, starts_at=later, ends_at=later + HOUR)

    async with asyncio.timeout(30):
        for _ in range(20):
            car = await new_vehicle(session_factory, city, VehicleType.CAR)
            held = await reserve(session_factory, city.rider, car, now, starts_at=later, ends_at=later + HOUR)
            await asyncio.gather(cancel(session_factory, city.rider, held.id, now), *(again(car) for _ in range(4)))


@pytest.mark.parametrize(
    "state",
    [VehicleState.NON_OPERATIONAL, VehicleState.REMOVED, VehicleState.MISSING, VehicleState.RESERVED, VehicleState.ON_TRIP],
)
async def test_a_bike_out_of_service_or_in_use_is_refused(
    session_factory: SessionFactory, city: City, clock: FixedClock, state: VehicleState
) -> None:
    bike = await new_vehicle(session_factory, city, state=state)
    with pytest.raises(errors.VehicleUnavailable):
        await reserve(session_factory, city.rider, bike, clock.now())


async def test_a_car_on_a_trip_can_be_booked_for_later_and_stays_on_it(
    session_factory: SessionFactory, city: City, clock: FixedClock
) -> None:
    car = await new_vehicle(session_factory, city, VehicleType.CAR, VehicleState.ON_TRIP)
    for starts_at in (clock.now() + HOUR, clock.now()):
        await reserve(session_factory, city.rider, car, clock.now(), starts_at=starts_at, ends_at=starts_at + HOUR)
    assert await state_of(session_factory, car) is VehicleState.ON_TRIP


async def test_a_cancelled_bike_is_free_again_at_once(session_factory: SessionFactory, city: City, clock: FixedClock) -> None:
    bike = await new_vehicle(session_factory, city)
    held = await reserve(session_factory, city.rider, bike, clock.now())
    clock.advance(minutes=5)
    cancelled = await cancel(session_factory, city.rider, held.id, clock.now())
    assert (cancelled.state, cancelled.cancel_reason) == (ReservationState.CANCELLED, None)
    assert await state_of(session_factory, bike) is VehicleState.AVAILABLE
    with pytest.raises(errors.ReservationClosed):
        await cancel(session_factory, city.rider, held.id, clock.now())
    await reserve(session_factory, city.rider, bike, clock.now())
    assert (await kinds(session_factory, city))[2:4] == ["reservation.cancelled", "vehicle.changed"]


async def test_the_position_read_with_an_act_is_before_its_first_event(
    session_factory: SessionFactory, city: City, clock: FixedClock
) -> None:
    held = await reserve(session_factory, city.rider, await new_vehicle(session_factory, city), clock.now())
    assert len(await kinds(session_factory, city)) == 2, "settled"
    async with session_factory.begin() as session:
        positions = [await reservations.current_position(session, held.id)]
        await cancellations.cancel_reservation(session, city.rider, reservation_id=held.id, now=clock.now())
        positions += [await reservations.current_position(session, held.id)]
        assert await reservations.current_position(session, ids.new()) == eventlog.Position(1, 0, 0)
    for position in positions:
        async with session_factory() as session:
            batch = await settled_after(session, eventlog.dispatch_topic(city.metro.id), position)
        assert [event.kind for event in batch.events] == ["reservation.cancelled", "vehicle.changed"]


async def test_the_rider_is_told_of_every_change_and_of_nothing_that_only_staff_see(
    session_factory: SessionFactory, city: City, clock: FixedClock
) -> None:
    now = clock.now()
    bike, car = [await new_vehicle(session_factory, city, kind) for kind in (VehicleType.BICYCLE, VehicleType.CAR)]
    held = await reserve(session_factory, city.dispatcher, bike, now, expected_minutes=10, customer_id=city.rider.account_id)
    await cancel(session_factory, city.dispatcher, held.id, now, "Its brakes.")
    lapsing = await reserve(session_factory, city.rider, bike, now)
    booked = await reserve(session_factory, city.rider, car, now, ends_at=now + HOUR)
    await sweep(session_factory, now + 2 * HOUR)
    events = await told(session_factory, city.rider)
    assert [(event.kind, event.payload["reservationId"]) for event in events[:4]] == [
        ("reservation.confirmed", str(held.id)),
        ("reservation.cancelled", str(held.id)),
        ("reservation.confirmed", str(lapsing.id)),
        ("reservation.confirmed", str(booked.id)),
    ]
    assert {(event.kind, event.payload["reservationId"]) for event in events[4:]} == {
        ("reservation.expired", str(lapsing.id)),
        ("reservation.expired", str(booked.id)),
    }
    assert events[1].payload == {
        "reservationId": str(held.id),
        "publishedVehicleId": str(held.published_vehicle_id),
        "vehicleType": "bicycle",
        "state": "cancelled",
        "startsAt": now.isoformat(),
        "endsAt": None,
        "lapsesAt": (now + timedelta(minutes=15)).isoformat(),
        "quotedMinor": 290,
        "currency": "EUR",
    }
    assert (events[3].payload["endsAt"], events[3].payload["lapsesAt"]) == ((now + HOUR).isoformat(), None)


async def test_what_is_refused_or_rolled_back_is_told_to_nobody(
    session_factory: SessionFactory, city: City, clock: FixedClock
) -> None:
    bike = await new_vehicle(session_factory, city)
    async with session_factory.begin() as session:
        other = await factories.add_rider(session)
    held = await reserve(session_factory, city.rider, bike, clock.now())
    with pytest.raises(errors.VehicleUnavailable):
        await reserve(session_factory, other, bike, clock.now())
    async with session_factory() as session:
        await cancellations.cancel_reservation(session, city.rider, reservation_id=held.id, now=clock.now())
        await session.rollback()
    assert [event.kind for event in await told(session_factory, city.rider)] == ["reservation.confirmed"]
    assert await told(session_factory, other) == []


async def test_cancelling_a_later_booking_leaves_the_one_that_holds_now(
    session_factory: SessionFactory, city: City, clock: FixedClock
) -> None:
    car = await new_vehicle(session_factory, city, VehicleType.CAR)
    now = clock.now()
    await reserve(session_factory, city.rider, car, now, ends_at=now + HOUR)
    later = await reserve(session_factory, city.rider, car, now, starts_at=now + HOUR, ends_at=now + 2 * HOUR)
    await cancel(session_factory, city.rider, later.id, now)
    assert await state_of(session_factory, car) is VehicleState.RESERVED


async def test_a_hold_that_nobody_unlocks_lapses(session_factory: SessionFactory, city: City, clock: FixedClock) -> None:
    bike = await new_vehicle(session_factory, city)
    held = await reserve(session_factory, city.rider, bike, clock.now())
    clock.advance(minutes=14, seconds=59)
    assert await sweep(session_factory, clock.now()) == 0
    clock.advance(seconds=1)
    assert sum(await asyncio.gather(*(sweep(session_factory, clock.now()) for _ in range(5)))) == 1
    assert await state_of(session_factory, bike) is VehicleState.AVAILABLE
    async with session_factory() as session:
        assert (await reservations.get_reservation(session, city.rider, held.id)).state is ReservationState.EXPIRED


async def test_a_booked_car_is_reserved_at_its_start_and_free_after_its_end(
    session_factory: SessionFactory, city: City, clock: FixedClock
) -> None:
    car = await new_vehicle(session_factory, city, VehicleType.CAR)
    start = clock.now() + HOUR
    await reserve(session_factory, city.rider, car, clock.now(), starts_at=start, ends_at=start + HOUR)
    assert await sweep(session_factory, start - timedelta(seconds=1)) == 0
    assert await sweep(session_factory, start) == 1
    assert await state_of(session_factory, car) is VehicleState.RESERVED
    assert await sweep(session_factory, start) == 0
    assert await sweep(session_factory, start + HOUR) == 1
    assert await state_of(session_factory, car) is VehicleState.AVAILABLE


async def test_riders_reserve_and_cancel_for_themselves_only(
    session_factory: SessionFactory, city: City, clock: FixedClock
) -> None:
    bike = await new_vehicle(session_factory, city)
    async with session_factory.begin() as session:
        other = await factories.add_rider(session)
    with pytest.raises(errors.NotFound):
        await reserve(session_factory, other, bike, clock.now(), customer_id=city.rider.account_id)
    held = await reserve(session_factory, city.rider, bike, clock.now())
    with pytest.raises(errors.NotFound):
        await cancel(session_factory, other, held.id, clock.now())


async def test_staff_act_for_riders_of_their_metros_only(session_factory: SessionFactory, city: City, clock: FixedClock) -> None:
    async with session_factory.begin() as session:
        elsewhere = await factories.add_metro(session)
        stranger = await factories.add_member(session, Role.DISPATCHER, elsewhere)
    bike = await new_vehicle(session_factory, city)
    with pytest.raises(errors.NotFound):
        await reserve(session_factory, stranger, bike, clock.now(), customer_id=city.rider.account_id)
    held = await reserve(session_factory, city.dispatcher, bike, clock.now(), customer_id=city.rider.account_id)
    with pytest.raises(errors.NotFound):
        await cancel(session_factory, stranger, held.id, clock.now(), reason="No.")
    cancelled = await cancel(session_factory, city.dispatcher, held.id, clock.now(), reason="Brakes.")
    assert cancelled.cancel_reason == "Brakes."


async def test_nobody_reserves_for_somebody_who_does_not_exist(
    session_factory: SessionFactory, city: City, clock: FixedClock
) -> None:
    bike = await new_vehicle(session_factory, city)
    with pytest.raises(errors.NotFound, match="customer"):
        await reserve(session_factory, city.dispatcher, bike, clock.now(), customer_id=ids.new())
    assert await state_of(session_factory, bike) is VehicleState.AVAILABLE


@pytest.mark.parametrize("reason", ["", "   ", "x" * 501])
async def test_a_reason_says_something_and_not_too_much(
    session_factory: SessionFactory, city: City, clock: FixedClock, reason: str
) -> None:
    bike = await new_vehicle(session_factory, city)
    held = await reserve(session_factory, city.rider, bike, clock.now())
    with pytest.raises(errors.InvalidInput):
        await cancel(session_factory, city.dispatcher, held.id, clock.now(), reason=reason)


async def test_alternatives_are_like_it_near_it_and_free(session_factory: SessionFactory, city: City, clock: FixedClock) -> None:
    bikes = [await new_vehicle(session_factory, city) for _ in range(6)]
    await new_vehicle(session_factory, city, VehicleType.SCOOTER_STANDING)
    await reserve(session_factory, city.rider, bikes[1], clock.now())
    async with session_factory() as session:
        quote = await quotes.quote_reservation(
            session, vehicle=fleet.VehicleRef(bikes[0], published=False), starts_at=clock.now(), ends_at=None, now=clock.now()
        )
        found = await quotes.find_alternatives(session, quote, now=clock.now())
        ridden = replace(quote, vehicle=replace(quote.vehicle, state=VehicleState.ON_TRIP))
        near_a_rider = await quotes.find_alternatives(session, ridden, now=clock.now())
    assert len(found) == 3
    assert {vehicle.id for vehicle in found} <= set(bikes[2:])
    assert near_a_rider == [], "what is nearest would tell where somebody rides"
