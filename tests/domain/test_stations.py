"""Stations, with what stands there and what room is left."""

from __future__ import annotations

from typing import Any

from app.database import SessionFactory
from domain import reservations, search, stations
from domain.fleet import VehicleRef
from domain.search import Area
from domain.values import Box, LatLng, VehicleState, VehicleType
from tests import factories
from tests.conftest import FixedClock
from tests.domain.conftest import City

HERE = factories.CENTER


def north(meters: float) -> dict[str, Any]:
    return {"lat": HERE.lat + meters / search.METERS_PER_DEGREE, "lon": HERE.lon}


async def test_the_nearest_stations_come_first_in_pages(session_factory: SessionFactory, city: City, clock: FixedClock) -> None:
    async with session_factory.begin() as session:
        for meters in (900, 100, 100, 500, 1100):
            await factories.add_station(session, city.metro, f"{meters} m", **north(meters))
        await factories.add_station(session, await factories.add_metro(session), "elsewhere")
        seen: list[str] = []
        after = None
        while True:
            page = await stations.find_stations(
                session, city.metro.id, Area.around(HERE, 1000), now=clock.now(), after=after, limit=2
            )
            if not page:
                break
            seen += [status.station.name for status in page]
            after = stations.After(page[-1].distance_meters, page[-1].station.id)
    assert seen == ["100 m", "100 m", "500 m", "900 m"]


async def test_a_box_shows_its_corners_too_nearest_to_the_middle_first(
    session_factory: SessionFactory, city: City, clock: FixedClock
) -> None:
    box = Box(HERE.lat - 0.1, HERE.lon - 0.1, HERE.lat + 0.1, HERE.lon + 0.1)
    async with session_factory.begin() as session:
        await factories.add_station(session, city.metro, "corner", lat=box.north - 0.001, lon=box.east - 0.001)
        await factories.add_station(session, city.metro, "middle")
        await factories.add_station(session, city.metro, "outside", lat=box.north + 0.001, lon=HERE.lon)
        found = await stations.find_stations(session, city.metro.id, Area.within(box), now=clock.now(), limit=9)
    assert [status.station.name for status in found] == ["middle", "corner"]


async def test_what_stands_takes_up_room_and_what_is_free_is_counted_by_type(
    session_factory: SessionFactory, city: City, clock: FixedClock
) -> None:
    async with session_factory.begin() as session:
        station = await factories.add_station(session, city.metro, "Central", capacity=8)
        await factories.add_station(session, city.metro, "Empty", capacity=3, **north(100))
        here: dict[str, Any] = {"station_id": station.id}
        await factories.add_vehicle(session, city.metro, VehicleType.SCOOTER_STANDING, **here)
        await factories.add_vehicle(session, city.metro, VehicleType.CAR, **here)
        booked = await factories.add_vehicle(session, city.metro, VehicleType.CAR, **here)
        await reservations.reserve_vehicle(
            session,
            city.rider,
            customer_id=city.rider.account_id,
            vehicle=VehicleRef(booked.id, published=False),
            starts_at=clock.now(),
            ends_at=clock.now().replace(hour=20),
            now=clock.now(),
        )
        for state in VehicleState:
            if state is not VehicleState.AVAILABLE:
                await factories.add_vehicle(session, city.metro, state=state, **here)
        await factories.add_vehicle(session, city.metro, at=LatLng(HERE.lat, HERE.lon))  # beside the station, not at it
        central, empty = await stations.find_stations(session, city.metro.id, Area.around(HERE, 1000), now=clock.now(), limit=9)
    assert central.vehicles_available == {
        VehicleType.SCOOTER_STANDING: 1,
        VehicleType.BICYCLE: 0,
        VehicleType.CAR: 1,
        VehicleType.VAN: 0,
    }
    # three above; reserved, stopped, non-operational and silent ones stand there too
    assert central.free_docks == 1
    assert set(empty.vehicles_available.values()) == {0}
    assert empty.free_docks == 3


async def test_a_station_that_is_too_full_has_no_room_rather_than_less(
    session_factory: SessionFactory, city: City, clock: FixedClock
) -> None:
    async with session_factory.begin() as session:
        station = await factories.add_station(session, city.metro, capacity=1)
        for _ in range(3):
            await factories.add_vehicle(session, city.metro, station_id=station.id)
        (found,) = await stations.find_stations(session, city.metro.id, Area.around(HERE, 1000), now=clock.now(), limit=9)
    assert found.free_docks == 0
    assert found.vehicles_available[VehicleType.BICYCLE] == 3
