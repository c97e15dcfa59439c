"""What dispatchers see change in a metro."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated
from uuid import UUID

import strawberry
from strawberry import field

from domain import eventlog, ids, values
from resolvers.context import Ctx
from resolvers.streams import Resync
from schema.types.geo import LatLng
from schema.types.reservations import ReservationState
from schema.types.streams import ResyncRequired, TimedEvent
from schema.types.vehicles import VehicleState, VehicleType


@strawberry.type(description="A reservation was made, cancelled, or has lapsed.")
class ReservationChanged(TimedEvent):
    reservation_id: strawberry.ID = field(description="The reservation.")
    customer_id: strawberry.ID = field(description="The rider.")
    vehicle_id: strawberry.ID = field(description="The vehicle, by its permanent id.")
    vehicle_type: VehicleType = field(description="What it is.")
    plate: str = field(description="What is written on it.")
    reservation_state: ReservationState = field(description="Where the reservation stands now.")
    starts_at: datetime = field(description="When the vehicle is to be taken.")
    ends_at: datetime | None = field(description="When a car or van is due back.")


@strawberry.type(description="A vehicle changed: what it is doing, its charge, or where it is.")
class VehicleChanged(TimedEvent):
    vehicle_id: strawberry.ID = field(description="The vehicle, by its permanent id.")
    vehicle_type: VehicleType = field(description="What it is.")
    plate: str = field(description="What is written on it.")
    vehicle_state: VehicleState = field(description="What it is doing now.")
    battery_percent: int = field(description="Charge, 0 to 100.")
    odometer_meters: int = field(description="Distance it has gone in its life, modulo 2^31.")
    position: LatLng = field(description="Where it is.")


DispatchUpdate = Annotated[
    ReservationChanged | VehicleChanged | ResyncRequired,
    strawberry.union("DispatchUpdate", description="A change in a metro. More kinds may come: ignore what you do not know."),
]


def _reservation_changed(ctx: Ctx, event: eventlog.Event) -> ReservationChanged:
    payload = event.payload
    return ReservationChanged(
        cursor=ctx.runtime.cursors.of_position(event.position),
        at=event.at,
        reservation_id=strawberry.ID(ids.encode(ids.OPS_RESERVATION, UUID(payload["reservationId"]))),
        customer_id=strawberry.ID(ids.encode(ids.CUSTOMER, UUID(payload["customerId"]))),
        vehicle_id=strawberry.ID(ids.encode(ids.FLEET_VEHICLE, UUID(payload["vehicleId"]))),
        vehicle_type=values.VehicleType(payload["vehicleType"]),
        plate=payload["plate"],
        reservation_state=values.ReservationState(payload["state"]),
        starts_at=datetime.fromisoformat(payload["startsAt"]),
        ends_at=datetime.fromisoformat(payload["endsAt"]) if payload["endsAt"] else None,
    )


def _vehicle_changed(ctx: Ctx, event: eventlog.Event) -> VehicleChanged:
    payload = event.payload
    return VehicleChanged(
        cursor=ctx.runtime.cursors.of_position(event.position),
        at=event.at,
        vehicle_id=strawberry.ID(ids.encode(ids.FLEET_VEHICLE, UUID(payload["vehicleId"]))),
        vehicle_type=values.VehicleType(payload["vehicleType"]),
        plate=payload["plate"],
        vehicle_state=values.VehicleState(payload["state"]),
        battery_percent=payload["batteryPercent"],
        odometer_meters=payload["odometerMeters"] & 0x7FFFFFFF,
        position=LatLng(lat=payload["lat"], lon=payload["lon"]),
    )


def of_item(ctx: Ctx, item: eventlog.Event | Resync) -> ReservationChanged | VehicleChanged | ResyncRequired | None:
    """The type of an event; None for a kind that a newer version wrote."""
    if isinstance(item, Resync):
        return ResyncRequired.of(ctx, item)
    if "dispatch" not in item.views:
        item.views["dispatch"] = _view(ctx, item)
    view: ReservationChanged | VehicleChanged | None = item.views["dispatch"]
    return view


def _view(ctx: Ctx, event: eventlog.Event) -> ReservationChanged | VehicleChanged | None:
    if event.kind.startswith("reservation."):
        return _reservation_changed(ctx, event)
    if event.kind == "vehicle.changed":
        return _vehicle_changed(ctx, event)
    return None
