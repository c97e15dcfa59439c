"""Search: vehicles near a point that a rider could take."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime, timedelta
from math import cos, radians
from typing import Any
from uuid import UUID

from sqlalchemy import ColumnElement, Double, Select, cast, func, literal, select, tuple_
from sqlalchemy.ext.asyncio import AsyncSession

from domain import fleet, tables
from domain.values import EARTH_RADIUS_METERS, LatLng, TimeWindow, VehicleState, VehicleType

_VEHICLES = tables.Vehicle.__table__
METERS_PER_DEGREE = 111_195
MAX_RADIUS_METERS = 20_000


@dataclass(frozen=True, slots=True)
class After:
    """The last vehicle of the page before."""

    distance_meters: float
    published_id: UUID


def distance_meters(near: LatLng) -> ColumnElement[float]:
    """Great circle by haversine; exact enough to sort and to show."""
    half = func.power(func.sin(func.radians(_VEHICLES.c.lat - near.lat) / 2), 2) + literal(cos(radians(near.lat))) * func.cos(
        func.radians(_VEHICLES.c.lat)
    ) * func.power(func.sin(func.radians(_VEHICLES.c.lon - near.lon) / 2), 2)
    return cast(2 * EARTH_RADIUS_METERS * func.asin(func.sqrt(func.least(1.0, half))), Double)


def _in_square(near: LatLng, radius_meters: float) -> tuple[ColumnElement[bool], ColumnElement[bool]]:
    lat = radius_meters / METERS_PER_DEGREE
    lon = lat / max(0.01, cos(radians(near.lat)))
    return (
        _VEHICLES.c.lat.between(near.lat - lat, near.lat + lat),
        _VEHICLES.c.lon.between(near.lon - lon, near.lon + lon),
    )


def _near(metro_id: UUID, near: LatLng, radius_meters: float, window: TimeWindow) -> Select[Any]:
    return (
        select(*fleet.COLUMNS, distance_meters(near).label("distance_meters"))
        .select_from(fleet.WITH_STATION)
        .where(
            _VEHICLES.c.metro_id == metro_id,
            _VEHICLES.c.state == VehicleState.AVAILABLE,
            *_in_square(near, radius_meters),
            fleet.is_free(window),
        )
    )


async def find_vehicles_near(
    session: AsyncSession,
    metro_id: UUID,
    near: LatLng,
    *,
    radius_meters: int = 1000,
    types: Collection[VehicleType] = (),
    window: TimeWindow | None = None,
    now: datetime,
    after: After | None = None,
    limit: int = 10,
) -> list[fleet.Vehicle]:
    """Vehicles in service that nobody has reserved in `window` (default: the next half hour), nearest first."""
    found = _near(metro_id, near, radius_meters, window or TimeWindow(now, now + timedelta(minutes=30)))
    if types:
        found = found.where(_VEHICLES.c.vehicle_type.in_(types))
    rows = found.subquery("found")
    query = select(rows).where(rows.c.distance_meters <= radius_meters)
    key = tuple_(rows.c.distance_meters, rows.c.vehicle_published_id)
    if after is not None:
        query = query.where(key > tuple_(literal(after.distance_meters, Double), literal(after.published_id)))
    query = query.order_by(rows.c.distance_meters, rows.c.vehicle_published_id).limit(limit)
    return [fleet.of_columns(tuple(row)[:-1], row.distance_meters) for row in await session.execute(query)]
