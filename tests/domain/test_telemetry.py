"""Telemetry: what vehicles tell of themselves, and which of it anybody is shown."""

from __future__ import annotations

import asyncio
from datetime import timedelta
from typing import Any
from uuid import UUID

import pytest
from sqlalchemy import select

from app.database import SessionFactory
from domain import errors, eventlog, ids, tables, telemetry, tracks
from domain.ports import VehicleStatus
from domain.values import LatLng, ReservationState, VehicleState, VehicleType
from tests import factories
from tests.conftest import FixedClock
from tests.domain import rides
from tests.domain.conftest import City
from tests.log import settled_after

START = eventlog.Position(1, 0, 0)
NORTH = 1 / 111_195


def meters_north(meters: float) -> LatLng:
    return LatLng(factories.CENTER.lat + meters * NORTH, factories.CENTER.lon)


class Street:
    """A bicycle with 80 % at the center, and what becomes of it."""

    def __init__(self, sessions: SessionFactory, clock: FixedClock, city: City, vehicle_id: UUID) -> None:
        self.sessions, self.clock, self.city, self.vehicle_id = sessions, clock, city, vehicle_id

    async def hear(self, *, age_seconds: float = 0, **told: Any) -> bool:
        status = VehicleStatus(self.vehicle_id, self.clock.now() - timedelta(seconds=age_seconds), **told)
        async with self.sessions.begin() as session:
            return await telemetry.record_status(session, status, now=self.clock.now())

    async def row(self) -> tables.Vehicle:
        async with self.sessions() as session:
            return (await session.execute(select(tables.Vehicle).where(tables.Vehicle.id == self.vehicle_id))).scalar_one()

    async def announced(self) -> list[dict[str, Any]]:
        async with self.sessions() as session:
            batch = await settled_after(session, eventlog.dispatch_topic(self.city.metro.id), START)
        return [event.payload for event in batch.events if event.kind == "vehicle.changed"]

    async def track(self) -> list[tables.TripPosition]:
        async with self.sessions() as session:
            return list((await session.execute(select(tables.TripPosition).order_by(tables.TripPosition.at))).scalars())

    async def ride(self, state: tables.TripState = tables.TripState.IN_USE) -> None:
        """Somebody has ridden it for a minute."""
        now, began = self.clock.now(), self.clock.now() - timedelta(minutes=1)
        async with self.sessions.begin() as session:
            vehicle = await session.get_one(tables.Vehicle, self.vehicle_id)
            vehicle.state = VehicleState.ON_TRIP
            tariff = self.city.tariffs[vehicle.vehicle_type]
            reservation = await factories.add_reservation(
                session, vehicle, tariff, self.city.rider.account_id, starts_at=began, state=ReservationState.STARTED
            )
            session.add(
                tables.Trip(
                    id=ids.new(),
                    metro_id=vehicle.metro_id,
                    customer_id=self.city.rider.account_id,
                    vehicle_id=vehicle.id,
                    published_vehicle_id=vehicle.published_id,
                    vehicle_type=vehicle.vehicle_type,
                    reservation_id=reservation.id,
                    tariff_id=tariff.id,
                    state=state,
                    requested_at=began,
                    started_at=None if state is tables.TripState.PREPARING else began,
                    paused_at=now if state is tables.TripState.PAUSED else None,
                    start_battery_percent=80,
                )
            )


@pytest.fixture
async def street(session_factory: SessionFactory, clock: FixedClock, city: City) -> Street:
    async with session_factory.begin() as session:
        vehicle = await factories.add_vehicle(session, city.metro)
    return Street(session_factory, clock, city, vehicle.id)


async def test_what_a_vehicle_tells_of_itself_is_in_its_row(street: Street) -> None:
    there = meters_north(100)
    assert await street.hear(position=there, battery_percent=42, odometer_meters=1234, is_plugged_in=True)
    row = await street.row()
    assert (LatLng(row.lat, row.lon), row.h3_cell) == (there, factories.cell(there))
    assert (row.battery_percent, row.odometer_meters, row.is_plugged_in) == (42, 1234, True)
    assert row.current_range_meters == telemetry.FULL_RANGE_METERS[VehicleType.BICYCLE] * 42 // 100
    assert (row.state, row.updated_at) == (VehicleState.AVAILABLE, street.clock.now())


async def test_what_it_says_nothing_about_stays_as_it_was(street: Street) -> None:
    before = await street.row()
    assert await street.hear()
    row = await street.row()
    assert (row.lat, row.lon, row.battery_percent, row.is_plugged_in) == (before.lat, before.lon, 80, None)
    assert await street.announced() == []


async def test_a_flat_battery_that_is_charged_has_its_range_again(street: Street) -> None:
    await street.hear(battery_percent=0)
    street.clock.advance(minutes=1)
    await street.hear(battery_percent=100)
    assert (await street.row()).current_range_meters == 70_000


async def test_an_older_status_that_comes_later_changes_nothing(street: Street) -> None:
    assert await street.hear(battery_percent=50)
    assert not await street.hear(battery_percent=60, age_seconds=5)
    assert not await street.hear(battery_percent=60), "nor the same instant again"
    assert (await street.row()).battery_percent == 50


async def test_a_vehicle_whose_clock_is_ahead_is_heard_again_and_again(street: Street) -> None:
    for percent in (70, 60, 50):
        street.clock.advance(seconds=10)
        assert await street.hear(battery_percent=percent, age_seconds=-3600)
        assert (await street.row()).updated_at == street.clock.now()
    assert (await street.row()).battery_percent == 50


