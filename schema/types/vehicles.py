"""Vehicles: as riders see them, and as staff do."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated

import strawberry
from strawberry import field

from domain import errors, estimates, fleet, ids
from schema import enums, fields
from schema.nodes import Node
from schema.types.estimates import RideEstimate
from schema.types.geo import LatLng, LatLngInput
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
    position: LatLng | None = field(
        description="Where it was last seen; null while somebody else rides it, and of a trip or reservation that is over."
    )
    distance_meters: int | None = field(description="Great circle from the point searched near; null when nothing was searched.")
    station: Station | None = field(description=_STATION)
    row: strawberry.Private[fleet.Vehicle]

    @fields.resolved("What a ride on it to a destination would take. Nothing is reserved, and no price promised.")
    async def estimate(
        self,
        info: strawberry.Info,
        destination: Annotated[LatLngInput, strawberry.argument(description="Where to.")],
    ) -> RideEstimate:
        end = destination.value("destination")
        if self.position is None:
            raise errors.VehicleUnavailable("Where it is now is not yours to know: search for a vehicle near you.")
        tariffs = await info.context.tariffs.load(self.row.metro_id)
        found = estimates.estimate_ride(
            self.row.vehicle_type,
            self.row.position,
            end,
            range_meters=self.row.current_range_meters,
            tariff=tariffs.get(self.row.vehicle_type),
        )
        return RideEstimate.of(found)

    @classmethod
    def of(cls, row: fleet.Vehicle, *, is_own_ride: bool = False, is_past: bool = False) -> Vehicle:
        """`is_past`: who had it once does not see by that where those ride to who have it since."""
        is_shown = not is_past and (is_own_ride or not row.is_ridden)
        return cls(
            id=strawberry.ID(ids.encode(ids.VEHICLE, row.published_id)),
            vehicle_type=row.vehicle_type,
            state=row.state,
            plate=row.plate,
            battery_percent=row.battery_percent,
            current_range_meters=row.current_range_meters,
            position=LatLng(lat=row.lat, lon=row.lon) if is_shown else None,
            distance_meters=None if row.distance_meters is None else round(row.distance_meters),
            station=None if row.station is None or is_past else Station.of(row.station),
            row=row,
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
