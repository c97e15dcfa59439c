"""Locks answer early, late, twice, wrongly or never: what follows is right all the same."""

from __future__ import annotations

from datetime import timedelta
from uuid import UUID

from app.database import SessionFactory
from domain import ids, locks, ports, trips
from domain.tables import LockPurpose, TripEnd, TripState
from domain.values import LatLng, VehicleState, VehicleType
from tests import factories
from tests.conftest import FixedClock
from tests.domain import rides
from tests.domain.bookings import new_vehicle, state_of
from tests.domain.conftest import City

MINUTE, SECOND = timedelta(minutes=1), timedelta(seconds=1)


async def claim(sessions: SessionFactory, clock: FixedClock, only: UUID | None = None) -> list[ports.LockOrder]:
    async with sessions.begin() as session:
        return await locks.claim_commands(session, now=clock.now(), limit=10, only=only)


async def test_a_command_is_sent_again_until_it_is_answered_or_expires(
    session_factory: SessionFactory, city: City, clock: FixedClock
) -> None:
    bike = await new_vehicle(session_factory, city)
    await rides.unlock(session_factory, city.rider, bike, clock.now())
    (order,) = await claim(session_factory, clock)
    assert (order.vehicle_id, order.action, order.expires_at) == (bike, "unlock", clock.now() + 30 * SECOND)
    assert await claim(session_factory, clock) == []
    clock.advance(seconds=3)
    assert await claim(session_factory, clock, only=ids.new()) == []
    assert await claim(session_factory, clock, only=order.command_id) == [order]
    clock.advance(seconds=27)
    assert await claim(session_factory, clock) == [], "who hears it then does not do it"


async def test_a_vehicle_that_is_away_for_long_is_not_told_the_same_hundreds_of_times(
    session_factory: SessionFactory, city: City, clock: FixedClock
) -> None:
    bike, times = await new_vehicle(session_factory, city), 0
    async with session_factory.begin() as session:
        expires_at = clock.now() + 15 * MINUTE
        purpose = LockPurpose.RELOCK
        await locks.order(session, vehicle_id=bike, trip_id=None, purpose=purpose, now=clock.now(), expires_at=expires_at)
    while clock.now() < expires_at:
        times += len(await claim(session_factory, clock))
        clock.advance(seconds=3)
    assert 30 < times < 50


async def test_an_answer_counts_once(session_factory: SessionFactory, city: City, clock: FixedClock) -> None:
    bike = await new_vehicle(session_factory, city)
    begun = await rides.ride(session_factory, city.rider, bike, clock.now())
    await rides.answer(session_factory, bike, clock.now() + MINUTE)
    await rides.answer(session_factory, bike, clock.now() + MINUTE, is_done=False)
    assert await rides.read(session_factory, city.rider, begun.id) == begun
    assert await rides.asked(session_factory, bike) == [("unlock", "succeeded")]


async def test_an_answer_to_nothing_that_was_asked_does_nothing(
    session_factory: SessionFactory, city: City, clock: FixedClock
) -> None:
    bike, other = [await new_vehicle(session_factory, city) for _ in range(2)]
    asked = await rides.unlock(session_factory, city.rider, bike, clock.now())
    (command,) = await rides.commands(session_factory, bike)
    for word in (ports.LockAnswer(ids.new(), bike, True), ports.LockAnswer(command.id, other, True)):
        async with session_factory.begin() as session:
            await locks.record_answer(session, word, now=clock.now())
    assert (await rides.read(session_factory, city.rider, asked.id)).state is TripState.PREPARING


async def test_a_vehicle_says_how_it_is(session_factory: SessionFactory, city: City, clock: FixedClock) -> None:
    car = await new_vehicle(session_factory, city, VehicleType.CAR)
    place = LatLng(49.41, 8.68)
    begun = await rides.ride(
        session_factory, city.rider, car, clock.now(), ends_at=clock.now() + rides.HOUR,
        position=place, battery_percent=40, odometer_meters=12_345, is_plugged_in=True,
    )  # fmt: skip
    row = await rides.vehicle_row(session_factory, car)
    assert (row.lat, row.lon, row.h3_cell) == (place.lat, place.lon, factories.cell(place))
    assert (row.battery_percent, row.current_range_meters, row.odometer_meters) == (40, 128_000, 12_345)
    assert (row.is_plugged_in, row.station_id, begun.start_battery_percent) == (True, None, 40)


async def test_what_opens_after_its_trip_was_given_up_is_closed_again_and_costs_nothing(
    session_factory: SessionFactory, city: City, clock: FixedClock
) -> None:
    bike = await new_vehicle(session_factory, city)
    asked = await rides.unlock(session_factory, city.rider, bike, clock.now())
    async with session_factory.begin() as session:
        await trips.cancel_trip(session, city.rider, trip_id=asked.id, now=clock.now() + SECOND)
    await rides.answer(session_factory, bike, clock.now() + MINUTE, purpose=LockPurpose.RELOCK)
    for _ in range(2):
        await rides.answer(session_factory, bike, clock.now() + MINUTE, purpose=LockPurpose.UNLOCK)
    over = await rides.read(session_factory, city.rider, asked.id)
    assert (over.state, over.end_cause, over.started_at) == (TripState.CANCELLED, TripEnd.RIDER, None)
    assert sorted(await rides.asked(session_factory, bike)) == [
        ("relock", "queued"), ("relock", "succeeded"), ("unlock", "succeeded"),
    ]  # fmt: skip
    await rides.answer(session_factory, bike, clock.now() + 2 * MINUTE, purpose=LockPurpose.RELOCK)
    assert await state_of(session_factory, bike) is VehicleState.AVAILABLE


