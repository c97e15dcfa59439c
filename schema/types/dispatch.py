"""What dispatchers see change in a metro."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from typing import Annotated
from uuid import UUID

import strawberry
from strawberry import field

from domain import eventlog, ids, tables, values
from resolvers.context import Ctx
from resolvers.streams import Resync
from schema import trip_enums
from schema.types.geo import LatLng
from schema.types.reservations import ReservationState
from schema.types.streams import ResyncRequired, TimedEvent
from schema.types.trip_updates import facts
from schema.types.vehicles import VehicleState, VehicleType


@strawberry.type(description="A reservation was made, changed, extended, cancelled, or is over.")
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


@strawberry.type(description="A trip was asked for, has begun, is paused, goes on, or is over.")
class TripChanged(TimedEvent):
    trip_id: strawberry.ID = field(description="The trip.")
    reservation_id: strawberry.ID = field(description="The reservation that it began with.")
    customer_id: strawberry.ID = field(description="The rider.")
    vehicle_id: strawberry.ID = field(description="The vehicle, by its permanent id.")
    vehicle_type: VehicleType = field(description="What it is.")
    plate: str = field(description="What is written on it.")
    trip_state: trip_enums.TripState = field(description="Where the trip stands now.")
    awaits: trip_enums.TripStep | None = field(description="What it waits for; null when for nothing.")
    started_at: datetime | None = field(description="When the lock had opened.")
    ended_at: datetime | None = field(description="Until when it is charged.")
    end_cause: trip_enums.TripEnd | None = field(description="Why it is over, or never began; null while it is open.")
    due_at: datetime | None = field(description="When the vehicle has to be back, if that is known.")


@strawberry.type(description="Somebody reported an emergency, or another thing that staff have to answer.")
class IncidentRaised(TimedEvent):
    incident_id: strawberry.ID = field(description="The incident.")
    emergency_kind: trip_enums.EmergencyKind = field(description="What has happened.")
    severity: int = field(description="1 to 4; 1: somebody may be in danger.")
    reported_from: LatLng | None = field(description="Where it was reported from, if that was said.")
    reported_vehicle_id: strawberry.ID | None = field(description="The vehicle, by its permanent id; null when none was named.")
    reported_trip_id: strawberry.ID | None = field(description="The trip; null when there was none.")


@strawberry.type(description="Somebody has dealt with an incident.")
class IncidentResolved(TimedEvent):
    incident_id: strawberry.ID = field(description="The incident.")
    severity: int = field(description="1 to 4; 1: somebody may have been in danger.")


DispatchUpdate = Annotated[
    ReservationChanged | VehicleChanged | TripChanged | IncidentRaised | IncidentResolved | ResyncRequired,
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


def _trip_changed(ctx: Ctx, event: eventlog.Event) -> TripChanged:
    payload = event.payload
    told = facts(payload)
    return TripChanged(
        cursor=ctx.runtime.cursors.of_position(event.position),
        at=event.at,
        trip_id=strawberry.ID(ids.encode(ids.OPS_TRIP, UUID(payload["tripId"]))),
        reservation_id=strawberry.ID(ids.encode(ids.OPS_RESERVATION, UUID(payload["reservationId"]))),
        customer_id=strawberry.ID(ids.encode(ids.CUSTOMER, UUID(payload["customerId"]))),
        vehicle_id=strawberry.ID(ids.encode(ids.FLEET_VEHICLE, UUID(payload["vehicleId"]))),
        vehicle_type=values.VehicleType(payload["vehicleType"]),
        plate=payload["plate"],
        trip_state=told.pop("state"),
        **told,
    )


def _incident_raised(ctx: Ctx, event: eventlog.Event) -> IncidentRaised:
    payload = event.payload
    lat, lon, vehicle_id, trip_id = (payload[name] for name in ("lat", "lon", "vehicleId", "tripId"))
    return IncidentRaised(
        cursor=ctx.runtime.cursors.of_position(event.position),
        at=event.at,
        incident_id=strawberry.ID(ids.encode(ids.OPS_INCIDENT, UUID(payload["incidentId"]))),
        emergency_kind=tables.EmergencyKind(payload["kind"]),
        severity=payload["severity"],
        reported_from=None if lat is None or lon is None else LatLng(lat=lat, lon=lon),
        reported_vehicle_id=None if vehicle_id is None else strawberry.ID(ids.encode(ids.FLEET_VEHICLE, UUID(vehicle_id))),
        reported_trip_id=None if trip_id is None else strawberry.ID(ids.encode(ids.OPS_TRIP, UUID(trip_id))),
    )


def _incident_resolved(ctx: Ctx, event: eventlog.Event) -> IncidentResolved:
    return IncidentResolved(
        cursor=ctx.runtime.cursors.of_position(event.position),
        at=event.at,
        incident_id=strawberry.ID(ids.encode(ids.OPS_INCIDENT, UUID(event.payload["incidentId"]))),
        severity=event.payload["severity"],
    )


Shown = ReservationChanged | VehicleChanged | TripChanged | IncidentRaised | IncidentResolved
_VIEWS: dict[str, Callable[[Ctx, eventlog.Event], Shown]] = {
    "vehicle.changed": _vehicle_changed,
    "trip.changed": _trip_changed,
    "incident.raised": _incident_raised,
    "incident.resolved": _incident_resolved,
}


def of_item(ctx: Ctx, item: eventlog.Event | Resync) -> Shown | ResyncRequired | None:
    """The type of an event; None for a kind that a newer version wrote."""
    if isinstance(item, Resync):
        return ResyncRequired.of(ctx, item)
    if "dispatch" not in item.views:
        item.views["dispatch"] = _view(ctx, item)
    view: Shown | None = item.views["dispatch"]
    return view


def _view(ctx: Ctx, event: eventlog.Event) -> Shown | None:
    if event.kind.startswith("reservation."):
        return _reservation_changed(ctx, event)
    made = _VIEWS.get(event.kind)
    return None if made is None else made(ctx, event)
