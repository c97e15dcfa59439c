"""What riders see change in their reservations."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated
from uuid import UUID

import strawberry
from strawberry import field

from domain import eventlog, ids, values
from resolvers.context import Ctx
from resolvers.streams import Resync
from schema.types.money import Money
from schema.types.reservations import ENDS, LAPSES, QUOTED, STARTS, ReservationState
from schema.types.streams import ResyncRequired, TimedEvent
from schema.types.vehicles import VehicleType


@strawberry.type(description="One of the rider's own reservations was made, changed, extended, cancelled, or is over.")
class OwnReservationChanged(TimedEvent):
    reservation_id: strawberry.ID = field(description="The reservation.")
    state: ReservationState = field(description="Where it stands now.")
    vehicle_id: strawberry.ID = field(description="The vehicle, by the id that it had when it was reserved.")
    vehicle_type: VehicleType = field(description="What it is.")
    starts_at: datetime = field(description=STARTS)
    ends_at: datetime | None = field(description=ENDS)
    lapses_at: datetime | None = field(description=LAPSES)
    quoted: Money | None = field(description=QUOTED)


ReservationUpdate = Annotated[
    OwnReservationChanged | ResyncRequired,
    strawberry.union(
        "ReservationUpdate",
        description="A change in the rider's reservations. More kinds may come: ignore what you do not know.",
    ),
]


def of_item(ctx: Ctx, item: eventlog.Event | Resync) -> OwnReservationChanged | ResyncRequired | None:
    """The type of an event; None for a kind that a newer version wrote."""
    if isinstance(item, Resync):
        return ResyncRequired.of(ctx, item)
    return _changed(ctx, item) if item.kind.startswith("reservation.") else None


def _changed(ctx: Ctx, event: eventlog.Event) -> OwnReservationChanged:
    payload = event.payload
    quoted = payload["quotedMinor"]
    return OwnReservationChanged(
        cursor=ctx.runtime.cursors.of_position(event.position),
        at=event.at,
        reservation_id=strawberry.ID(ids.encode(ids.RESERVATION, UUID(payload["reservationId"]))),
        state=values.ReservationState(payload["state"]),
        vehicle_id=strawberry.ID(ids.encode(ids.VEHICLE, UUID(payload["publishedVehicleId"]))),
        vehicle_type=values.VehicleType(payload["vehicleType"]),
        starts_at=datetime.fromisoformat(payload["startsAt"]),
        ends_at=_instant(payload["endsAt"]),
        lapses_at=_instant(payload["lapsesAt"]),
        quoted=None if quoted is None else Money.of(values.Money(quoted, payload["currency"])),
    )


def _instant(written: str | None) -> datetime | None:
    return None if written is None else datetime.fromisoformat(written)
