"""The fleet: vehicles as riders search them and as staff see and correct them."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any, cast
from uuid import UUID

import h3
from sqlalchemy import ColumnElement, Row, Select, Table, any_, bindparam, func, literal, select, update
from sqlalchemy.dialects.postgresql import TSTZRANGE, Range
from sqlalchemy.ext.asyncio import AsyncSession

from domain import actor, errors, eventlog, ids, tables
from domain.tables import geography, reservations
from domain.values import Box, LatLng, TimeWindow, VehicleState, VehicleType

_VEHICLES = tables.Vehicle.__table__
_STATIONS = tables.Station.__table__
_RESERVATIONS = tables.Reservation.__table__


@dataclass(frozen=True, slots=True)
class VehicleRef:
    """A vehicle named by its permanent id or by the one published to riders."""

    id: UUID
    published: bool

    @classmethod
    def parse(cls, public_id: str, *, path: str = "vehicleId") -> VehicleRef:
        value = ids.decode(public_id, ids.VEHICLE, ids.FLEET_VEHICLE, path=path)
        return cls(value, ids.prefix_of(public_id) == ids.VEHICLE)


@dataclass(frozen=True, slots=True)
class Station:
    id: UUID
    metro_id: UUID
    name: str
    lat: float
    lon: float
    capacity: int
    is_charging_station: bool


@dataclass(frozen=True, slots=True)
class Vehicle:
    id: UUID
    published_id: UUID
    metro_id: UUID
    vehicle_type: VehicleType
    state: VehicleState
    plate: str
    battery_percent: int
    current_range_meters: int
    odometer_meters: int
    lat: float
    lon: float
    updated_at: datetime
    station: Station | None
    #: great circle from the point searched; None when nothing was searched
    distance_meters: float | None = None

    @property
    def position(self) -> LatLng:
        return LatLng(self.lat, self.lon)


_OWN = (
    "id", "published_id", "metro_id", "vehicle_type", "state", "plate", "battery_percent", "current_range_meters",
    "odometer_meters", "lat", "lon", "updated_at",
)  # fmt: skip
STATION_COLUMNS = ("id", "metro_id", "name", "lat", "lon", "capacity", "is_charging_station")
COLUMNS = [
    *(_VEHICLES.c[name].label(f"vehicle_{name}") for name in _OWN),
    *(_STATIONS.c[name].label(f"station_{name}") for name in STATION_COLUMNS),
]
#: to join before selecting COLUMNS
WITH_STATION = _VEHICLES.outerjoin(_STATIONS, _STATIONS.c.id == _VEHICLES.c.station_id)
_WIDTH = len(_OWN)
_EVERY_METRO = any_(func.array(select(tables.Metro.__table__.c.id).scalar_subquery()))


def of_columns(values: tuple[Any, ...], distance_meters: float | None = None) -> Vehicle:
    """A vehicle from the values of COLUMNS, in their order."""
    station = Station(*values[_WIDTH : _WIDTH + len(STATION_COLUMNS)]) if values[_WIDTH] is not None else None
    return Vehicle(*(*values[:_WIDTH], station, distance_meters))


def _of(row: Row[Any]) -> Vehicle:
    return of_columns(tuple(row))


def _select() -> Select[Any]:
    return select(*COLUMNS).select_from(WITH_STATION)


def is_free(window: TimeWindow) -> ColumnElement[bool]:
    """No reservation blocks the vehicle in that window."""
    return ~(
        select(_RESERVATIONS.c.id)
        .where(
            _RESERVATIONS.c.vehicle_id == _VEHICLES.c.id,
            _RESERVATIONS.c.state.in_(reservations.BLOCKING),
            _RESERVATIONS.c.blocked.op("&&")(literal(Range(window.starts_at, window.ends_at), TSTZRANGE)),
        )
        .exists()
    )


def _by(column: ColumnElement[UUID]) -> Select[Any]:
    return _select().where(column == bindparam("wanted"))


# Made once: building and keying a statement costs as much as running it. By whether the id is the published one.
_READ = {True: _by(_VEHICLES.c.published_id), False: _by(_VEHICLES.c.id)}
_LOCK = {published: query.with_for_update(of=_VEHICLES) for published, query in _READ.items()}


async def get_vehicle(session: AsyncSession, ref: VehicleRef, *, lock: bool = False) -> Vehicle:
    query = (_LOCK if lock else _READ)[ref.published]
    row = (await session.execute(query, {"wanted": ref.id})).one_or_none()
    if row is None:
        raise errors.NotFound("There is no such vehicle.", path="vehicleId")
    return _of(row)


async def get_station(session: AsyncSession, station_id: UUID) -> Station:
    query = select(*(_STATIONS.c[name] for name in STATION_COLUMNS)).where(_STATIONS.c.id == station_id)
    row = (await session.execute(query)).one_or_none()
    if row is None:
        raise errors.NotFound("There is no such station.")
    return Station(*row)


async def list_vehicles_in_box(
    session: AsyncSession,
    box: Box,
    *,
    states: Collection[VehicleState] = (),
    metro_ids: Collection[UUID] | None = None,
    after: UUID | None = None,
    limit: int,
) -> list[Vehicle]:
    """By permanent id, for keyset paging. `metro_ids` None = every metro."""
    # Metro and state are always named: they lead the index that has the positions.
    query = _select().where(
        _VEHICLES.c.metro_id == _EVERY_METRO if metro_ids is None else _VEHICLES.c.metro_id.in_(metro_ids),
        _VEHICLES.c.state.in_(states or list(VehicleState)),
        _VEHICLES.c.lat.between(box.south, box.north),
        _VEHICLES.c.lon.between(box.west, box.east),
    )
    if after is not None:
        query = query.where(_VEHICLES.c.id > after)
    return [_of(row) for row in await session.execute(query.order_by(_VEHICLES.c.id).limit(limit))]


@dataclass(frozen=True, slots=True)
class Report:
    """What staff found at a vehicle; None = not looked at."""

    state: VehicleState | None = None
    battery_percent: int | None = None
    position: LatLng | None = None
    odometer_meters: int | None = None


#: states that staff may set by hand; the others follow from reservations, trips and telemetry
REPORTABLE_STATES = (VehicleState.AVAILABLE, VehicleState.NON_OPERATIONAL, VehicleState.REMOVED, VehicleState.MISSING)
_REPORTED_FROM = (*REPORTABLE_STATES, VehicleState.NON_CONTACTABLE, VehicleState.ELSEWHERE)


def _check(report: Report) -> None:
    issues = []
    if report.state is not None and report.state not in REPORTABLE_STATES:
        issues.append(errors.Issue("state", f"Staff may report {', '.join(s.name for s in REPORTABLE_STATES)} only."))
    if report.battery_percent is not None and not 0 <= report.battery_percent <= 100:
        issues.append(errors.Issue("batteryPercent", "batteryPercent lies between 0 and 100."))
    if report.odometer_meters is not None and report.odometer_meters < 0:
        issues.append(errors.Issue("odometerMeters", "odometerMeters is 0 or more."))
    if issues:
        raise errors.InvalidInput(issues)


async def report_vehicle(session: AsyncSession, who: actor.Actor, ref: VehicleRef, report: Report, *, now: datetime) -> Vehicle:
    """Corrects what the fleet knows of a vehicle. Raises InvalidInput, NotFound, VehicleUnavailable (it is in use)."""
    _check(report)
    vehicle = await get_vehicle(session, ref, lock=True)
    who.require_metro(vehicle.metro_id)
    if report.state not in (None, vehicle.state) and vehicle.state not in _REPORTED_FROM:
        raise errors.VehicleUnavailable(f"The vehicle is {vehicle.state}; its state follows from that.", path="state")
    new = _corrections(report, vehicle) | {"updated_at": now}
    await session.execute(_CORRECT, {"wanted": vehicle.id, **{f"new_{name}": value for name, value in new.items()}})
    vehicle = replace(vehicle, **{name: value for name, value in new.items() if name != "h3_cell"})
    await eventlog.append_all(session, [changed(vehicle)])
    return vehicle


_CORRECTED = ("state", "battery_percent", "odometer_meters", "lat", "lon", "h3_cell", "updated_at")
_CORRECT = (
    update(cast("Table", _VEHICLES))
    .where(_VEHICLES.c.id == bindparam("wanted"))
    .values({_VEHICLES.c[name]: bindparam(f"new_{name}") for name in _CORRECTED})
)


def _corrections(report: Report, vehicle: Vehicle) -> dict[str, Any]:
    """The columns as they are to be."""
    given = {"state": report.state, "battery_percent": report.battery_percent, "odometer_meters": report.odometer_meters}
    position = report.position or vehicle.position
    return {
        **{name: getattr(vehicle, name) if value is None else value for name, value in given.items()},
        "lat": position.lat,
        "lon": position.lon,
        "h3_cell": h3.str_to_int(h3.latlng_to_cell(position.lat, position.lon, geography.H3_RESOLUTION)),
    }


def changed(vehicle: Vehicle | tables.Vehicle) -> eventlog.Draft:
    """The event that shows the vehicle as it is now."""
    payload = {
        "vehicleId": str(vehicle.id),
        "vehicleType": vehicle.vehicle_type,
        "state": vehicle.state,
        "plate": vehicle.plate,
        "batteryPercent": vehicle.battery_percent,
        "odometerMeters": vehicle.odometer_meters,
        "lat": vehicle.lat,
        "lon": vehicle.lon,
    }
    return eventlog.dispatch_topic(vehicle.metro_id), "vehicle.changed", payload
