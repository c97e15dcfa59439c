"""Trips: as their rider sees them, and as staff do."""

from __future__ import annotations

from datetime import datetime
from decimal import Decimal
from typing import Any

import strawberry
from strawberry import field

from domain import eventlog, ids, meters, pricing, receipts, running_prices, trips, values
from resolvers import trips as trip_resolvers
from schema import fields, trip_enums
from schema.nodes import Node
from schema.types.metros import Metro
from schema.types.money import Money
from schema.types.receipts import OpsReceipt, Receipt
from schema.types.reservations import OpsReservation, Reservation
from schema.types.vehicles import FleetVehicle, Vehicle

TripState = trip_enums.TripState
TripStep = trip_enums.TripStep
TripEnd = trip_enums.TripEnd
AWAITS = "What it waits for: until then nothing else can be done with it but `reportEmergency`; null when for nothing."
STARTED = "When the lock had opened: from then on it is charged; null before, and when it never did."
PAUSED = "Since when it is paused; null when it is not."
ENDED = "Until when it is charged: the return, or the first try at it where a later one passed; null before."
END_CAUSE = "Why it is over, or never began; null while it is open."
DUE = "When the vehicle has to be back; null while nobody rides it and no booking says so."
PRICE = "What it costs by now; once it is over, the total of its receipt, with fines. Null until it has begun."
RESERVATION = "The one that it began with; who just unlocks has one made that instant."
RECEIPT = "What was charged for it, line by line; null while it is open, and when it never began."
MOST_PAUSES = 1000


@strawberry.type(description="A version of a price, VAT included. A trip is charged by the one that was quoted.")
class Tariff:
    version: int = field(description="Counts up within metro and vehicle type.")
    unlock: Money = field(description="For unlocking.")
    reservation: Money = field(description="For having reserved it; not for who just unlocks.")
    per_minute_minor_units: Decimal = field(
        description="For every started minute: minor units of the currency, and fractions of them."
    )
    pause_per_minute_minor_units: Decimal = field(description="For every whole minute of a pause, instead of that.")
    day_cap: Money | None = field(description="The minutes of each started 24 hours cost that at most; null: nothing caps them.")
    late_fine: Money = field(description="For returning it late.")
    wrong_place_fine: Money = field(description="For leaving it in a wrong place, if that was accepted.")
    deposit: Money = field(description="Held on the card before the lock opens; 0 for nothing.")

    @classmethod
    def of(cls, row: pricing.Tariff) -> Tariff:
        def money(minor_units: int) -> Money:
            return Money.of(values.Money(minor_units, row.currency))

        return cls(
            version=row.version,
            unlock=money(row.unlock_minor),
            reservation=money(row.reservation_minor),
            per_minute_minor_units=row.per_minute_minor,
            pause_per_minute_minor_units=row.pause_per_minute_minor,
            day_cap=None if row.day_cap_minor is None else money(row.day_cap_minor),
            late_fine=money(row.late_fine_minor),
            wrong_place_fine=money(row.wrong_place_fine_minor),
            deposit=money(row.deposit_minor),
        )


@strawberry.type(description="A time within a trip that is charged as a pause.")
class TripPause:
    started_at: datetime = field(description="When the lock had closed.")
    ended_at: datetime | None = field(description="When it had opened again; null while it lasts.")

    @classmethod
    def of(cls, row: meters.Pause) -> TripPause:
        return cls(started_at=row.started_at, ended_at=row.ended_at)


def _shared(row: trips.Trip) -> dict[str, Any]:
    return {
        "state": row.state,
        "awaits": row.awaits,
        "requested_at": row.requested_at,
        "started_at": row.started_at,
        "paused_at": row.paused_at,
        "pauses": [TripPause.of(one) for one in row.pauses[:MOST_PAUSES]],
        "ended_at": row.ended_at,
        "end_cause": row.end_cause,
        "due_at": row.due_at,
        "distance_meters": row.distance_meters,
        "start_battery_percent": row.start_battery_percent,
        "end_battery_percent": row.end_battery_percent,
        "tariff": Tariff.of(row.tariff),
        "row": row,
    }


async def _receipt(info: strawberry.Info, row: trips.Trip) -> receipts.Receipt | None:
    return None if row.receipt_id is None else await info.context.receipts.load(row.receipt_id)


