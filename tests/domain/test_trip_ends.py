"""What becomes of a vehicle whose trip is over: offered, kept for the next rider, or looked at first."""

from __future__ import annotations

from datetime import timedelta

import pytest

from app.database import SessionFactory
from domain import eventlog, fleet, ids, reports, tables
from domain.values import LatLng, ReservationState, VehicleState
from tests import factories
from tests.conftest import FixedClock
from tests.domain import rides
from tests.domain.bookings import new_vehicle, state_of
from tests.domain.conftest import City
from tests.log import settled_after

MINUTE = timedelta(minutes=1)


@pytest.mark.parametrize(("withdrew", "state"), [(True, VehicleState.NON_OPERATIONAL), (False, VehicleState.AVAILABLE)])
async def test_a_fault_that_calls_for_it_takes_the_vehicle_out_when_it_comes_back(
    session_factory: SessionFactory, city: City, clock: FixedClock, withdrew: bool, state: VehicleState
) -> None:
    now, bike = clock.now(), await new_vehicle(session_factory, city)
    trip = await rides.ride(session_factory, city.rider, bike, now)
    async with session_factory.begin() as session:
        session.add(
            tables.SupportTicket(
                id=ids.new(),
                metro_id=city.metro.id,
                vehicle_id=bike,
                trip_id=trip.id,
                customer_id=city.rider.account_id,
                support_type=tables.SupportType.BROKEN_DOWN,
                priority=tables.SupportPriority.ERROR_CAN_CONTINUE,
                damaged_parts=[],
                state=tables.SupportState.ISSUE_OPEN,
                withdrew_vehicle=withdrew,
                reported_at=now,
            )
        )
    await rides.give_back(session_factory, city.rider, trip.id, now + MINUTE)
    await rides.answer(session_factory, bike, now + MINUTE)
    assert await state_of(session_factory, bike) is state


async def test_the_end_of_a_trip_is_one_change_of_its_vehicle_under_a_new_id(
    session_factory: SessionFactory, city: City, clock: FixedClock
) -> None:
    now, bike = clock.now(), await new_vehicle(session_factory, city)
    trip = await rides.ride(session_factory, city.rider, bike, now)
    await rides.give_back(session_factory, city.rider, trip.id, now + MINUTE)
    await rides.answer(session_factory, bike, now + MINUTE)
    async with session_factory() as session:
        events = (await settled_after(session, eventlog.dispatch_topic(city.metro.id), eventlog.Position(1, 0, 0))).events
    shown = [event.payload for event in events if event.kind == "vehicle.changed"]
    assert [(one["wasState"], one["state"]) for one in shown] == [
        ("available", "reserved"), ("reserved", "on_trip"), ("on_trip", "available"),
    ]  # fmt: skip
    assert {one["publishedVehicleId"] for one in shown[:2]} == {str(trip.published_vehicle_id)}
    assert shown[2]["publishedVehicleId"] != str(trip.published_vehicle_id)
    told = [event.payload["state"] for event in events if event.kind.startswith("reservation.")]
    assert told == [ReservationState.STARTED, ReservationState.ENDED]


async def test_a_vehicle_that_staff_have_moved_is_not_held_to_what_it_said(
    session_factory: SessionFactory, city: City, clock: FixedClock
) -> None:
    now, bike = clock.now(), await new_vehicle(session_factory, city)
    trip = await rides.ride(session_factory, city.rider, bike, now, position=factories.CENTER)
    assert (await rides.vehicle_row(session_factory, bike)).position_at == now
    async with session_factory.begin() as session:
        report = reports.Report(position=LatLng(49.41, 8.68))
        ref = fleet.VehicleRef(bike, published=False)
        await reports.report_vehicle(session, city.dispatcher, ref, report, now=now)
    assert (await rides.vehicle_row(session_factory, bike)).position_at is None
    assert await rides.give_back(session_factory, city.rider, trip.id, now + MINUTE) is None


async def test_a_clock_that_was_set_back_ends_no_ride_before_it_began(
    session_factory: SessionFactory, city: City, clock: FixedClock
) -> None:
    now, bike = clock.now(), await new_vehicle(session_factory, city)
    trip = await rides.ride(session_factory, city.rider, bike, now)
    assert await rides.give_back(session_factory, city.rider, trip.id, now - rides.MINUTE) is None
    await rides.answer(session_factory, bike, now - rides.MINUTE, purpose=tables.LockPurpose.RETURN)
    over = await rides.read(session_factory, city.rider, trip.id)
    assert (over.state, over.ended_at) == (tables.TripState.ENDED, over.started_at)
