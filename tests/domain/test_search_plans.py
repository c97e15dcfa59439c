"""Searches stay fast with a fleet of fifty metros: no plan reads a whole table."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

import psycopg
import pytest
from sqlalchemy import event, text
from sqlalchemy.ext.asyncio import AsyncSession

from app import database
from app.settings import Settings
from domain import fleet, search, stations, zones
from domain.values import Box, LatLng, TimeWindow, VehicleState, VehicleType
from tests.databases import Databases

NOW = datetime(2026, 11, 21, 8, 30, tzinfo=UTC)
METROS, VEHICLES, STATIONS, ZONES = 50, 4_400, 150, 100
BIG = {"vehicles", "stations", "zones", "reservations"}
LATER = TimeWindow(NOW + timedelta(days=2), NOW + timedelta(days=3))
METRO = UUID("00000000-0000-0000-0000-000000000007")
#: in the middle of that metro
HERE = LatLng(47.2, 7.2)
AROUND = Box(HERE.lat - 0.01, HERE.lon - 0.01, HERE.lat + 0.01, HERE.lon + 0.01)

# Metro n lies at 40 + n degrees north; every id of a row tells its number. A tenth of the fleet is reserved, and as many
# reservations are over.
FILL = f"""
select setseed(0.5);
create function pg_temp.id(n bigint) returns uuid language sql immutable as
  $$ select lpad(to_hex(n), 32, '0')::uuid $$;
insert into metros (id, slug, name, country_code, timezone, currency, languages, lat, lon, south, west, north, east, map_digest,
    attribution, is_default, hold_ahead_minutes, hold_lapse_minutes, ride_max_hours, booking_ahead_days, booking_min_minutes,
    booking_max_days, proposal_minutes, created_at)
  select pg_temp.id(n), 'metro-' || n, 'Metro', 'DE', 'Europe/Berlin', 'EUR', array['de'], 40.2 + n, 7.2, 40 + n, 7, 40.4 + n,
    7.4, 'digest-' || n, 'OpenStreetMap', false, 30, 15, 12, 7, 15, 7, 5, now() from generate_series(1, {METROS}) n;
insert into stations (id, metro_id, name, lat, lon, h3_cell, capacity, is_charging_station, osm_ref)
  select pg_temp.id(n * 1000 + s), pg_temp.id(n), 'Station', 40 + n + random() * 0.4, 7 + random() * 0.4, s, 20, true,
    'node/' || s from generate_series(1, {METROS}) n, generate_series(1, {STATIONS}) s;
insert into zones (id, metro_id, name, geometry, ride_start_allowed, ride_end_allowed, ride_through_allowed)
  select gen_random_uuid(), pg_temp.id(n), 'Zone ' || z, '{{"type": "MultiPolygon", "coordinates": []}}', true, false, true
  from generate_series(1, {METROS}) n, generate_series(1, {ZONES}) z;
insert into vehicles (id, metro_id, published_id, vehicle_type, state, plate, battery_percent, current_range_meters,
    odometer_meters, lat, lon, h3_cell, station_id, updated_at)
  select pg_temp.id(n * 100000 + v), pg_temp.id(n), pg_temp.id(n * 100000 + v),
    case when v <= 2000 then 'bicycle' when v <= 4000 then 'scooter_standing' when v <= 4200 then 'car' else 'van' end,
    case v % 10 when 0 then 'reserved' when 1 then 'non_operational' else 'available' end, 'P-' || v, v % 101, v % 101 * 500, 0,
    40 + n + random() * 0.4, 7 + random() * 0.4, v, case when v % 4 = 0 then pg_temp.id(n * 1000 + 1 + v % {STATIONS}) end, now()
  from generate_series(1, {METROS}) n, generate_series(1, {VEHICLES}) v;
insert into customers (id, email, name, language, created_at) values (pg_temp.id(1), 'robin@example.org', 'Robin', 'en', now());
insert into tariffs (id, metro_id, vehicle_type, version, currency, unlock_minor, per_minute_minor, vat_percent, valid_from)
  select pg_temp.id(n), pg_temp.id(n), 'bicycle', 1, 'EUR', 100, 15, 19, now() from generate_series(1, {METROS}) n;
insert into reservations (id, metro_id, customer_id, vehicle_id, published_vehicle_id, vehicle_type, tariff_id, state, starts_at,
    blocked, currency, created_at)
  select gen_random_uuid(), metro_id, pg_temp.id(1), id, id, 'bicycle', pg_temp.id(7),
    case again when 0 then 'confirmed' else 'ended' end, '2026-11-21 08:00Z', '[2026-11-21 08:00Z, 2026-11-21 20:00Z)',
    'EUR', now() from vehicles, generate_series(0, 1) again where state = 'reserved';
