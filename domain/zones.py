"""Zones: areas of a metro with rules for starting, ending and riding."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise
from math import cos, hypot, radians, sqrt
from typing import Any
from uuid import UUID

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from domain import errors, tables
from domain.values import LatLng

_ZONES = tables.Zone.__table__


@dataclass(frozen=True, slots=True)
class Zone:
    id: UUID
    metro_id: UUID
    name: str
    #: GeoJSON MultiPolygon
    geometry: dict[str, Any]
    ride_start_allowed: bool
    ride_end_allowed: bool
    ride_through_allowed: bool
    maximum_speed_kph: int | None


_COLUMNS = [_ZONES.c[name] for name in Zone.__slots__]


async def list_zones(session: AsyncSession, metro_id: UUID, *, after: str | None = None, limit: int) -> list[Zone]:
    """By name, which is one zone's of the metro. `after`: the last name of the page before."""
    query = select(*_COLUMNS).where(_ZONES.c.metro_id == metro_id)
    if after is not None:
        query = query.where(_ZONES.c.name > after)
    return [Zone(*row) for row in await session.execute(query.order_by(_ZONES.c.name).limit(limit))]


async def get_zone(session: AsyncSession, zone_id: UUID) -> Zone:
    row = (await session.execute(select(*_COLUMNS).where(_ZONES.c.id == zone_id))).one_or_none()
    if row is None:
        raise errors.NotFound("There is no such zone.")
    return Zone(*row)


Ring = Sequence[Sequence[float]]
#: how far beyond an edge a point is surely outside
BEYOND_METERS = 5.0
_METERS_PER_DEGREE = 111_195.0


def holds(zone: Zone, point: LatLng) -> bool:
    """Whether the point lies in it, and in none of its holes (even-odd rule)."""
    return any(sum(_crosses(ring, point) for ring in polygon) % 2 for polygon in zone.geometry["coordinates"])


def _crosses(ring: Ring, point: LatLng) -> int:
    """How often a ray to the east crosses the ring."""
    count = 0
    for (lon_a, lat_a, *_), (lon_b, lat_b, *_) in pairwise(ring):
        if (lat_a > point.lat) != (lat_b > point.lat):
            count += point.lon < lon_a + (point.lat - lat_a) / (lat_b - lat_a) * (lon_b - lon_a)
    return count


def edges_near(zone: Zone, point: LatLng) -> Iterator[LatLng]:
    """Of every edge, the place just beyond that of its points which is nearest."""
    east_scale = max(0.01, cos(radians(point.lat)))
    for polygon in zone.geometry["coordinates"]:
        for ring in polygon:
            for start, end in pairwise(ring):
                # In meters from the point, on a plane: zones are small.
                ax, ay = (start[0] - point.lon) * east_scale, start[1] - point.lat
                bx, by = (end[0] - point.lon) * east_scale, end[1] - point.lat
                dx, dy = bx - ax, by - ay
                length = dx * dx + dy * dy
                if not length:
                    continue
                along = min(1.0, max(0.0, -(ax * dx + ay * dy) / length))
                x, y = ax + along * dx, ay + along * dy
                way = hypot(x, y)
                # From a point on the edge itself, straight away from it.
                ux, uy = (x / way, y / way) if way > 1e-9 else (dy / sqrt(length), -dx / sqrt(length))
                beyond = BEYOND_METERS / _METERS_PER_DEGREE
                yield LatLng(point.lat + y + uy * beyond, point.lon + (x + ux * beyond) / east_scale)


async def list_no_parking(session: AsyncSession, metro_id: UUID) -> list[Zone]:
    """All zones of a metro in which no ride may end."""
    query = select(*_COLUMNS).where(_ZONES.c.metro_id == metro_id, ~_ZONES.c.ride_end_allowed).order_by(_ZONES.c.name)
    return [Zone(*row) for row in await session.execute(query)]


async def find_no_start(session: AsyncSession, metro_id: UUID, point: LatLng) -> Zone | None:
    """The first zone, by name, in which the point lies and no ride may start."""
    query = select(*_COLUMNS).where(_ZONES.c.metro_id == metro_id, ~_ZONES.c.ride_start_allowed).order_by(_ZONES.c.name)
    found = (Zone(*row) for row in await session.execute(query))
    return next((zone for zone in found if holds(zone, point)), None)