async def test_a_vehicle_whose_clock_is_behind_is_heard_again_and_again(street: Street) -> None:
    for percent in (70, 60, 50):
        street.clock.advance(seconds=10)
        assert await street.hear(battery_percent=percent, age_seconds=3600)
    assert (await street.row()).battery_percent == 50


async def test_an_odometer_does_not_run_backwards(street: Street) -> None:
    await street.hear(odometer_meters=5000)
    street.clock.advance(minutes=1)
    await street.hear(odometer_meters=4000)
    assert (await street.row()).odometer_meters == 5000


async def test_a_vehicle_that_seems_to_wander_while_it_stands_is_not_announced_until_it_has_moved(street: Street) -> None:
    for meters in (10, -10, 20, 24):
        street.clock.advance(seconds=10)
        await street.hear(position=meters_north(meters))
    assert await street.announced() == []
    street.clock.advance(seconds=10)
    await street.hear(position=meters_north(30))
    (event,) = await street.announced()
    assert event["lat"] == meters_north(30).lat
    assert (event["wasLat"], event["wasLon"]) == (factories.CENTER.lat, factories.CENTER.lon)


async def test_a_charge_is_announced_when_it_passes_a_step_of_five_percent(street: Street) -> None:
    for percent in (80, 84, 83, 79, 78, 75, 74):
        street.clock.advance(seconds=10)
        await street.hear(battery_percent=percent)
    assert [event["batteryPercent"] for event in await street.announced()] == [79, 74]


@pytest.mark.parametrize("state", [tables.TripState.IN_USE, tables.TripState.PAUSED])
async def test_a_ridden_vehicle_writes_its_track_and_nobody_is_told_where_it_is(street: Street, state: tables.TripState) -> None:
    await street.ride(state)
    for meters in (10, 500, 1000):
        street.clock.advance(seconds=10)
        assert await street.hear(position=meters_north(meters), accuracy_meters=3.0)
    row = await street.row()
    assert (row.lat, row.state) == (meters_north(1000).lat, VehicleState.ON_TRIP)
    assert [(fix.lat, fix.accuracy_meters) for fix in await street.track()] == [
        (meters_north(meters).lat, 3.0) for meters in (10, 500, 1000)
    ]
    assert await street.announced() == []


async def test_a_position_that_comes_late_belongs_to_the_track_and_one_from_before_the_ride_does_not(street: Street) -> None:
    await street.ride()
    await street.hear(position=meters_north(200))
    assert not await street.hear(position=meters_north(100), age_seconds=30)
    assert not await street.hear(position=meters_north(100), age_seconds=30), "twice"
    assert not await street.hear(position=meters_north(50), age_seconds=300)
    assert [fix.lat for fix in await street.track()] == [meters_north(100).lat, meters_north(200).lat]
    assert (await street.row()).lat == meters_north(200).lat


async def test_a_position_that_nobody_could_have_reached_is_not_on_the_track(street: Street) -> None:
    await street.ride()
    for meters in (0, 5000, 200):
        street.clock.advance(seconds=10)
        await street.hear(position=meters_north(meters))
    assert [fix.lat for fix in await street.track()] == [meters_north(0).lat, meters_north(200).lat]


async def test_no_phone_makes_the_word_of_the_vehicle_doubted(street: Street) -> None:
    await street.hear(position=meters_north(0))
    await street.ride()
    async with street.sessions() as session:
        trip = (await session.execute(select(tables.Trip))).scalar_one()
    for _ in range(6):
        street.clock.advance(seconds=10)
        fix = tracks.Fix(street.clock.now(), meters_north(0), 5)
        async with street.sessions.begin() as session:
            rider, now = street.city.rider, street.clock.now()
            await tracks.record_positions(session, rider, trip_id=trip.id, positions=[fix], now=now)
    street.clock.advance(seconds=1)
    await street.hear(position=meters_north(600))
    assert [fix.lat for fix in await street.track()][-1] == meters_north(600).lat


async def test_no_receiver_carries_a_vehicle_off(street: Street) -> None:
    for meters, stands in ((0, 0), (90_000, 0), (300, 300)):
        street.clock.advance(seconds=10)
        await street.hear(position=meters_north(meters))
        assert (await street.row()).lat == meters_north(stands).lat


async def test_before_the_lock_has_opened_there_is_no_track(street: Street) -> None:
    await street.ride(tables.TripState.PREPARING)
    await street.hear(position=meters_north(30))
    assert await street.track() == []


async def test_a_vehicle_that_tells_of_itself_while_its_trip_changes_holds_up_nobody(street: Street) -> None:
    rider, bike = street.city.rider, street.vehicle_id
    trip = await rides.ride(street.sessions, rider, bike, street.clock.now())
    for act in (rides.pause, rides.resume) * 4:
        street.clock.advance(seconds=10)
        now = street.clock.now()
        await act(street.sessions, rider, trip.id, now)
        statuses = (street.hear(position=meters_north(10 * age), age_seconds=age) for age in range(6))
        await asyncio.gather(rides.answer(street.sessions, bike, now), *statuses)
    ridden = await rides.read(street.sessions, rider, trip.id)
    assert (ridden.state, len(ridden.pauses)) == (tables.TripState.IN_USE, 4)
    assert len(await street.track()) >= 6


async def test_a_vehicle_that_nobody_knows_is_not_found(street: Street) -> None:
    with pytest.raises(errors.NotFound):
        async with street.sessions.begin() as session:
            await telemetry.record_status(session, VehicleStatus(ids.new(), street.clock.now()), now=street.clock.now())
