"""No reservation outlives the service of its vehicle, and who loses one hears of it at once, with what else is free."""

from __future__ import annotations

import asyncio
from contextlib import suppress
from datetime import timedelta
from uuid import UUID

import pytest
from sqlalchemy import update

from app.database import SessionFactory
from domain import errors, fleet, reports, reservations, tables, withdrawals
from domain.actor import Actor
from domain.fleet import VehicleRef
from domain.values import CancelCause, LatLng, NotificationKind, ReservationState, VehicleState, VehicleType
from tests import factories
from tests.conftest import FixedClock
from tests.domain.bookings import HOUR, cancel, kinds, new_vehicle, notified, reserve, state_of, told
from tests.domain.conftest import City

OUT = [VehicleState.NON_OPERATIONAL, VehicleState.REMOVED, VehicleState.MISSING]
MINUTE = timedelta(minutes=1)


async def report(session_factory: SessionFactory, city: City, vehicle_id: UUID, state: VehicleState, clock: FixedClock) -> None:
    async with session_factory.begin() as session:
        ref = VehicleRef(vehicle_id, published=False)
        await reports.report_vehicle(session, city.dispatcher, ref, reports.Report(state=state), now=clock.now())


async def set_state(session_factory: SessionFactory, vehicle_id: UUID, state: VehicleState) -> None:
    """By a road that knows nothing of reservations."""
    async with session_factory.begin() as session:
        await session.execute(update(tables.Vehicle).where(tables.Vehicle.id == vehicle_id).values(state=state))


async def sweep_withdrawn(session_factory: SessionFactory, clock: FixedClock) -> int:
    async with session_factory.begin() as session:
        return await withdrawals.sweep_withdrawn(session, now=clock.now())


async def shown(session_factory: SessionFactory, who: Actor, reservation_id: UUID) -> reservations.Reservation:
    async with session_factory() as session:
        return await reservations.get_reservation(session, who, reservation_id)


@pytest.mark.parametrize("state", OUT)
async def test_a_reported_car_loses_all_its_bookings_and_their_riders_hear_what_else_is_free(
    session_factory: SessionFactory, city: City, clock: FixedClock, state: VehicleState
) -> None:
    now = clock.now()
    car = await new_vehicle(session_factory, city, VehicleType.CAR)
    async with session_factory.begin() as session:
        other = await factories.add_rider(session)
        beside = LatLng(factories.CENTER.lat + 0.001, factories.CENTER.lon)
        free, busy = [(await factories.add_vehicle(session, city.metro, VehicleType.CAR, at=beside)).id for _ in range(2)]
    first = await reserve(session_factory, city.rider, car, now, ends_at=now + HOUR)
    second = await reserve(session_factory, other, car, now, starts_at=now + 5 * HOUR, ends_at=now + 6 * HOUR)
    await reserve(session_factory, city.dispatcher, busy, now, ends_at=now + HOUR, customer_id=other.account_id)
    clock.advance(minutes=10)
    await report(session_factory, city, car, state, clock)
    assert await state_of(session_factory, car) is state
    for who, lost, instead in ((city.rider, first, 1), (other, second, 2)):
        after = await shown(session_factory, who, lost.id)
        assert (after.state, after.cancel_cause) == (ReservationState.CANCELLED, CancelCause.VEHICLE_WITHDRAWN)
        assert after.cancel_fee is None
        (news,) = await notified(session_factory, who)
        assert (news.kind, news.facts["reservationId"]) == (NotificationKind.VEHICLE_WITHDRAWN, str(lost.id))
        assert len(news.facts["alternatives"]) == instead
        assert news.facts["alternatives"][0]["distanceMeters"] == 111
        assert (await told(session_factory, who))[-1].kind == "reservation.cancelled"
    async with session_factory() as session:
        free_one = await fleet.get_vehicle(session, VehicleRef(free, published=False))
    assert (await notified(session_factory, city.rider))[0].facts["alternatives"][0]["plate"] == free_one.plate
    assert (await kinds(session_factory, city)).count("reservation.cancelled") == 2


async def test_a_held_bike_may_be_reported_broken_but_not_available(
    session_factory: SessionFactory, city: City, clock: FixedClock
) -> None:
    bike = await new_vehicle(session_factory, city)
    held = await reserve(session_factory, city.rider, bike, clock.now())
    with pytest.raises(errors.VehicleUnavailable):
        await report(session_factory, city, bike, VehicleState.AVAILABLE, clock)
    await report(session_factory, city, bike, VehicleState.NON_OPERATIONAL, clock)
    assert (await shown(session_factory, city.rider, held.id)).cancel_cause is CancelCause.VEHICLE_WITHDRAWN
    await report(session_factory, city, bike, VehicleState.AVAILABLE, clock)
    await reserve(session_factory, city.rider, bike, clock.now())


async def test_the_sweep_finds_vehicles_that_left_by_another_road_and_only_those(
    session_factory: SessionFactory, city: City, clock: FixedClock
) -> None:
    now = clock.now()
    states = [VehicleState.ELSEWHERE, VehicleState.ON_TRIP, VehicleState.STOPPED, VehicleState.RESERVED, VehicleState.AVAILABLE]
    cars = [await new_vehicle(session_factory, city, VehicleType.CAR) for _ in states]
    made = [await reserve(session_factory, city.rider, car, now, starts_at=now + HOUR, ends_at=now + 2 * HOUR) for car in cars]
    for car, state in zip(cars, states, strict=True):
        await set_state(session_factory, car, state)
    assert sum(await asyncio.gather(*(sweep_withdrawn(session_factory, clock) for _ in range(3)))) == 1
    left = [(await shown(session_factory, city.rider, one.id)).state for one in made]
    assert left == [ReservationState.CANCELLED, *[ReservationState.CONFIRMED] * 4]


async def test_a_vehicle_that_does_not_answer_has_until_the_start(
    session_factory: SessionFactory, city: City, clock: FixedClock
) -> None:
    bike = await new_vehicle(session_factory, city)
    held = await reserve(session_factory, city.rider, bike, clock.now(), starts_at=clock.now() + 10 * MINUTE)
    await set_state(session_factory, bike, VehicleState.NON_CONTACTABLE)
    clock.advance(minutes=9, seconds=59)
    assert await sweep_withdrawn(session_factory, clock) == 0
    clock.advance(seconds=1)
    assert await sweep_withdrawn(session_factory, clock) == 1
    assert (await shown(session_factory, city.rider, held.id)).cancel_cause is CancelCause.VEHICLE_WITHDRAWN


async def test_reporting_and_cancelling_at_once_never_lock_each_other_out(
    session_factory: SessionFactory, city: City, clock: FixedClock
) -> None:
    now = clock.now()

    async def give_up(reservation_id: UUID) -> None:
        with suppress(errors.ReservationClosed):
            await cancel(session_factory, city.rider, reservation_id, now)

    async with asyncio.timeout(30):
        for _ in range(10):
            car = await new_vehicle(session_factory, city, VehicleType.CAR)
            made = [
                await reserve(session_factory, city.rider, car, now, starts_at=now + n * HOUR, ends_at=now + (n + 1) * HOUR)
                for n in range(2, 5)
            ]
            await asyncio.gather(
                report(session_factory, city, car, VehicleState.REMOVED, clock),
                sweep_withdrawn(session_factory, clock),
                *(give_up(one.id) for one in made),
            )
            assert {(await shown(session_factory, city.rider, one.id)).state for one in made} == {ReservationState.CANCELLED}
