"""The fleet, as riders search it and staff correct it."""

from __future__ import annotations

from datetime import timedelta
from uuid import UUID

import pytest

from app.database import SessionFactory
from domain import errors, fleet, ids, reservations, search
from domain.fleet import VehicleRef
from domain.values import Box, LatLng, TimeWindow, VehicleState, VehicleType
from tests import factories
from tests.conftest import FixedClock
from tests.domain.conftest import City

HERE = factories.CENTER
AROUND = search.Area.around(HERE, 1000)


def north(meters: float) -> LatLng:
    return LatLng(HERE.lat + meters / search.METERS_PER_DEGREE, HERE.lon)


async def test_the_nearest_free_vehicles_come_first(session_factory: SessionFactory, city: City, clock: FixedClock) -> None:
    async with session_factory.begin() as session:
        for meters in (900, 100, 500, 1100):
            await factories.add_vehicle(session, city.metro, at=north(meters))
        await factories.add_vehicle(session, city.metro, at=north(50), state=VehicleState.NON_OPERATIONAL)
        await factories.add_vehicle(session, city.metro, VehicleType.CAR, at=north(10))
        found = await search.find_vehicles(session, city.metro.id, AROUND, types=[VehicleType.BICYCLE], now=clock.now(), limit=10)
    assert [round(vehicle.distance_meters or 0) for vehicle in found] == [100, 500, 900]


async def test_pages_of_a_search_neither_repeat_nor_skip(session_factory: SessionFactory, city: City, clock: FixedClock) -> None:
    async with session_factory.begin() as session:
        for number in range(9):
            await factories.add_vehicle(session, city.metro, at=north(number // 3 * 100))  # three at a time stand together
        seen: list[UUID] = []
        after: search.After | None = None
        while True:
            page = await search.find_vehicles(session, city.metro.id, AROUND, now=clock.now(), after=after, limit=2)
            if not page:
                break
            seen += [vehicle.id for vehicle in page]
            after = search.After(page[-1].distance_meters or 0.0, page[-1].published_id)
    assert len(seen) == len(set(seen)) == 9


async def test_what_is_booked_is_free_outside_its_window(session_factory: SessionFactory, city: City, clock: FixedClock) -> None:
    hour = timedelta(hours=1)
    async with session_factory.begin() as session:
        car = await factories.add_vehicle(session, city.metro, VehicleType.CAR)
        await reservations.reserve_vehicle(
            session,
            city.rider,
            customer_id=city.rider.account_id,
            vehicle=VehicleRef(car.id, published=False),
            starts_at=clock.now() + hour,
            ends_at=clock.now() + 2 * hour,
            now=clock.now(),
        )

        async def is_free(start: timedelta, end: timedelta) -> bool:
            window = TimeWindow(clock.now() + start, clock.now() + end)
            return bool(await search.find_vehicles(session, city.metro.id, AROUND, window=window, now=clock.now()))

        assert await is_free(timedelta(0), hour)
        assert await is_free(2 * hour, 3 * hour)
        assert not await is_free(1.5 * hour, 3 * hour)


async def test_a_box_shows_the_fleet_of_ones_metros_in_pages(session_factory: SessionFactory, city: City) -> None:
    async with session_factory.begin() as session:
        station = await factories.add_station(session, city.metro, "Depot")
        made = [(await factories.add_vehicle(session, city.metro, station_id=station.id)).id for _ in range(3)]
        await factories.add_vehicle(session, await factories.add_metro(session))
        await factories.add_vehicle(session, city.metro, at=LatLng(60, 10))
        box = Box(49, 8, 50, 9)
        first = await fleet.list_vehicles_in_box(session, box, metro_ids=[city.metro.id], limit=2)
        rest = await fleet.list_vehicles_in_box(session, box, metro_ids=[city.metro.id], after=first[-1].id, limit=2)
        broken = await fleet.list_vehicles_in_box(session, box, states=[VehicleState.MISSING], limit=9)
        everywhere = await fleet.list_vehicles_in_box(session, box, limit=9)
    assert [vehicle.id for vehicle in first + rest] == made
    assert first[0].station is not None
    assert first[0].station.name == "Depot"
    assert broken == []
    assert len(everywhere) == 4


def test_a_vehicle_is_named_by_either_of_its_ids() -> None:
    value = ids.new()
    assert VehicleRef.parse(ids.encode(ids.VEHICLE, value)) == VehicleRef(value, published=True)
    assert VehicleRef.parse(ids.encode(ids.FLEET_VEHICLE, value)) == VehicleRef(value, published=False)
    with pytest.raises(errors.InvalidInput):
        VehicleRef.parse(ids.encode(ids.STATION, value))
