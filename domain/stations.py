"""Stations: where riders find vehicles standing and room to leave one."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import ColumnElement, Double, Select, Subquery, func, literal, select, true, tuple_
from sqlalchemy.ext.asyncio import AsyncSession

from domain import fleet, search, tables
from domain.values import VehicleState, VehicleType

_STATIONS = tables.Station.__table__
_VEHICLES = tables.Vehicle.__table__
#: states of a vehicle that takes up room; the others are being ridden, away or not to be found
STANDING = (
    VehicleState.AVAILABLE,
    VehicleState.RESERVED,
    VehicleState.STOPPED,
    VehicleState.NON_OPERATIONAL,
    VehicleState.NON_CONTACTABLE,
)


@dataclass(frozen=True, slots=True)
class After:
    """The last station of the page before."""

    distance_meters: float
    station_id: UUID


@dataclass(frozen=True, slots=True)
class StationStatus:
    station: fleet.Station
    #: great circle from the point of the area
    distance_meters: float
    #: of every type
    vehicles_available: Mapping[VehicleType, int]
    #: capacity less what stands there
    free_docks: int


def _found(metro_id: UUID, area: search.Area, after: After | None, limit: int) -> Subquery:
    """The stations of the page, cut before anything is counted for them."""
    near = (
        select(*(_STATIONS.c[name] for name in fleet.STATION_COLUMNS))
        .add_columns(search.distance_meters(_STATIONS, area.near).label("distance_meters"))
        .where(_STATIONS.c.metro_id == metro_id, *search.in_box(_STATIONS, area.box))
        .subquery("near")
    )
    page = select(near)
    if area.radius_meters is not None:
        page = page.where(near.c.distance_meters <= area.radius_meters)
    if after is not None:
        key = tuple_(near.c.distance_meters, near.c.id)
        page = page.where(key > tuple_(literal(after.distance_meters, Double), literal(after.station_id)))
    return page.order_by(near.c.distance_meters, near.c.id).limit(limit).subquery("found")


def _counted(station_id: ColumnElement[UUID], now: datetime) -> Select[*tuple[Any, ...]]:
    """How many stand at a station, and how many of each type a rider could take now."""
    standing = (
        select(
            _VEHICLES.c.vehicle_type,
            ((_VEHICLES.c.state == VehicleState.AVAILABLE) & fleet.is_free(search.soon(now))).label("is_available"),
        )
        .where(_VEHICLES.c.station_id == station_id, _VEHICLES.c.state.in_(STANDING))
        .correlate_except(_VEHICLES)
        .subquery("standing")
    )
    # The type first: reservations are looked up once a vehicle, not once a type.
    of_type: list[ColumnElement[int]] = [
        func.count().filter(standing.c.vehicle_type == kind, standing.c.is_available).label(kind) for kind in VehicleType
    ]
    return select(func.count().label("standing")).add_columns(*of_type).select_from(standing)


async def find_stations(
    session: AsyncSession, metro_id: UUID, area: search.Area, *, now: datetime, after: After | None = None, limit: int
) -> list[StationStatus]:
    """Nearest first, in one statement however many there are."""
    found = _found(metro_id, area, after, limit)
    counts = _counted(found.c.id, now).lateral("counts")
    query = select(found, counts).select_from(found.join(counts, true())).order_by(found.c.distance_meters, found.c.id)
    return [_of(row) for row in (await session.execute(query)).mappings()]


def _of(row: Mapping[Any, Any]) -> StationStatus:
    station = fleet.Station(**{name: row[name] for name in fleet.STATION_COLUMNS})
    return StationStatus(
        station,
        row["distance_meters"],
        {kind: row[kind] for kind in VehicleType},
        max(0, station.capacity - row["standing"]),
    )