@strawberry.type
class RideFields:
    """What riders and staff see alike."""

    state: TripState = field(description="Where it stands.")
    awaits: TripStep | None = field(description=AWAITS)
    requested_at: datetime = field(description="When it was asked for.")
    started_at: datetime | None = field(description=STARTED)
    paused_at: datetime | None = field(description=PAUSED)
    pauses: list[TripPause] = field(description=f"First to last; {MOST_PAUSES} at most.")
    ended_at: datetime | None = field(description=ENDED)
    end_cause: TripEnd | None = field(description=END_CAUSE)
    due_at: datetime | None = field(description=DUE)
    distance_meters: int = field(description="How far it has gone, by the positions that were recorded.")
    start_battery_percent: int = field(description="Charge when it began, 0 to 100.")
    end_battery_percent: int | None = field(description="Charge when it was over; null before.")
    tariff: Tariff = field(description="What it is charged by.")
    row: strawberry.Private[trips.Trip]

    @fields.resolved(PRICE)
    def running_price(self, info: strawberry.Info) -> Money | None:
        price = running_prices.price_of(self.row, info.context.runtime.clock.now())
        return None if price is None else Money.of(price)

    @fields.resolved("The metro it began in.")
    async def metro(self, info: strawberry.Info) -> Metro:
        return Metro.of(await info.context.metros.load(self.row.metro_id))


@strawberry.type(description="A rider's own ride, from the unlocking to the return.")
class Trip(Node, RideFields):
    vehicle: Vehicle = field(description="The vehicle; it keeps the id that it had at the start.")
    position: strawberry.Private[eventlog.Position]

    @fields.resolved(RESERVATION)
    async def reservation(self, info: strawberry.Info) -> Reservation | None:
        row = await info.context.reservations.load(self.row.reservation_id)
        return None if row is None else Reservation.of(row)

    @fields.resolved(RECEIPT)
    async def receipt(self, info: strawberry.Info) -> Receipt | None:
        row = await _receipt(info, self.row)
        return None if row is None else Receipt.of(row)

    @fields.resolved("`customerTripChanged` continues from here: pass it as `after`.")
    def cursor(self, info: strawberry.Info) -> str:
        return str(info.context.runtime.cursors.of_position(self.position))

    @classmethod
    def of(cls, row: trips.Trip, position: eventlog.Position) -> Trip:
        vehicle = Vehicle.of(row.vehicle, is_own_ride=row.is_open, is_past=not row.is_open)
        vehicle.id = strawberry.ID(ids.encode(ids.VEHICLE, row.published_vehicle_id))
        return cls(id=strawberry.ID(ids.encode(ids.TRIP, row.id)), vehicle=vehicle, position=position, **_shared(row))


@strawberry.type(description="Any rider's ride, as staff see it.")
class OpsTrip(Node, RideFields):
    customer_id: strawberry.ID = field(description="The rider.")
    vehicle: FleetVehicle = field(description="The vehicle.")
    is_walk_up: bool = field(description="Whether it was unlocked without having been reserved.")
    end_reason: str | None = field(description="What staff said when they ended it; null else.")

    @fields.resolved(RESERVATION)
    async def reservation(self, info: strawberry.Info) -> OpsReservation | None:
        row = await info.context.reservations.load(self.row.reservation_id)
        return None if row is None else OpsReservation.of(row)

    @fields.resolved(RECEIPT)
    async def receipt(self, info: strawberry.Info) -> OpsReceipt | None:
        row = await _receipt(info, self.row)
        return None if row is None else OpsReceipt.of(row)

    @classmethod
    def of(cls, row: trips.Trip) -> OpsTrip:
        return cls(
            id=strawberry.ID(ids.encode(ids.OPS_TRIP, row.id)),
            customer_id=strawberry.ID(ids.encode(ids.CUSTOMER, row.customer_id)),
            vehicle=FleetVehicle.of(row.vehicle),
            is_walk_up=row.is_walk_up,
            end_reason=row.end_reason,
            **_shared(row),
        )


@strawberry.type
class OpenTripField:
    """What an account shows of its trips."""

    @fields.resolved("The trip that the rider is on, or that is being prepared; null without one.")
    async def open_trip(self, info: strawberry.Info) -> Trip | None:
        found = await trip_resolvers.find_open_trip(info.context)
        return None if found is None else Trip.of(*found)
