"""What riders see change among the vehicles around them."""

from __future__ import annotations

from typing import Annotated
from uuid import UUID

import strawberry
from strawberry import field

from domain import ids, values
from resolvers import nearby
from resolvers.context import Ctx
from resolvers.streams import Resync
from schema.types.geo import LatLng
from schema.types.streams import ResyncRequired, TimedEvent
from schema.types.vehicles import VehicleType

_ID = "The vehicle, by its published id."


@strawberry.type(description="A vehicle that may be taken now: it came into the box or became free, or something of it changed.")
class NearbyVehicleChanged:
    vehicle_id: strawberry.ID = field(description=_ID)
    has_appeared: bool = field(description="Whether it was not there before. Who has resumed may have it already.")
    vehicle_type: VehicleType = field(description="What it is.")
    plate: str = field(description="What is written on it.")
    battery_percent: int = field(description="Charge, 0 to 100.")
    current_range_meters: int = field(description="Distance that the charge lasts for.")
    position: LatLng = field(description="Where it is.")


@strawberry.type(description="A vehicle that may not be taken any more: it is in use, out of service, or out of the box.")
class NearbyVehicleGone:
    vehicle_id: strawberry.ID = field(description=_ID + " It may be one that was never shown.")


NearbyVehicleChange = Annotated[
    NearbyVehicleChanged | NearbyVehicleGone,
    strawberry.union("NearbyVehicleChange", description="The latest of a vehicle: put it in place of what was known of it."),
]


@strawberry.type(description="What changed in the box since the item before: the latest of each vehicle.")
class VehiclesNearbyChanged(TimedEvent):
    changes: list[NearbyVehicleChange] = field(description="One a vehicle, 500 at most.")


VehiclesNearbyUpdate = Annotated[
    VehiclesNearbyChanged | ResyncRequired,
    strawberry.union(
        "VehiclesNearbyUpdate",
        description="A change among the vehicles in a box. More kinds may come: ignore what you do not know.",
    ),
]


def of_item(ctx: Ctx, item: nearby.Batch | Resync) -> VehiclesNearbyChanged | ResyncRequired:
    if isinstance(item, Resync):
        return ResyncRequired.of(ctx, item)
    return VehiclesNearbyChanged(
        cursor=ctx.runtime.cursors.of_position(item.position),
        at=item.at,
        changes=[_change(change) for change in item.changes.values()],
    )


def _change(change: nearby.Change) -> NearbyVehicleChanged | NearbyVehicleGone:
    payload = change.payload
    vehicle_id = strawberry.ID(ids.encode(ids.VEHICLE, UUID(payload["publishedVehicleId"])))
    if not change.is_there:
        return NearbyVehicleGone(vehicle_id=vehicle_id)
    return NearbyVehicleChanged(
        vehicle_id=vehicle_id,
        has_appeared=not change.was_there,
        vehicle_type=values.VehicleType(payload["vehicleType"]),
        plate=payload["plate"],
        battery_percent=payload["batteryPercent"],
        current_range_meters=payload["currentRangeMeters"],
        position=LatLng(lat=payload["lat"], lon=payload["lon"]),
    )