"""


@pytest.fixture(scope="session")
def fifty_metros(databases: Databases) -> str:
    def fill(url: str) -> None:
        with psycopg.connect(url, autocommit=True) as connection:
            # Nothing here points at what is not there: looking for it a million times is most of the work.
            connection.execute("set session_replication_role = replica")
            connection.execute(FILL.encode())
            connection.execute("vacuum analyze vehicles, stations, zones, reservations, metros")

    return databases.url_of(databases.template("fifty_metros", fill, base=databases.template("empty", database.migrate)))


@pytest.fixture
async def session(fifty_metros: str) -> AsyncIterator[AsyncSession]:
    async with database.opened(Settings(), fifty_metros) as factory, factory() as session:
        yield session


def near(*, radius_meters: int = 1000, **given: Any) -> Callable[[AsyncSession], Awaitable[Any]]:
    area = search.Area.around(HERE, radius_meters)
    return lambda session: search.find_vehicles(session, METRO, area, now=NOW, limit=51, **given)


def within(where: Box, **given: Any) -> Callable[[AsyncSession], Awaitable[Any]]:
    return lambda session: search.find_vehicles(session, METRO, search.Area.within(where), now=NOW, limit=51, **given)


def box(where: Box = AROUND, **given: Any) -> Callable[[AsyncSession], Awaitable[Any]]:
    return lambda session: fleet.list_vehicles_in_box(session, where, limit=51, **given)


def stations_in(area: search.Area, **given: Any) -> Callable[[AsyncSession], Awaitable[Any]]:
    return lambda session: stations.find_stations(session, METRO, area, now=NOW, limit=51, **given)


def zones_of(**given: Any) -> Callable[[AsyncSession], Awaitable[Any]]:
    return lambda session: zones.list_zones(session, METRO, limit=51, **given)


SEARCHES = {
    "the nearest": near(),
    "the nearest cars, far around, well charged": near(
        radius_meters=20_000, types=[VehicleType.CAR], minimum_range_meters=20_000, minimum_battery_percent=50
    ),
    "the next page of the nearest": near(radius_meters=5_000, after=search.After(500.0, UUID(int=0))),
    "a box of riders": within(AROUND),
    "the next page of a wide box of riders": within(Box(45, 6, 49.9, 8), after=search.After(500.0, UUID(int=0))),
    "cars for a later window": near(radius_meters=5_000, types=[VehicleType.CAR, VehicleType.VAN], window=LATER),
    "a box of every metro": box(),
    "a box of one metro": box(metro_ids=[METRO]),
    "what is broken in a box": box(metro_ids=[METRO], states=[VehicleState.NON_OPERATIONAL]),
    "the next page of a wide box": box(Box(45, 6, 49.9, 8), after=UUID(int=1)),
    "stations around": stations_in(search.Area.around(HERE, 5_000)),
    "the next page of stations far around": stations_in(
        search.Area.around(HERE, 20_000), after=stations.After(5_000.0, UUID(int=0))
    ),
    "stations in a box": stations_in(search.Area.within(AROUND)),
    "zones": zones_of(),
    "the next page of zones": zones_of(after="Zone 50"),
}


async def plan_of(session: AsyncSession, run: Callable[[AsyncSession], Awaitable[Any]]) -> dict[str, Any]:
    """How the one statement of a search was run."""
    sent: list[tuple[str, Any]] = []
    connection = await session.connection()

    def note(_connection: Any, _cursor: Any, statement: str, parameters: Any, *_rest: Any) -> None:
        sent.append((statement, parameters))

    event.listen(connection.sync_connection, "before_cursor_execute", note)
    await run(session)
    event.remove(connection.sync_connection, "before_cursor_execute", note)
    ((statement, parameters),) = sent
    explained = await connection.exec_driver_sql(f"explain (analyze, format json) {statement}", parameters)
    found = explained.scalar_one()
    plan: dict[str, Any] = (json.loads(found) if isinstance(found, str) else found)[0]["Plan"]
    return plan


def nodes(plan: dict[str, Any]) -> Iterator[dict[str, Any]]:
    yield plan
    for inner in plan.get("Plans", ()):
        yield from nodes(inner)


async def test_the_fleet_is_as_large_as_it_may_become(session: AsyncSession) -> None:
    counts = await session.execute(text("select (select count(*) from vehicles), (select count(*) from stations)"))
    assert tuple(counts.one()) == (METROS * VEHICLES, METROS * STATIONS)


@pytest.mark.parametrize("name", SEARCHES)
async def test_a_search_reads_no_whole_table(session: AsyncSession, name: str) -> None:
    plan = await plan_of(session, SEARCHES[name])
    scans = [node for node in nodes(plan) if node.get("Relation Name") in BIG]
    assert scans
    assert [node["Relation Name"] for node in scans if node["Node Type"] == "Seq Scan"] == []


@pytest.mark.parametrize("name", [name for name in SEARCHES if "wide" not in name])
async def test_a_search_touches_no_more_than_its_metro(session: AsyncSession, name: str) -> None:
    """An index that is read from end to end is no sequential scan, and as slow as one."""
    plan = await plan_of(session, SEARCHES[name])
    for node in nodes(plan):
        if node.get("Relation Name") in BIG:
            touched = node["Actual Rows"] + node.get("Rows Removed by Filter", 0) + node.get("Rows Removed by Index Recheck", 0)
            assert touched * node["Actual Loops"] <= VEHICLES, node
