"""Demand that was not met: counted by zone, hour and type, and of nobody."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime
from uuid import UUID

from sqlalchemy import inspect, select

from app.database import SessionFactory
from domain import demand, ids, tables
from domain.values import LatLng, VehicleType
from tests import factories
from tests.conftest import FixedClock
from tests.domain.conftest import City

HERE = factories.CENTER
BIKE, CAR = VehicleType.BICYCLE, VehicleType.CAR


async def counts(sessions: SessionFactory) -> dict[tuple[datetime, VehicleType | None], int]:
    async with sessions() as session:
        rows = (await session.execute(select(tables.UnmetDemand))).scalars().all()
    return {(row.hour, row.vehicle_type): row.count for row in rows}


async def test_searches_of_an_hour_are_counted_by_type(session_factory: SessionFactory, city: City, clock: FixedClock) -> None:
    async def searched(*types: VehicleType) -> None:
        async with session_factory.begin() as session:
            await demand.count_unmet(session, city.metro.id, HERE, types, now=clock.now())

    for types in ((), (), (BIKE,), (CAR, BIKE, CAR)):
        await searched(*types)
    clock.advance(minutes=29, seconds=59)
    await searched()
    clock.advance(seconds=1)
    await searched()
    eight, nine = (datetime(2026, 11, 21, hour, tzinfo=UTC) for hour in (8, 9))
    assert await counts(session_factory) == {(eight, None): 3, (eight, BIKE): 2, (eight, CAR): 1, (nine, None): 1}


async def test_searches_at_the_same_time_are_all_counted(session_factory: SessionFactory, city: City, clock: FixedClock) -> None:
    async def searched(types: list[VehicleType]) -> None:
        async with session_factory.begin() as session:
            await demand.count_unmet(session, city.metro.id, HERE, types, now=clock.now())

    await asyncio.gather(*(searched([BIKE, CAR] if number % 2 else [CAR, BIKE]) for number in range(20)))
    assert set((await counts(session_factory)).values()) == {20}


async def test_nothing_is_counted_outside_the_metro_or_in_none(
    session_factory: SessionFactory, city: City, clock: FixedClock
) -> None:
    async def searched(metro_id: UUID, near: LatLng) -> None:
        async with session_factory.begin() as session:
            await demand.count_unmet(session, metro_id, near, (), now=clock.now())

    await searched(city.metro.id, LatLng(-49.4, 8.7))
    await searched(city.metro.id, LatLng(49.4, -8.7))
    await searched(ids.new(), HERE)
    assert await counts(session_factory) == {}


def test_a_zone_tells_no_door() -> None:
    house, next_door = HERE, LatLng(HERE.lat + 0.0005, HERE.lon)
    assert demand.zone_of(house) == demand.zone_of(next_door)
    assert demand.zone_of(house) != demand.zone_of(LatLng(HERE.lat + 0.02, HERE.lon))


def test_the_table_has_no_room_for_a_person_or_a_position() -> None:
    columns = {column.key for column in inspect(tables.UnmetDemand).columns}
    assert columns == {"id", "metro_id", "h3_cell", "hour", "vehicle_type", "count"}
