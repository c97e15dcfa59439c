"""What riders see change in their trips."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Any
from uuid import UUID

import strawberry
from strawberry import field

from domain import eventlog, ids, tables, values
from resolvers import trip_stream
from resolvers.context import Ctx
from resolvers.streams import Resync
from schema import trip_enums
from schema.types.money import Money
from schema.types.streams import ResyncRequired, StreamEvent, TimedEvent
from schema.types.trips import AWAITS, DUE, END_CAUSE, ENDED, PAUSED, STARTED
from schema.types.vehicles import VehicleType

REFUSALS = "What spoke against a return that had been accepted, 11 at most: the trip goes on. Else none."


@strawberry.type(
    description="One of the rider's own trips has changed: it was asked for, has begun, is paused, goes on, or is over."
)
class OwnTripChanged(TimedEvent):
    trip_id: strawberry.ID = field(description="The trip.")
    reservation_id: strawberry.ID = field(description="The reservation that it began with.")
    vehicle_id: strawberry.ID = field(description="The vehicle, by the id that it had at the start.")
    vehicle_type: VehicleType = field(description="What it is.")
    state: trip_enums.TripState = field(description="Where it stands now.")
    awaits: trip_enums.TripStep | None = field(description=AWAITS)
    started_at: datetime | None = field(description=STARTED)
    paused_at: datetime | None = field(description=PAUSED)
    paused_seconds: int = field(description="How long the pauses were that are over.")
    ended_at: datetime | None = field(description=ENDED)
    end_cause: trip_enums.TripEnd | None = field(description=END_CAUSE)
    due_at: datetime | None = field(description=DUE)
    receipt_id: strawberry.ID | None = field(description="What it cost; null until that is settled, and when it cost nothing.")
    refusals: list[trip_enums.ReturnRefusal] = field(description=REFUSALS)
    running_price: Money | None = field(
        description="What it costs when this is told, or has cost in all if it is over by then; null before it has begun."
    )


@strawberry.type(
    description="Another minute of the trip has begun. Nothing else has changed: the cursor is that of the last change, and who"
    " resumes with it misses none. Minutes that began while nobody followed are not made up for."
)
class RunningPriceTicked(StreamEvent):
    trip_id: strawberry.ID = field(description="The trip.")
    at: datetime = field(description="When the minute had begun.")
    running_price: Money | None = field(
        description="What the trip costs by then, without fines. Never null; of the type of `OwnTripChanged.runningPrice`."
    )


TripUpdate = Annotated[
    OwnTripChanged | RunningPriceTicked | ResyncRequired,
    strawberry.union(
        "TripUpdate",
        description="A change in the rider's trips, or their price. More kinds may come: ignore what you do not know.",
    ),
]


def of_item(ctx: Ctx, item: trip_stream.Item) -> OwnTripChanged | RunningPriceTicked | ResyncRequired:
    if isinstance(item, Resync):
        return ResyncRequired.of(ctx, item)
    if isinstance(item, trip_stream.Ticked):
        return RunningPriceTicked(
            cursor=ctx.runtime.cursors.of_position(item.position),
            trip_id=strawberry.ID(ids.encode(ids.TRIP, item.trip_id)),
            at=item.at,
            running_price=Money.of(item.price),
        )
    return _changed(ctx, item.event, item.price)


def _changed(ctx: Ctx, event: eventlog.Event, price: values.Money | None) -> OwnTripChanged:
    payload = event.payload
    receipt_id = payload["receiptId"]
    return OwnTripChanged(
        cursor=ctx.runtime.cursors.of_position(event.position),
        at=event.at,
        trip_id=strawberry.ID(ids.encode(ids.TRIP, UUID(payload["tripId"]))),
        vehicle_id=strawberry.ID(ids.encode(ids.VEHICLE, UUID(payload["publishedVehicleId"]))),
        reservation_id=strawberry.ID(ids.encode(ids.RESERVATION, UUID(payload["reservationId"]))),
        vehicle_type=values.VehicleType(payload["vehicleType"]),
        paused_seconds=payload["pausedSeconds"],
        refusals=[tables.ReturnRefusal(one) for one in payload["refusals"]],
        running_price=None if price is None else Money.of(price),
        paused_at=_instant(payload["pausedAt"]),
        receipt_id=None if receipt_id is None else strawberry.ID(ids.encode(ids.RECEIPT, UUID(receipt_id))),
        **facts(payload),
    )


def facts(payload: dict[str, Any]) -> dict[str, Any]:
    """What riders and dispatch are told alike."""
    return {
        "state": tables.TripState(payload["state"]),
        "awaits": None if payload["awaits"] is None else tables.TripStep(payload["awaits"]),
        "started_at": _instant(payload["startedAt"]),
        "ended_at": _instant(payload["endedAt"]),
        "end_cause": None if payload["endCause"] is None else tables.TripEnd(payload["endCause"]),
        "due_at": _instant(payload["dueAt"]),
    }


def _instant(written: str | None) -> datetime | None:
    return None if written is None else datetime.fromisoformat(written)
