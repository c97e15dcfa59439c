"""Trips are read by their rider and by staff of the metro, given up before they begin, and counted one by one."""

from __future__ import annotations

from datetime import timedelta

import pytest

from app.database import SessionFactory
from domain import errors, fleet, reports, search, trips
from domain.actor import Actor, Role
from domain.tables import TripEnd, TripState
from domain.values import CancelCause, VehicleState
from tests import factories
from tests.conftest import FixedClock
from tests.domain import rides
from tests.domain.bookings import new_vehicle, reserve, state_of
from tests.domain.conftest import City

MINUTE, SECOND = timedelta(minutes=1), timedelta(seconds=1)


async def give_up(sessions: SessionFactory, who: Actor, trip: trips.Trip, clock: FixedClock) -> None:
    async with sessions.begin() as session:
        await trips.cancel_trip(session, who, trip_id=trip.id, now=clock.now())


async def test_riders_see_their_own_trips_and_staff_those_of_their_metros(
    session_factory: SessionFactory, city: City, clock: FixedClock
) -> None:
    bike = await new_vehicle(session_factory, city)
    begun = await rides.ride(session_factory, city.rider, bike, clock.now())
    async with session_factory.begin() as session:
        stranger = await factories.add_rider(session)
        elsewhere = await factories.add_member(session, Role.DISPATCHER, await factories.add_metro(session))
    for who in (stranger, elsewhere):
        with pytest.raises(errors.NotFound):
            await rides.read(session_factory, who, begun.id)
        async with session_factory() as session:
            assert await trips.list_trips(session, who, limit=10) == []
    for who in (city.rider, city.dispatcher):
        async with session_factory() as session:
            assert await trips.list_trips(session, who, limit=10) == [begun]
            assert await trips.list_trips(session, who, states=[TripState.ENDED], limit=10) == []
            assert await trips.list_trips(session, who, before=begun.id, limit=10) == []
    async with session_factory() as session:
        assert await trips.find_open_trip(session, city.rider.account_id) == begun
        assert await trips.find_open_trip(session, stranger.account_id) is None


async def test_a_rider_who_gives_up_before_the_lock_opens_pays_nothing(
    session_factory: SessionFactory, city: City, clock: FixedClock
) -> None:
    bike = await new_vehicle(session_factory, city)
    asked = await rides.unlock(session_factory, city.rider, bike, clock.now())
    await give_up(session_factory, city.rider, asked, clock)
    over = await rides.read(session_factory, city.rider, asked.id)
    assert (over.state, over.end_cause) == (TripState.CANCELLED, TripEnd.RIDER)
    assert (await rides.reservation_row(session_factory, over.reservation_id)).cancel_cause is CancelCause.RIDER
    assert await state_of(session_factory, bike) is VehicleState.AVAILABLE
    with pytest.raises(errors.TripClosed, match="cancelled and cannot be given up"):
        await give_up(session_factory, city.rider, asked, clock)


async def test_giving_up_again_and_again_does_not_prolong_a_hold(
    session_factory: SessionFactory, city: City, clock: FixedClock
) -> None:
    bike = await new_vehicle(session_factory, city)
    held = await reserve(session_factory, city.rider, bike, clock.now())
    clock.advance(minutes=14, seconds=30)
    await give_up(session_factory, city.rider, await rides.unlock(session_factory, city.rider, bike, clock.now()), clock)
    assert (await rides.reservation_row(session_factory, held.id)).lapses_at == held.lapses_at


async def test_a_ride_is_not_given_up_but_returned(session_factory: SessionFactory, city: City, clock: FixedClock) -> None:
    bike = await new_vehicle(session_factory, city)
    begun = await rides.ride(session_factory, city.rider, bike, clock.now())
    with pytest.raises(errors.TripClosed, match="Return the vehicle"):
        await give_up(session_factory, city.rider, begun, clock)


async def test_a_vehicle_of_a_trip_is_found_by_nobody_and_out_of_the_reach_of_reports(
    session_factory: SessionFactory, city: City, clock: FixedClock
) -> None:
    bike = await new_vehicle(session_factory, city)
    area, ref = search.Area.around(factories.CENTER, 1000), fleet.VehicleRef(bike, published=False)
    trip = await rides.unlock(session_factory, city.rider, bike, clock.now())
    for _ in range(2):
        async with session_factory() as session:
            assert await search.find_vehicles(session, city.metro.id, area, now=clock.now()) == []
        async with session_factory.begin() as session:
            report = reports.Report(state=VehicleState.NON_OPERATIONAL)
            with pytest.raises(errors.VehicleUnavailable):
                await reports.report_vehicle(session, city.dispatcher, ref, report, now=clock.now())
        if trip.state is TripState.PREPARING:
            await rides.answer(session_factory, bike, clock.now())


@pytest.mark.parametrize("is_begun", [True, False])
async def test_staff_end_what_a_rider_cannot_and_look_at_the_vehicle(
    session_factory: SessionFactory, city: City, clock: FixedClock, is_begun: bool
) -> None:
    bike = await new_vehicle(session_factory, city)
    trip = await rides.unlock(session_factory, city.rider, bike, clock.now())
    if is_begun:
        await rides.answer(session_factory, bike, clock.now())
    now = clock.now() + 7 * MINUTE
    async with session_factory.begin() as session:
        await trips.end_trip(session, city.dispatcher, trip_id=trip.id, reason="The tag is gone.", now=now)
    over = await rides.read(session_factory, city.dispatcher, trip.id)
    assert (over.state, over.ended_at) == ((TripState.ENDED, now) if is_begun else (TripState.CANCELLED, None))
    assert over.end_cause is TripEnd.OPERATOR
    assert await state_of(session_factory, bike) is (VehicleState.NON_OPERATIONAL if is_begun else VehicleState.AVAILABLE)
    assert (await rides.asked(session_factory, bike))[-1] == ("relock", "queued")
    with pytest.raises(errors.TripClosed):
        async with session_factory.begin() as session:
            await trips.end_trip(session, city.dispatcher, trip_id=trip.id, reason="Again.", now=now)
