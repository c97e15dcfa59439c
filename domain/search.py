"""Search: vehicles near a point that a rider could take."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime, timedelta
from math import cos, radians
from typing import Any
from uuid import UUID

from sqlalchemy import ColumnElement, Double, FromClause, Select, cast, func, literal, select, tuple_
from sqlalchemy.ext.asyncio import AsyncSession

from domain import fleet, tables
from domain.values import EARTH_RADIUS_METERS, Box, LatLng, TimeWindow, VehicleState, VehicleType

_VEHICLES = tables.Vehicle.__table__
METERS_PER_DEGREE = 111_195
MAX_RADIUS_METERS = 20_000
#: farther than any vehicle goes
MAX_RANGE_METERS = 1_000_000


@dataclass(frozen=True, slots=True)
class After:
    """The last vehicle of the page before."""

    distance_meters: float
    published_id: UUID


def distance_meters(of: FromClause, near: LatLng) -> ColumnElement[float]:
    """Great circle by haversine from rows with lat and lon; exact enough to sort and to show."""
    half = func.power(func.sin(func.radians(of.c.lat - near.lat) / 2), 2) + literal(cos(radians(near.lat))) * func.cos(
        func.radians(of.c.lat)
    ) * func.power(func.sin(func.radians(of.c.lon - near.lon) / 2), 2)
    return cast(2 * EARTH_RADIUS_METERS * func.asin(func.sqrt(func.least(1.0, half))), Double)


def square_around(near: LatLng, radius_meters: float) -> Box:
    """The box that holds the circle."""
    lat = radius_meters / METERS_PER_DEGREE
    lon = lat / max(0.01, cos(radians(near.lat)))
    return Box(near.lat - lat, near.lon - lon, near.lat + lat, near.lon + lon)


def in_box(of: FromClause, box: Box) -> tuple[ColumnElement[bool], ColumnElement[bool]]:
    return of.c.lat.between(box.south, box.north), of.c.lon.between(box.west, box.east)


def _near(metro_id: UUID, near: LatLng, radius_meters: float, window: TimeWindow) -> Select[Any]:
    return (
        select(*fleet.COLUMNS, distance_meters(_VEHICLES, near).label("distance_meters"))
        .select_from(fleet.WITH_STATION)
        .where(
            _VEHICLES.c.metro_id == metro_id,
            _VEHICLES.c.state == VehicleState.AVAILABLE,
            *in_box(_VEHICLES, square_around(near, radius_meters)),
            fleet.is_free(window),
        )
    )


def soon(now: datetime) -> TimeWindow:
    """What a rider who looks for something to take now needs it to be free in."""
    return TimeWindow(now, now + timedelta(minutes=30))


async def find_vehicles_near(
    session: AsyncSession,
    metro_id: UUID,
    near: LatLng,
    *,
    radius_meters: int = 1000,
    types: Collection[VehicleType] = (),
    minimum_range_meters: int = 0,
    minimum_battery_percent: int = 0,
    window: TimeWindow | None = None,
    now: datetime,
    after: After | None = None,
    limit: int = 10,
) -> list[fleet.Vehicle]:
    """Vehicles in service that nobody has reserved in `window` (default: the next half hour), nearest first."""
    found = _near(metro_id, near, radius_meters, window or soon(now))
    if types:
        found = found.where(_VEHICLES.c.vehicle_type.in_(types))
    if minimum_range_meters:
        found = found.where(_VEHICLES.c.current_range_meters >= minimum_range_meters)
    if minimum_battery_percent:
        found = found.where(_VEHICLES.c.battery_percent >= minimum_battery_percent)
    rows = found.subquery("found")
    query = select(rows).where(rows.c.distance_meters <= radius_meters)
    key = tuple_(rows.c.distance_meters, rows.c.vehicle_published_id)
    if after is not None:
        query = query.where(key > tuple_(literal(after.distance_meters, Double), literal(after.published_id)))
    query = query.order_by(rows.c.distance_meters, rows.c.vehicle_published_id).limit(limit)
    return [fleet.of_columns(tuple(row)[:-1], row.distance_meters) for row in await session.execute(query)]
