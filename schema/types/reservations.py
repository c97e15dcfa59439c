"""Reservations: as their rider sees them, and as staff do."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated
from uuid import UUID

import strawberry
from strawberry import field

from domain import cancellations, errors, ids, listings, metros, reservations
from domain.tables.reservations import BLOCKING
from schema import enums, fields
from schema.nodes import Node
from schema.types.metros import Metro
from schema.types.money import Money
from schema.types.vehicles import FleetVehicle, Vehicle, VehicleType

ReservationState = enums.ReservationState
CancelCause = enums.CancelCause
FeeSettlement = enums.FeeSettlement
STARTS = "When the vehicle is to be taken."
ENDS = "When a car or van is due back; null for scooters and bikes, which are open-ended."
LAPSES = "When a hold ends that nobody has unlocked; null for cars and vans."
LOCAL = "RFC 3339 by the clocks of the metro, with their offset that day, such as `2026-10-25T02:30:00+01:00`."
CANCEL_CAUSE = "Whose doing its cancellation was; null unless it was cancelled."
CANCEL_FEE = "What is charged for cancelling it late; null when nothing was."
FEE_SETTLED = "When the fee was paid or waived; null beside a fee means that it is owed."
QUOTED = "Estimate shown when it was made; null when open-ended without an expected duration."


def _local(metro: metros.Metro, instant: datetime | None) -> str | None:
    return None if instant is None else metro.local(instant).isoformat()


@strawberry.type(description="What giving a reservation up means now. Ask again before showing it: time changes it.")
class Cancellation:
    free_until: datetime | None = field(description="Until then, that instant included, it is free; null when there is no limit.")
    fee: Money = field(description="What it costs now, 0 while it is free: `cancelReservation` wants exactly this accepted.")

    @classmethod
    def of(cls, terms: cancellations.Terms) -> Cancellation:
        return cls(free_until=terms.free_until, fee=Money.of(terms.fee))


@strawberry.type(description="A rider's own hold on a vehicle.")
class Reservation(Node):
    state: ReservationState = field(description="Where it stands.")
    starts_at: datetime = field(description=STARTS)
    ends_at: datetime | None = field(description=ENDS)
    lapses_at: datetime | None = field(description=LAPSES)
    quoted: Money | None = field(description=QUOTED)
    vehicle: Vehicle = field(description="The vehicle; it keeps the id that it had when it was reserved.")
    cancel_cause: CancelCause | None = field(description=CANCEL_CAUSE)
    cancel_reason: str | None = field(description="What the operator said when cancelling it; null when nothing was said.")
    cancel_fee: Money | None = field(description=CANCEL_FEE)
    fee_settled_at: datetime | None = field(description=FEE_SETTLED)
    created_at: datetime = field(description="When it was made.")
    row: strawberry.Private[reservations.Reservation]

    @fields.resolved("The metro it is in.")
    async def metro(self, info: strawberry.Info) -> Metro:
        return Metro.of(await info.context.metros.load(self.row.metro_id))

    @fields.resolved("What cancelling it would mean now; null when it cannot be cancelled.")
    def cancellation(self, info: strawberry.Info) -> Cancellation | None:
        terms = cancellations.terms_of(self.row, info.context.runtime.clock.now())
        return None if terms is None else Cancellation.of(terms)

    @fields.resolved("IANA name of the zone of its metro.")
    async def timezone(self, info: strawberry.Info) -> str:
        return str((await info.context.metros.load(self.row.metro_id)).timezone)

    @fields.resolved("Its start. " + LOCAL)
    async def starts_at_local(self, info: strawberry.Info) -> str:
        return str(_local(await info.context.metros.load(self.row.metro_id), self.row.starts_at))

    @fields.resolved("Its end, if it has one. " + LOCAL)
    async def ends_at_local(self, info: strawberry.Info) -> str | None:
        return _local(await info.context.metros.load(self.row.metro_id), self.row.ends_at)

    @classmethod
    def of(cls, row: reservations.Reservation) -> Reservation:
        quoted, fee = row.quoted, row.cancel_fee
        is_over = row.state not in BLOCKING
        vehicle = Vehicle.of(row.vehicle, is_own_ride=row.state is ReservationState.STARTED, is_past=is_over)
        vehicle.id = strawberry.ID(ids.encode(ids.VEHICLE, row.published_vehicle_id))
        return cls(
            id=strawberry.ID(ids.encode(ids.RESERVATION, row.id)),
            state=row.state,
            starts_at=row.starts_at,
            ends_at=row.ends_at,
            lapses_at=row.lapses_at,
            quoted=None if quoted is None else Money.of(quoted),
            vehicle=vehicle,
            cancel_cause=row.cancel_cause,
            cancel_reason=row.cancel_reason,
            cancel_fee=None if fee is None else Money.of(fee),
            fee_settled_at=row.fee_settled_at,
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
    cancel_cause: CancelCause | None = field(description=CANCEL_CAUSE)
    cancel_reason: str | None = field(description="Why staff cancelled it.")
    cancel_fee: Money | None = field(description=CANCEL_FEE)
    fee_settled_at: datetime | None = field(description=FEE_SETTLED)
    fee_settlement: FeeSettlement | None = field(description="Whether the fee was paid or waived; null while it is owed.")
    vehicle: FleetVehicle = field(description="The vehicle.")
    created_at: datetime = field(description="When it was made.")

    @classmethod
    def of(cls, row: reservations.Reservation) -> OpsReservation:
        quoted, fee = row.quoted, row.cancel_fee
        return cls(
            id=strawberry.ID(ids.encode(ids.OPS_RESERVATION, row.id)),
            state=row.state,
            customer_id=strawberry.ID(ids.encode(ids.CUSTOMER, row.customer_id)),
            starts_at=row.starts_at,
            ends_at=row.ends_at,
            lapses_at=row.lapses_at,
            quoted=None if quoted is None else Money.of(quoted),
            cancel_cause=row.cancel_cause,
            cancel_reason=row.cancel_reason,
            cancel_fee=None if fee is None else Money.of(fee),
            fee_settled_at=row.fee_settled_at,
            fee_settlement=row.fee_settlement,
            vehicle=FleetVehicle.of(row.vehicle),
            created_at=row.created_at,
        )


@strawberry.input(description="Which reservations to list: those that fit all that is given.")
class ReservationFilterInput:
    states: list[ReservationState] | None = field(default=None, description="In one of these states; 10 at most.")
    vehicle_types: list[VehicleType] | None = field(default=None, description="Of one of these types; 10 at most.")
    metro_id: strawberry.ID | None = field(default=None, description="In this metro.")
    starts_after: datetime | None = field(default=None, description="Starting then or later.")
    starts_before: datetime | None = field(default=None, description="Starting before then.")

    def value(self, customer_id: UUID | None = None) -> listings.Wanted:
        issues = [
            errors.Issue(path, f"{path} names 10 at most.")
            for path, given in (("filter.states", self.states), ("filter.vehicleTypes", self.vehicle_types))
            if given is not None and len(given) > 10
        ]
        if self.starts_after and self.starts_before and self.starts_after >= self.starts_before:
            issues.append(errors.Issue("filter.startsBefore", "startsBefore must lie after startsAfter."))
        if issues:
            raise errors.InvalidInput(issues)
        return listings.Wanted(
            customer_id=customer_id,
            states=self.states or (),
            vehicle_types=self.vehicle_types or (),
            metro_id=ids.decode(self.metro_id, ids.METRO, path="filter.metroId") if self.metro_id else None,
            starts_after=self.starts_after,
            starts_before=self.starts_before,
        )


FilterArgument = Annotated[
    ReservationFilterInput | None, strawberry.argument(description="Only those that fit; all when left out.")
]
