"""Vehicles: as riders see them, and as staff do."""

from __future__ import annotations

from datetime import datetime

import strawberry
from strawberry import field

from domain import fleet, ids
from schema import enums
from schema.nodes import Node
from schema.types.geo import LatLng
from schema.types.stations import Station

VehicleType = enums.VehicleType
VehicleState = enums.VehicleState


_BATTERY = "Charge, 0 to 100."
_RANGE = "Distance that the charge lasts for."
_STATION = "Where it is parked, if at a station."


@strawberry.type(description="A vehicle as riders see it. Its id is the published one, renewed after every trip.")
class Vehicle(Node):
    vehicle_type: VehicleType = field(description="What it is.")
    state: VehicleState = field(description="What it is doing.")
    plate: str = field(description="What is written on it.")
    battery_percent: int = field(description=_BATTERY)
    current_range_meters: int = field(description=_RANGE)
    position: LatLng = field(description="Where it was last seen.")
    distance_meters: int | None = field(description="Great circle from the point searched near; null when nothing was searched.")
    station: Station | None = field(description=_STATION)

    @classmethod
    def of(cls, row: fleet.Vehicle) -> Vehicle:
        return cls(
            id=strawberry.ID(ids.encode(ids.VEHICLE, row.published_id)),
            vehicle_type=row.vehicle_type,
            state=row.state,
            plate=row.plate,
            battery_percent=row.battery_percent,
            current_range_meters=row.current_range_meters,
            position=LatLng(lat=row.lat, lon=row.lon),
            distance_meters=None if row.distance_meters is None else round(row.distance_meters),
            station=None if row.station is None else Station.of(row.station),
        )


@strawberry.type(description="A vehicle as staff see it. Its id is permanent.")
class FleetVehicle(Node):
    published_id: strawberry.ID = field(description="The id that riders and feeds see at the moment.")
    vehicle_type: VehicleType = field(description="What it is.")
    state: VehicleState = field(description="What it is doing.")
    plate: str = field(description="What is written on it.")
    battery_percent: int = field(description=_BATTERY)
    current_range_meters: int = field(description=_RANGE)
    odometer_meters: int = field(description="Distance it has gone in its life, modulo 2^31.")
    position: LatLng = field(description="Where it was last seen.")
    station: Station | None = field(description=_STATION)
    updated_at: datetime = field(description="When any of this last changed.")

    @classmethod
    def of(cls, row: fleet.Vehicle) -> FleetVehicle:
        return cls(
            id=strawberry.ID(ids.encode(ids.FLEET_VEHICLE, row.id)),
            published_id=strawberry.ID(ids.encode(ids.VEHICLE, row.published_id)),
            vehicle_type=row.vehicle_type,
            state=row.state,
            plate=row.plate,
            battery_percent=row.battery_percent,
            current_range_meters=row.current_range_meters,
            odometer_meters=row.odometer_meters & 0x7FFFFFFF,
            position=LatLng(lat=row.lat, lon=row.lon),
            station=None if row.station is None else Station.of(row.station),
            updated_at=row.updated_at,
        )
