"""Search: vehicles that a rider could take, near a point or in a box, nearest first."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import cache
from math import cos, radians
from typing import Any
from uuid import UUID

from sqlalchemy import (
    BindParameter,
    ColumnElement,
    Double,
    FromClause,
    Integer,
    Select,
    Uuid,
    bindparam,
    cast,
    func,
    literal,
    select,
    tuple_,
)
from sqlalchemy.dialects.postgresql import TSTZRANGE
from sqlalchemy.ext.asyncio import AsyncSession

from domain import fleet, tables
from domain.values import EARTH_RADIUS_METERS, Box, LatLng, TimeWindow, VehicleState, VehicleType

_VEHICLES = tables.Vehicle.__table__
_STATIONS = tables.Station.__table__
METERS_PER_DEGREE = 111_195
MAX_RADIUS_METERS = 20_000
#: farther than any vehicle goes
MAX_RANGE_METERS = 1_000_000
#: States of what may be booked for a window: its calendar decides, not that it is somebody's until then. One that is being
#: driven is left out, although it may be reserved: its position would show everybody where its driver is.
TAKEN_BY_CALENDAR = (VehicleState.AVAILABLE, VehicleState.RESERVED)


@dataclass(frozen=True, slots=True)
class Area:
    """What is searched: within a box, nearest to a point first, and no farther from it than that."""

    box: Box
    near: LatLng
    radius_meters: float | None = None

    @classmethod
    def around(cls, near: LatLng, radius_meters: float) -> Area:
        return cls(square_around(near, radius_meters), near, radius_meters)

    @classmethod
    def within(cls, box: Box) -> Area:
        return cls(box, LatLng((box.south + box.north) / 2, (box.west + box.east) / 2))


@dataclass(frozen=True, slots=True)
class After:
    """The last vehicle of the page before."""

    distance_meters: float
    published_id: UUID


def distance_meters(of: FromClause, near: LatLng) -> ColumnElement[float]:
    """Great circle by haversine from rows with lat and lon; exact enough to sort and to show."""
    return _great_circle(of, literal(near.lat, Double), literal(near.lon, Double), literal(cos(radians(near.lat)), Double))


def _great_circle(
    of: FromClause, lat: ColumnElement[float], lon: ColumnElement[float], cos_lat: ColumnElement[float]
) -> ColumnElement[float]:
    half = func.power(func.sin(func.radians(of.c.lat - lat) / 2), 2) + cos_lat * func.cos(func.radians(of.c.lat)) * func.power(
        func.sin(func.radians(of.c.lon - lon) / 2), 2
    )
    return cast(2 * EARTH_RADIUS_METERS * func.asin(func.sqrt(func.least(1.0, half))), Double)


def square_around(near: LatLng, radius_meters: float) -> Box:
    """The box that holds the circle."""
    lat = radius_meters / METERS_PER_DEGREE
    lon = lat / max(0.01, cos(radians(near.lat)))
    return Box(near.lat - lat, near.lon - lon, near.lat + lat, near.lon + lon)


def in_box(of: FromClause, box: Box) -> tuple[ColumnElement[bool], ColumnElement[bool]]:
    return of.c.lat.between(box.south, box.north), of.c.lon.between(box.west, box.east)


def _number(name: str) -> BindParameter[float]:
    return bindparam(name, type_=Double)


def _found(said: Collection[str], is_later: bool) -> Select[Any]:
    column = _VEHICLES.c
    distance = _great_circle(_VEHICLES, _number("lat"), _number("lon"), _number("cos_lat"))
    found = select(*fleet.OWN_COLUMNS, column.station_id, distance.label("distance_meters")).where(
        column.metro_id == bindparam("metro"),
        column.state.in_(TAKEN_BY_CALENDAR) if is_later else column.state == VehicleState.AVAILABLE,
        column.lat.between(_number("south"), _number("north")),
        column.lon.between(_number("west"), _number("east")),
        fleet.is_free(bindparam("window", type_=TSTZRANGE)),
    )
    if "types" in said:
        found = found.where(column.vehicle_type.in_(bindparam("types", expanding=True)))
    if "range" in said:
        found = found.where(column.current_range_meters >= bindparam("range"))
    if "battery" in said:
        found = found.where(column.battery_percent >= bindparam("battery"))
    return found


@cache
def _statement(said: frozenset[str], is_later: bool) -> Select[Any]:
    """Made once for what a search says: building and keying it costs more than running it. Cut before stations are joined:
    a wide search looks up no more of them than a narrow one."""
    near = _found(said, is_later).subquery("near")
    page = select(near)
    if "radius" in said:
        page = page.where(near.c.distance_meters <= _number("radius"))
    key = (near.c.distance_meters, near.c.vehicle_published_id)
    if "after_id" in said:
        page = page.where(tuple_(*key) > tuple_(_number("after_distance"), bindparam("after_id", type_=Uuid)))
    cut = page.order_by(*key).limit(bindparam("limit", type_=Integer)).subquery("found")
    # Known anyway, and said so that no plan reads the stations of all metros.
    in_metro = _STATIONS.c.metro_id == bindparam("metro")
    own = [cut.c[column.name] for column in fleet.OWN_COLUMNS]
    return (
        select(*own, *fleet.COLUMNS_OF_STATION, cut.c.distance_meters)
        .select_from(cut.outerjoin(_STATIONS, in_metro & (_STATIONS.c.id == cut.c.station_id)))
        .order_by(cut.c.distance_meters, cut.c.vehicle_published_id)
    )


def soon(now: datetime) -> TimeWindow:
    """What a rider who looks for something to take now needs it to be free in."""
    return TimeWindow(now, now + timedelta(minutes=30))


async def find_vehicles(
    session: AsyncSession,
    metro_id: UUID,
    area: Area,
    *,
    types: Collection[VehicleType] = (),
    minimum_range_meters: int = 0,
    minimum_battery_percent: int = 0,
    window: TimeWindow | None = None,
    now: datetime,
    after: After | None = None,
    limit: int = 10,
) -> list[fleet.Vehicle]:
    """Vehicles in service that nobody has reserved in `window` (default: the next half hour), nearest first."""
    optional = {
        "radius": area.radius_meters,
        "types": list(types) or None,
        "range": minimum_range_meters or None,
        "battery": minimum_battery_percent or None,
        "after_distance": None if after is None else after.distance_meters,
        "after_id": None if after is None else after.published_id,
    }
    said = {name: value for name, value in optional.items() if value is not None}
    span = fleet.range_of(window or soon(now))
    given = {"metro": metro_id, "window": span, "limit": limit, **_bounds(area), **said}
    rows = await session.execute(_statement(frozenset(said), window is not None), given)
    return [fleet.of_columns(values[:-1], values[-1]) for values in map(tuple, rows)]


def _bounds(area: Area) -> dict[str, float]:
    near, box = area.near, area.box
    middle = {"lat": near.lat, "lon": near.lon, "cos_lat": cos(radians(near.lat))}
    return {**middle, "south": box.south, "west": box.west, "north": box.north, "east": box.east}
