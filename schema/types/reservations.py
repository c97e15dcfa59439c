"""Reservations: as their rider sees them, and as staff do."""

from __future__ import annotations

from datetime import datetime

import strawberry
from strawberry import field

from domain import ids, reservations
from schema import enums, fields
from schema.nodes import Node
from schema.types.metros import Metro
from schema.types.money import Money
from schema.types.vehicles import FleetVehicle, Vehicle

ReservationState = enums.ReservationState
STARTS = "When the vehicle is to be taken."
ENDS = "When a car or van is due back; null for scooters and bikes, which are open-ended."
LAPSES = "When a hold ends that nobody has unlocked; null for cars and vans."
QUOTED = "Estimate shown when it was made; null when open-ended without an expected duration."


@strawberry.type(description="A rider's own hold on a vehicle.")
class Reservation(Node):
    state: ReservationState = field(description="Where it stands.")
    starts_at: datetime = field(description=STARTS)
    ends_at: datetime | None = field(description=ENDS)
    lapses_at: datetime | None = field(description=LAPSES)
    quoted: Money | None = field(description=QUOTED)
    vehicle: Vehicle = field(description="The vehicle; it keeps the id that it had when it was reserved.")
    created_at: datetime = field(description="When it was made.")
    row: strawberry.Private[reservations.Reservation]

    @fields.resolved("The metro it is in.")
    async def metro(self, info: strawberry.Info) -> Metro:
        return Metro.of(await info.context.metros.load(self.row.metro_id))

    @classmethod
    def of(cls, row: reservations.Reservation) -> Reservation:
        vehicle = Vehicle.of(row.vehicle)
        vehicle.id = strawberry.ID(ids.encode(ids.VEHICLE, row.published_vehicle_id))
        return cls(
            id=strawberry.ID(ids.encode(ids.RESERVATION, row.id)),
            state=row.state,
            starts_at=row.starts_at,
            ends_at=row.ends_at,
            lapses_at=row.lapses_at,
            quoted=None if row.quoted is None else Money.of(row.quoted),
            vehicle=vehicle,
            created_at=row.created_at,
            row=row,
        )


@strawberry.type(description="Any rider's hold on a vehicle, as staff see it.")
class OpsReservation(Node):
    state: ReservationState = field(description="Where it stands.")
    customer_id: strawberry.ID = field(description="The rider.")
    starts_at: datetime = field(description=STARTS)
    ends_at: datetime | None = field(description=ENDS)
    lapses_at: datetime | None = field(description=LAPSES)
    quoted: Money | None = field(description=QUOTED)
    cancel_reason: str | None = field(description="Why staff cancelled it.")
    vehicle: FleetVehicle = field(description="The vehicle.")
    created_at: datetime = field(description="When it was made.")

    @classmethod
    def of(cls, row: reservations.Reservation) -> OpsReservation:
        return cls(
            id=strawberry.ID(ids.encode(ids.OPS_RESERVATION, row.id)),
            state=row.state,
            customer_id=strawberry.ID(ids.encode(ids.CUSTOMER, row.customer_id)),
            starts_at=row.starts_at,
            ends_at=row.ends_at,
            lapses_at=row.lapses_at,
            quoted=None if row.quoted is None else Money.of(row.quoted),
            cancel_reason=row.cancel_reason,
            vehicle=FleetVehicle.of(row.vehicle),
            created_at=row.created_at,
        )
