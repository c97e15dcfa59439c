"""Seeding: a metro from a map, demo accounts, and the same again."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime
from itertools import pairwise
from pathlib import Path
from typing import Any
from uuid import UUID

import h3
import pytest
from sqlalchemy import delete, func, select, update

from app import city, database, new_metro, osm, seed, tiles
from app.database import SessionFactory
from domain import tables
from domain.actor import Role
from domain.values import LatLng, LicenceState, VehicleState, VehicleType
from tests import factories
from tests.app import map_files
from tests.conftest import PATIENT, FixedClock
from tests.databases import Databases

_TABLES = [tables.Metro, tables.Place, tables.Station, tables.Zone, tables.Tariff, tables.Vehicle]


class CountingHasher:
    """Marks instead of hashing; real hashing is slow on purpose and has tests of its own."""

    def __init__(self) -> None:
        self.hashed = 0

    async def hash(self, password: str) -> str:
        self.hashed += 1
        return f"hashed:{password}"

    async def verify(self, password: str, hashed: str | None) -> bool:
        return hashed == f"hashed:{password}"


async def _rows(session_factory: SessionFactory, table: Any) -> list[Any]:
    async with session_factory() as session:
        return list(await session.scalars(select(table)))


async def _counts(session_factory: SessionFactory) -> dict[str, int]:
    async with session_factory() as session:
        return {table.__tablename__: await session.scalar(select(func.count()).select_from(table)) or 0 for table in _TABLES}


@pytest.fixture
def now(clock: FixedClock) -> Callable[[], datetime]:
    return clock.now


@pytest.fixture(scope="session")
def seeded(databases: Databases, map_data: Path, city_file: Path, city_tiles: Path) -> str:
    """Template of a database into which the generated city was seeded once."""

    async def seed_it(url: str) -> None:
        async with database.opened(PATIENT, url) as sessions:
            await seed.seed_metro(sessions, data_dir=map_data, map_path=city_file, clock_now=FixedClock().now)

    def fill(url: str) -> None:
        with ThreadPoolExecutor(1) as beside_any_loop:
            beside_any_loop.submit(asyncio.run, seed_it(url)).result()

    return databases.template("nimburg", fill, base=databases.template("empty", database.migrate))


@pytest.fixture
def database_url(request: pytest.FixtureRequest, databases: Databases) -> Iterator[str]:
    """With the generated city for who asks for it, else without rows."""
    has_city = "nimburg" in request.fixturenames
    template = request.getfixturevalue("seeded") if has_city else databases.template("empty", database.migrate)
    url = databases.clone(template)
    yield url
    databases.drop(url)


@pytest.fixture
async def nimburg(session_factory: SessionFactory) -> UUID:
    (metro,) = await _rows(session_factory, tables.Metro)
    found: UUID = metro.id
    return found


async def test_a_whole_city_is_seeded(
    session_factory: SessionFactory, map_data: Path, city_file: Path, city_tiles: Path, now: Callable[[], datetime]
) -> None:
    await seed.seed_metro(session_factory, data_dir=map_data, map_path=city_file, clock_now=now)
    types = Counter(vehicle.vehicle_type for vehicle in await _rows(session_factory, tables.Vehicle))
    assert types == {
        VehicleType.SCOOTER_STANDING: 2000,
        VehicleType.BICYCLE: 2000,
        VehicleType.CAR: 200,
        VehicleType.VAN: 200,
    }


async def test_cars_and_vans_stand_at_chargers_with_room_left(session_factory: SessionFactory, nimburg: UUID) -> None:
    stations = {station.id: station for station in await _rows(session_factory, tables.Station)}
    parked = Counter[UUID]()
    for vehicle in await _rows(session_factory, tables.Vehicle):
        if vehicle.vehicle_type in (VehicleType.CAR, VehicleType.VAN):
            station = stations[vehicle.station_id]
            assert station.is_charging_station
            assert LatLng(station.lat, station.lon).meters_to(LatLng(vehicle.lat, vehicle.lon)) < 20
        if vehicle.station_id is not None:
            parked[vehicle.station_id] += 1
    assert all(count <= stations[station_id].capacity for station_id, count in parked.items())


async def test_most_vehicles_can_be_rented_and_flat_ones_cannot(session_factory: SessionFactory, nimburg: UUID) -> None:
    vehicles = await _rows(session_factory, tables.Vehicle)
    available = [vehicle for vehicle in vehicles if vehicle.state is VehicleState.AVAILABLE]
    assert len(available) > len(vehicles) * 0.9
    assert min(vehicle.battery_percent for vehicle in available) >= 12
    assert all(vehicle.current_range_meters > 0 for vehicle in available)


async def test_cells_are_those_of_the_positions(session_factory: SessionFactory, nimburg: UUID) -> None:
    for table in (tables.Vehicle, tables.Station, tables.Place):
        for row in await _rows(session_factory, table):
            assert row.h3_cell == h3.str_to_int(h3.latlng_to_cell(row.lat, row.lon, 9))


async def test_no_scooter_is_left_in_the_pedestrian_area(session_factory: SessionFactory, nimburg: UUID) -> None:
    zones = {zone.name: zone for zone in await _rows(session_factory, tables.Zone)}
    area = zones["Pedestrian area"]
    assert not area.ride_end_allowed
    assert zones["Slow zone"].maximum_speed_kph == 15
    assert area.geometry["type"] == "MultiPolygon"
    cells = set(h3.geo_to_cells(area.geometry, 10))
    scooters = [
        vehicle
        for vehicle in await _rows(session_factory, tables.Vehicle)
        if vehicle.vehicle_type is VehicleType.SCOOTER_STANDING
    ]
    inside = [scooter for scooter in scooters if h3.latlng_to_cell(scooter.lat, scooter.lon, 10) in cells]
    assert len(inside) < len(scooters) * 0.01  # a step across its border


async def test_zones_are_drawn_as_geojson_wants_it(session_factory: SessionFactory, nimburg: UUID) -> None:
    def area(ring: list[list[float]]) -> float:
        return sum(here[0] * there[1] - there[0] * here[1] for here, there in pairwise(ring))

    for zone in await _rows(session_factory, tables.Zone):
        parts = zone.geometry["coordinates"]
        assert parts
        for outer, *holes in parts:
            assert all(ring[0] == ring[-1] for ring in (outer, *holes))
            assert area(outer) > 0, "counterclockwise around the outside"
            assert all(area(hole) < 0 for hole in holes), "clockwise around holes"


async def test_every_type_has_a_tariff_in_the_currency_and_vat_of_the_country(
    session_factory: SessionFactory, nimburg: UUID
) -> None:
    tariffs = await _rows(session_factory, tables.Tariff)
    assert {tariff.vehicle_type for tariff in tariffs} == set(VehicleType)
    assert {(tariff.currency, tariff.vat_percent, tariff.version) for tariff in tariffs} == {("EUR", 19, 1)}


async def test_seeding_again_changes_nothing_and_loses_nothing(
    session_factory: SessionFactory, nimburg: UUID, map_data: Path, city_file: Path, now: Callable[[], datetime]
) -> None:
    before = await _counts(session_factory)
    async with session_factory.begin() as session:
        moved = await session.scalar(select(tables.Vehicle.id).limit(1))
        await session.execute(update(tables.Vehicle).where(tables.Vehicle.id == moved).values(lat=1.5, battery_percent=3))
    again = await seed.seed_metro(session_factory, data_dir=map_data, map_path=city_file, clock_now=now)
    assert again == nimburg
    assert await _counts(session_factory) == before
    async with session_factory() as session:
        vehicle = await session.get_one(tables.Vehicle, moved)
        assert (vehicle.lat, vehicle.battery_percent) == (1.5, 3)


async def test_two_processes_seeding_at_once_make_one_metro(
    session_factory: SessionFactory, map_data: Path, city_file: Path, city_tiles: Path, now: Callable[[], datetime]
) -> None:
    small = {VehicleType.SCOOTER_STANDING: 10, VehicleType.CAR: 2}
    both = await asyncio.gather(
        *(seed.seed_metro(session_factory, data_dir=map_data, map_path=city_file, clock_now=now, fleet=small) for _ in range(2))
    )
    assert both[0] == both[1]
    counts = await _counts(session_factory)
    assert (counts["metros"], counts["vehicles"]) == (1, 12)


async def test_the_fleet_of_a_map_stands_at_the_same_places_everywhere(
    session_factory: SessionFactory, nimburg: UUID, city_map: osm.CityMap, clock: FixedClock
) -> None:
    stations = new_metro.station_rows(city_map, nimburg)
    rows = new_metro.vehicle_rows(city_map, nimburg, stations, new_metro.FLEET, clock.now())
    expected = {(row["plate"], row["lat"], row["lon"], row["battery_percent"]) for row in rows}
    vehicles = await _rows(session_factory, tables.Vehicle)
    assert {(row.plate, row.lat, row.lon, row.battery_percent) for row in vehicles} == expected


async def test_the_newest_map_becomes_the_default(
    session_factory: SessionFactory, nimburg: UUID, map_data: Path, tmp_path: Path, now: Callable[[], datetime]
) -> None:
    newer = city.generate_city(tmp_path / "newer.osm.pbf", seed=3)
    small = {VehicleType.CAR: 1}
    second = await seed.seed_metro(session_factory, data_dir=map_data, map_path=newer, clock_now=now, fleet=small)
    metros = {metro.id: metro for metro in await _rows(session_factory, tables.Metro)}
    assert len(metros) == 2
    assert (metros[nimburg].is_default, metros[second].is_default) == (False, True)
    assert metros[nimburg].slug == "nimburg"
    assert metros[second].slug.startswith("nimburg-")
    stays = await seed.seed_metro(session_factory, data_dir=map_data, map_path=None, clock_now=now)
    assert stays == second


async def test_a_real_city_goes_down_the_same_road(
    session_factory: SessionFactory, map_data: Path, now: Callable[[], datetime]
) -> None:
    real = map_files.real_map()
    metro_id = await seed.seed_metro(session_factory, data_dir=map_data, map_path=real, clock_now=now)
    async with session_factory() as session:
        metro = await session.get_one(tables.Metro, metro_id)
    assert (metro.slug, metro.currency, metro.languages) == ("heidelberg", "EUR", ["de", "en"])
    assert tiles.map_copy(map_data, metro.map_digest) is not None
    assert (await _counts(session_factory))["vehicles"] == 4400


async def test_without_a_map_a_demo_makes_up_its_city(
    session_factory: SessionFactory, tmp_path: Path, now: Callable[[], datetime]
) -> None:
    hasher = CountingHasher()
    arguments: dict[str, Any] = {"data_dir": tmp_path, "map_path": None, "hasher": hasher, "clock_now": now, "demo": True}
    metro_id = await seed.seed(session_factory, **arguments)
    assert await seed.seed(session_factory, **arguments) == metro_id
    assert hasher.hashed == 1
    assert [metro.name for metro in await _rows(session_factory, tables.Metro)] == ["Nimburg"]
    riders = {rider.email: rider.password_hash for rider in await _rows(session_factory, tables.Customer)}
    assert riders["rider@nimrod.example"] == "hashed:nimrod-demo"
    staff = {person.email: (person.role, person.metro_ids) for person in await _rows(session_factory, tables.Staff)}
    assert staff["dispatcher@nimrod.example"] == (Role.DISPATCHER, None)


async def test_demo_riders_of_before_get_a_licence_and_keep_the_one_they_submitted(
    session_factory: SessionFactory, now: Callable[[], datetime]
) -> None:
    hasher = CountingHasher()
    await seed.seed_demo_accounts(session_factory, hasher=hasher, clock_now=now)
    async with session_factory.begin() as session:
        first = (await session.scalars(select(tables.DrivingLicence).limit(1))).one()
        await session.execute(delete(tables.DrivingLicence).where(tables.DrivingLicence.id != first.id))
        first.state, first.reason = LicenceState.REJECTED, "Blurred."
        await factories.add_customer(session, has_licence=False)
    await seed.seed_demo_accounts(session_factory, hasher=hasher, clock_now=now)
    assert hasher.hashed == 1
    states = Counter(licence.state for licence in await _rows(session_factory, tables.DrivingLicence))
    assert states == {LicenceState.REJECTED: 1, LicenceState.VERIFIED: 3}, "nobody but demo riders gets one"


async def test_without_a_demo_nobody_gets_a_known_password_and_no_city_is_made_up(
    session_factory: SessionFactory, tmp_path: Path, now: Callable[[], datetime]
) -> None:
    hasher = CountingHasher()
    made = await seed.seed(session_factory, data_dir=tmp_path, map_path=None, hasher=hasher, clock_now=now, demo=False)
    assert made is None
    assert await _rows(session_factory, tables.Customer) == []
    assert await _rows(session_factory, tables.Metro) == []


async def test_a_file_that_is_no_map_is_refused_and_leaves_nothing(
    session_factory: SessionFactory, tmp_path: Path, now: Callable[[], datetime]
) -> None:
    broken = tmp_path / "holiday.osm.pbf"
    broken.write_bytes(b"this is no map")
    with pytest.raises(ValueError, match=r"holiday\.osm\.pbf"):
        await seed.seed_metro(session_factory, data_dir=tmp_path / "data", map_path=broken, clock_now=now)
    assert await _rows(session_factory, tables.Metro) == []
    assert not (tmp_path / "data").exists()
