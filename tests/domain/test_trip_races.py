"""Who comes first, the rows decide: riders, locks, sweeps and emergencies at the same instant."""

from __future__ import annotations

import asyncio
from collections import Counter
from datetime import timedelta
from typing import Any

from sqlalchemy import func, select

from app.database import SessionFactory
from domain import emergencies, errors, ids, locks, ports, tables, trip_sweeps
from domain.tables import EmergencyKind, TripEnd, TripState
from domain.values import VehicleState
from tests import factories
from tests.conftest import FixedClock
from tests.domain import rides
from tests.domain.bookings import new_vehicle, state_of
from tests.domain.conftest import City

MINUTE, SECOND = timedelta(minutes=1), timedelta(seconds=1)
ROUNDS = 4


async def outcomes(*acts: Any) -> Counter[str]:
    """By the name of what was refused; everything that is not expected is a fault."""
    done = await asyncio.gather(*acts, return_exceptions=True)
    for one in done:
        if isinstance(one, BaseException) and not isinstance(one, errors.DomainError):
            raise one
    return Counter(type(one).__name__ if isinstance(one, errors.DomainError) else "done" for one in done)


async def test_of_those_who_unlock_a_vehicle_at_once_one_rides(
    session_factory: SessionFactory, city: City, clock: FixedClock
) -> None:
    async with session_factory.begin() as session:
        riders = [await factories.add_rider(session) for _ in range(4)]
    for who in riders:
        await rides.give_card(session_factory, who)
    bike = await new_vehicle(session_factory, city)
    seen = await outcomes(*(rides.unlock(session_factory, who, bike, clock.now()) for who in riders))
    assert seen == {"done": 1, "VehicleUnavailable": 3}
    assert await rides.asked(session_factory, bike) == [("unlock", "queued")]


async def test_who_unlocks_several_vehicles_at_once_rides_one(
    session_factory: SessionFactory, city: City, clock: FixedClock
) -> None:
    await rides.give_card(session_factory, city.rider)
    bikes = [await new_vehicle(session_factory, city) for _ in range(4)]
    seen = await outcomes(*(rides.unlock(session_factory, city.rider, bike, clock.now()) for bike in bikes))
    assert seen == {"done": 1, "TripOpen": 3}
    states = Counter([await state_of(session_factory, bike) for bike in bikes])
    assert states == {VehicleState.RESERVED: 1, VehicleState.AVAILABLE: 3}


async def test_an_answer_and_its_time_out_agree_on_one_end(
    session_factory: SessionFactory, city: City, clock: FixedClock
) -> None:
    for _ in range(ROUNDS):
        now, bike = clock.now(), await new_vehicle(session_factory, city)
        async with session_factory.begin() as session:
            who = await factories.add_rider(session)
        trip = await rides.unlock(session_factory, who, bike, now)
        late = now + 30 * SECOND

        async def time_out(trip_id: Any = trip.id, at: Any = late) -> None:
            async with session_factory.begin() as session:
                await trip_sweeps.settle(session, trip_id, now=at)

        assert await outcomes(rides.answer(session_factory, bike, late), time_out()) == {"done": 2}
        over = await rides.read(session_factory, who, trip.id)
        asked = await rides.asked(session_factory, bike)
        if over.state is TripState.IN_USE:
            assert (asked, await state_of(session_factory, bike)) == ([("unlock", "succeeded")], VehicleState.ON_TRIP)
        else:
            assert (over.end_cause, over.started_at) == (TripEnd.UNLOCK_TIMED_OUT, None)
            assert asked == [("unlock", "succeeded"), ("relock", "queued")]
            assert await state_of(session_factory, bike) is VehicleState.AVAILABLE


async def test_an_answer_that_is_heard_by_several_at_once_counts_once(
    session_factory: SessionFactory, city: City, clock: FixedClock
) -> None:
    bike = await new_vehicle(session_factory, city)
    await rides.unlock(session_factory, city.rider, bike, clock.now())
    (command,) = await rides.commands(session_factory, bike)

    async def hear() -> None:
        async with session_factory.begin() as session:
            await locks.record_answer(session, ports.LockAnswer(command.id, bike, True), now=clock.now())

    assert await outcomes(*(hear() for _ in range(4))) == {"done": 4}
    told = await rides.told(session_factory, f"rider:{city.rider.account_id}")
    assert [one["state"] for one in told] == ["preparing", "in_use"]


async def test_a_return_and_an_emergency_end_a_trip_once(session_factory: SessionFactory, city: City, clock: FixedClock) -> None:
    for _ in range(ROUNDS):
        now, bike = clock.now(), await new_vehicle(session_factory, city)
        async with session_factory.begin() as session:
            who = await factories.add_rider(session)
        trip = await rides.ride(session_factory, who, bike, now)
        await rides.give_back(session_factory, who, trip.id, now + MINUTE)

        async def call(who: Any = who, trip_id: Any = trip.id, at: Any = now + 2 * MINUTE) -> None:
            async with session_factory.begin() as session:
                await emergencies.report_emergency(
                    session, who, trip_id=trip_id, kind=EmergencyKind.FIRE, incident_id=ids.new(), now=at
                )

        assert await outcomes(rides.answer(session_factory, bike, now + 2 * MINUTE), call()) == {"done": 2}
        over = await rides.read(session_factory, who, trip.id)
        assert (over.state, over.ended_at) == (TripState.ENDED, now + MINUTE)
        assert over.end_cause in (TripEnd.RETURNED, TripEnd.EMERGENCY)
        assert await state_of(session_factory, bike) is VehicleState.NON_OPERATIONAL
        async with session_factory() as session:
            count = select(func.count()).select_from(tables.Receipt).where(tables.Receipt.trip_id == trip.id)
            assert (await session.execute(count)).scalar_one() == 1
