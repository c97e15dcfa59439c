"""What staff find at vehicles, they may correct, where they work and nobody rides."""

from __future__ import annotations

from datetime import timedelta

import pytest
from sqlalchemy import update

from app.database import SessionFactory
from domain import errors, eventlog, fleet, ids, reports, tables
from domain.actor import Role
from domain.fleet import VehicleRef
from domain.reports import Report
from domain.values import LatLng, VehicleState
from tests import factories
from tests.conftest import FixedClock
from tests.domain.bookings import new_vehicle, reserve, state_of
from tests.domain.conftest import City
from tests.log import settled_after

ELSEWHERE = LatLng(factories.CENTER.lat + 0.003, factories.CENTER.lon)


async def test_staff_correct_what_is_known_and_dispatchers_see_it(
    session_factory: SessionFactory, city: City, clock: FixedClock
) -> None:
    async with session_factory.begin() as session:
        bike = await factories.add_vehicle(session, city.metro)
        position = await eventlog.current_position(session, eventlog.dispatch_topic(city.metro.id))
    async with session_factory.begin() as session:
        report = Report(VehicleState.NON_OPERATIONAL, 7, ELSEWHERE, 12_345)
        await reports.report_vehicle(
            session, city.dispatcher, VehicleRef(bike.published_id, published=True), report, now=clock.now()
        )
    async with session_factory() as session:
        found = await fleet.get_vehicle(session, VehicleRef(bike.id, published=False))
        (event,) = (await settled_after(session, eventlog.dispatch_topic(city.metro.id), position)).events
    assert (found.state, found.battery_percent, found.odometer_meters) == (VehicleState.NON_OPERATIONAL, 7, 12_345)
    assert found.position == ELSEWHERE
    assert event.payload["state"] == "non_operational"
    assert event.payload["batteryPercent"] == 7


@pytest.mark.parametrize(
    ("report", "path"),
    [
        (Report(VehicleState.ON_TRIP), "state"),
        (Report(battery_percent=101), "batteryPercent"),
        (Report(battery_percent=-1), "batteryPercent"),
        (Report(odometer_meters=-1), "odometerMeters"),
    ],
)
async def test_a_report_of_what_cannot_be_is_refused(
    session_factory: SessionFactory, city: City, clock: FixedClock, report: Report, path: str
) -> None:
    async with session_factory.begin() as session:
        bike = await factories.add_vehicle(session, city.metro)
        with pytest.raises(errors.InvalidInput) as refusal:
            await reports.report_vehicle(session, city.dispatcher, VehicleRef(bike.id, published=False), report, now=clock.now())
    assert [issue.path for issue in refusal.value.issues] == [path]


async def test_staff_report_in_their_metros_and_not_what_is_in_use(
    session_factory: SessionFactory, city: City, clock: FixedClock
) -> None:
    async with session_factory.begin() as session:
        stranger = await factories.add_member(session, Role.TECHNICIAN, await factories.add_metro(session))
        ridden = await factories.add_vehicle(session, city.metro, state=VehicleState.ON_TRIP)
        ref, report = VehicleRef(ridden.id, published=False), Report(VehicleState.AVAILABLE)
        with pytest.raises(errors.NotFound):
            await reports.report_vehicle(session, stranger, ref, report, now=clock.now())
        with pytest.raises(errors.VehicleUnavailable):
            await reports.report_vehicle(session, city.dispatcher, ref, report, now=clock.now())
        unknown = VehicleRef(ids.new(), published=False)
        with pytest.raises(errors.NotFound):
            await reports.report_vehicle(session, city.dispatcher, unknown, report, now=clock.now())


async def test_a_vehicle_that_is_back_in_order_before_its_hold_was_withdrawn_is_still_held(
    session_factory: SessionFactory, city: City, clock: FixedClock
) -> None:
    bike = await new_vehicle(session_factory, city)
    await reserve(session_factory, city.rider, bike, clock.now() + timedelta(minutes=20))
    async with session_factory.begin() as session:  # as by who took it out of service while it was being reserved
        gone = update(tables.Vehicle).where(tables.Vehicle.id == bike)
        await session.execute(gone.values(state=VehicleState.NON_OPERATIONAL))
    async with session_factory.begin() as session:
        report = Report(VehicleState.AVAILABLE)
        await reports.report_vehicle(session, city.dispatcher, VehicleRef(bike, published=False), report, now=clock.now())
    assert await state_of(session_factory, bike) is VehicleState.RESERVED
