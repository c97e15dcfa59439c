"""The fleet: vehicles as riders search them and as staff see and correct them."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import ColumnElement, Row, Select, any_, bindparam, func, literal, select, update
from sqlalchemy.dialects.postgresql import TSTZRANGE, Range
from sqlalchemy.ext.asyncio import AsyncSession

from domain import errors, eventlog, ids, tables
from domain.tables import reservations
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

    @property
    def is_ridden(self) -> bool:
        """Then its position is where somebody is."""
        return self.state in (VehicleState.ON_TRIP, VehicleState.STOPPED)


_OWN = (
    "id", "published_id", "metro_id", "vehicle_type", "state", "plate", "battery_percent", "current_range_meters",
    "odometer_meters", "lat", "lon", "updated_at",
)  # fmt: skip
STATION_COLUMNS = ("id", "metro_id", "name", "lat", "lon", "capacity", "is_charging_station")
OWN_COLUMNS = [_VEHICLES.c[name].label(f"vehicle_{name}") for name in _OWN]
COLUMNS_OF_STATION = [_STATIONS.c[name].label(f"station_{name}") for name in STATION_COLUMNS]
COLUMNS = [*OWN_COLUMNS, *COLUMNS_OF_STATION]
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


def range_of(window: TimeWindow) -> Range[datetime]:
    return Range(window.starts_at, window.ends_at)


def is_free(window: TimeWindow | ColumnElement[Range[datetime]]) -> ColumnElement[bool]:
    """No reservation blocks the vehicle in that window."""
    span = literal(range_of(window), TSTZRANGE) if isinstance(window, TimeWindow) else window
    return ~(
        select(_RESERVATIONS.c.id)
        .where(
            _RESERVATIONS.c.vehicle_id == _VEHICLES.c.id,
            _RESERVATIONS.c.state.in_(reservations.BLOCKING),
            _RESERVATIONS.c.blocked.op("&&")(span),
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


async def lock_vehicles(session: AsyncSession, vehicle_ids: Collection[UUID]) -> dict[UUID, Vehicle]:
    """By id, and in that order, so that no two who lock several wait for each other."""
    query = _select().where(_VEHICLES.c.id.in_(vehicle_ids)).order_by(_VEHICLES.c.id).with_for_update(of=_VEHICLES)
    return {vehicle.id: vehicle for vehicle in map(_of, await session.execute(query))}


async def set_state(session: AsyncSession, vehicle: Vehicle, state: VehicleState, *, now: datetime) -> Vehicle:
    """Of a vehicle that the transaction has locked. The event is the caller's."""
    given = update(tables.Vehicle).where(tables.Vehicle.id == vehicle.id).values(state=state, updated_at=now)
    await session.execute(given)
    return replace(vehicle, state=state, updated_at=now)


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


def changed(vehicle: Vehicle | tables.Vehicle, was: VehicleState, was_at: LatLng | None = None) -> eventlog.Draft:
    """The event that shows the vehicle as it is now. `was`, `was_at`: its state and position before, which tell those who
    look at a part of the metro whether it left; no position when it has not moved."""
    payload = {
        "vehicleId": str(vehicle.id),
        "publishedVehicleId": str(vehicle.published_id),
        "vehicleType": vehicle.vehicle_type,
        "state": vehicle.state,
        "plate": vehicle.plate,
        "batteryPercent": vehicle.battery_percent,
        "currentRangeMeters": vehicle.current_range_meters,
        "odometerMeters": vehicle.odometer_meters,
        "lat": vehicle.lat,
        "lon": vehicle.lon,
        "wasState": was,
        "wasLat": vehicle.lat if was_at is None else was_at.lat,
        "wasLon": vehicle.lon if was_at is None else was_at.lon,
    }
    return eventlog.dispatch_topic(vehicle.metro_id), "vehicle.changed", payload