async def test_a_late_answer_does_not_lock_the_vehicle_under_the_next_rider(
    session_factory: SessionFactory, city: City, clock: FixedClock
) -> None:
    now, bike = clock.now(), await new_vehicle(session_factory, city)
    await rides.unlock(session_factory, city.rider, bike, now)
    (first,) = await rides.commands(session_factory, bike)
    await rides.sweep(session_factory, now + 30 * SECOND)
    async with session_factory.begin() as session:
        other = await factories.add_rider(session)
    await rides.ride(session_factory, other, bike, now + 40 * SECOND)
    async with session_factory.begin() as session:
        await locks.record_answer(session, ports.LockAnswer(first.id, bike, True), now=now + MINUTE)
    assert await rides.asked(session_factory, bike) == [
        ("unlock", "succeeded"), ("relock", "timed_out"), ("unlock", "succeeded"),
    ]  # fmt: skip


async def test_a_vehicle_that_never_says_it_is_closed_is_out_of_reach(
    session_factory: SessionFactory, city: City, clock: FixedClock
) -> None:
    now, bike = clock.now(), await new_vehicle(session_factory, city)
    await rides.unlock(session_factory, city.rider, bike, now)
    await rides.sweep(session_factory, now + 30 * SECOND)
    assert await rides.asked(session_factory, bike) == [("unlock", "timed_out"), ("relock", "queued")]
    assert await state_of(session_factory, bike) is VehicleState.AVAILABLE
    await rides.sweep(session_factory, now + 30 * SECOND + 15 * MINUTE)
    assert await rides.asked(session_factory, bike) == [("unlock", "timed_out"), ("relock", "timed_out")]
    assert await state_of(session_factory, bike) is VehicleState.NON_CONTACTABLE


async def test_a_vehicle_that_cannot_close_is_looked_at(session_factory: SessionFactory, city: City, clock: FixedClock) -> None:
    now, bike = clock.now(), await new_vehicle(session_factory, city)
    await rides.unlock(session_factory, city.rider, bike, now)
    await rides.sweep(session_factory, now + 30 * SECOND)
    await rides.answer(session_factory, bike, now + MINUTE, is_done=False)
    assert await state_of(session_factory, bike) is VehicleState.NON_OPERATIONAL


async def test_an_old_word_of_a_lock_does_not_begin_a_pause_once_something_else_was_asked(
    session_factory: SessionFactory, city: City, clock: FixedClock
) -> None:
    now, bike = clock.now(), await new_vehicle(session_factory, city)
    trip = await rides.ride(session_factory, city.rider, bike, now)
    await rides.pause(session_factory, city.rider, trip.id, now + MINUTE)
    *_, first = await rides.commands(session_factory, bike)
    await rides.sweep(session_factory, now + 2 * MINUTE)
    await rides.pause(session_factory, city.rider, trip.id, now + 3 * MINUTE)
    await rides.answer(session_factory, bike, now + 3 * MINUTE)
    await rides.resume(session_factory, city.rider, trip.id, now + 4 * MINUTE)
    await rides.answer(session_factory, bike, now + 4 * MINUTE)
    async with session_factory.begin() as session:
        await locks.record_answer(session, ports.LockAnswer(first.id, bike, True), now=now + 5 * MINUTE)
    assert (await rides.read(session_factory, city.rider, trip.id)).state is TripState.IN_USE


async def test_what_cannot_be_opened_is_asked_to_close_again_if_it_was_being_closed(
    session_factory: SessionFactory, city: City, clock: FixedClock
) -> None:
    now, bike = clock.now(), await new_vehicle(session_factory, city)
    await rides.unlock(session_factory, city.rider, bike, now)
    await rides.sweep(session_factory, now + 30 * SECOND)
    await rides.unlock(session_factory, city.rider, bike, now + MINUTE)
    await rides.answer(session_factory, bike, now + MINUTE, is_done=False)
    assert await rides.asked(session_factory, bike) == [
        ("unlock", "timed_out"), ("relock", "timed_out"), ("unlock", "failed"), ("relock", "queued"),
    ]  # fmt: skip


async def test_a_late_answer_does_not_move_the_vehicle_back(
    session_factory: SessionFactory, city: City, clock: FixedClock
) -> None:
    now, bike = clock.now(), await new_vehicle(session_factory, city)
    await rides.unlock(session_factory, city.rider, bike, now)
    await rides.sweep(session_factory, now + 30 * SECOND)
    stood = await rides.vehicle_row(session_factory, bike)
    place = LatLng(49.5, 8.5)
    await rides.answer(session_factory, bike, now + rides.HOUR, purpose=LockPurpose.UNLOCK, position=place)
    row = await rides.vehicle_row(session_factory, bike)
    assert (row.lat, row.lon, row.position_at) == (stood.lat, stood.lon, stood.position_at)


async def test_a_vehicle_that_says_after_all_that_it_is_closed_is_offered_again(
    session_factory: SessionFactory, city: City, clock: FixedClock
) -> None:
    now, bike = clock.now(), await new_vehicle(session_factory, city)
    await rides.unlock(session_factory, city.rider, bike, now)
    await rides.sweep(session_factory, now + 30 * SECOND)
    await rides.sweep(session_factory, now + 30 * SECOND + 15 * MINUTE)
    assert await state_of(session_factory, bike) is VehicleState.NON_CONTACTABLE
    await rides.answer(session_factory, bike, now + rides.HOUR, purpose=LockPurpose.RELOCK)
    assert await state_of(session_factory, bike) is VehicleState.AVAILABLE
