"""Stations: places to park, and what stands there at the moment."""

from __future__ import annotations

import strawberry
from strawberry import field

from domain import fleet, ids, stations
from schema import enums
from schema.nodes import Node
from schema.types.geo import LatLng

VehicleType = enums.VehicleType


@strawberry.type(description="A place to park, and to charge where it says so (GBFS station).")
class Station(Node):
    name: str = field(description="As written on it.")
    position: LatLng = field(description="Where it is.")
    capacity: int = field(description="Vehicles it has room for.")
    is_charging_station: bool = field(description="Whether it charges.")

    @classmethod
    def of(cls, row: fleet.Station) -> Station:
        return cls(
            id=strawberry.ID(ids.encode(ids.STATION, row.id)),
            name=row.name,
            position=LatLng(lat=row.lat, lon=row.lon),
            capacity=row.capacity,
            is_charging_station=row.is_charging_station,
        )


@strawberry.type(description="How many vehicles of a type there are.")
class VehicleCount:
    vehicle_type: VehicleType = field(description="What they are.")
    count: int = field(description="How many; 0 when there is none.")


@strawberry.type(description="What stands at a station at the moment (GBFS station status).")
class StationStatus:
    station: Station = field(description="The station.")
    distance_meters: int = field(description="Great circle from the point searched near, or from the middle of the box.")
    vehicles_available: list[VehicleCount] = field(description="Vehicles that could be taken now: one a type, 4 at most.")
    free_docks: int = field(description="Room that is left: capacity less the vehicles that stand there, 0 at least.")

    @classmethod
    def of(cls, row: stations.StationStatus) -> StationStatus:
        counts = row.vehicles_available.items()
        return cls(
            station=Station.of(row.station),
            distance_meters=round(row.distance_meters),
            vehicles_available=[VehicleCount(vehicle_type=kind, count=count) for kind, count in counts],
            free_docks=row.free_docks,
        )
