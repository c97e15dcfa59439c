"""Faults that riders report and what they say of their trips: as they see it, and as staff do."""

from __future__ import annotations

from datetime import datetime

import strawberry
from strawberry import field

from domain import feedback, ids, support_tickets
from resolvers import photos
from schema import fields, trip_enums
from schema.nodes import Node
from schema.types.vehicles import FleetVehicle

SupportType = trip_enums.SupportType
SupportPriority = trip_enums.SupportPriority
DamagedPart = trip_enums.DamagedPart
SupportState = trip_enums.SupportState
PHOTO = "What it shows, for ten minutes and for whoever has the link; null without a photo, or when it was forgotten."
_TYPE = "What is wrong."
_PRIORITY = "How bad it is."
_PARTS = "Where it is damaged; 10 at most."
_COMMENT = "In the rider's words; null when nothing was said."
_STATE = "Whether somebody has closed it."
_REPORTED = "When it was reported."
_CLOSED = "When it was closed; null: it is open."
_RATING = "1 to 5, 5 is best."
_GIVEN = "When it was given for the first time."


@strawberry.type(description="How a rider liked a trip.")
class Feedback:
    trip_id: strawberry.ID = field(description="The trip.")
    rating: int = field(description=_RATING)
    comment: str | None = field(description=_COMMENT)
    given_at: datetime = field(description=_GIVEN)

    @classmethod
    def of(cls, row: feedback.Feedback) -> Feedback:
        trip_id = strawberry.ID(ids.encode(ids.TRIP, row.trip_id))
        return cls(trip_id=trip_id, rating=row.rating, comment=row.comment, given_at=row.given_at)


@strawberry.type(description="How a rider liked a trip, as staff see it.")
class OpsFeedback:
    trip_id: strawberry.ID = field(description="The trip.")
    vehicle_id: strawberry.ID = field(description="The vehicle, by its permanent id.")
    rating: int = field(description=_RATING)
    comment: str | None = field(description=_COMMENT)
    given_at: datetime = field(description=_GIVEN)

    @classmethod
    def of(cls, row: feedback.Feedback) -> OpsFeedback:
        return cls(
            trip_id=strawberry.ID(ids.encode(ids.OPS_TRIP, row.trip_id)),
            vehicle_id=strawberry.ID(ids.encode(ids.FLEET_VEHICLE, row.vehicle_id)),
            rating=row.rating,
            comment=row.comment,
            given_at=row.given_at,
        )


@strawberry.type(description="A fault that the rider has reported.")
class SupportTicket(Node):
    support_type: SupportType = field(description=_TYPE)
    priority: SupportPriority = field(description=_PRIORITY)
    damaged_parts: list[DamagedPart] = field(description=_PARTS)
    comment: str | None = field(description=_COMMENT)
    plate: str = field(description="What is written on the vehicle.")
    trip_id: strawberry.ID | None = field(description="The trip on which it was noticed; null when it was on none.")
    state: SupportState = field(description=_STATE)
    reported_at: datetime = field(description=_REPORTED)
    closed_at: datetime | None = field(description=_CLOSED)
    row: strawberry.Private[support_tickets.SupportTicket]

    @fields.resolved(PHOTO)
    def photo_url(self, info: strawberry.Info) -> str | None:
        return _photo_url(info, self.row)

    @classmethod
    def of(cls, row: support_tickets.SupportTicket) -> SupportTicket:
        return cls(
            id=strawberry.ID(ids.encode(ids.SUPPORT_TICKET, row.id)),
            support_type=row.support_type,
            priority=row.priority,
            damaged_parts=list(row.damaged_parts),
            comment=row.comment,
            plate=row.vehicle.plate,
            trip_id=strawberry.ID(ids.encode(ids.TRIP, row.trip_id)) if row.trip_id else None,
            state=row.state,
            reported_at=row.reported_at,
            closed_at=row.closed_at,
            row=row,
        )


@strawberry.type(description="A fault that a rider has reported, as staff see it.")
class OpsSupportTicket(Node):
    support_type: SupportType = field(description=_TYPE)
    priority: SupportPriority = field(description=_PRIORITY)
    damaged_parts: list[DamagedPart] = field(description=_PARTS)
    comment: str | None = field(description=_COMMENT)
    vehicle: FleetVehicle = field(description="The vehicle, as it stands now.")
    trip_id: strawberry.ID | None = field(description="The trip on which it was noticed; null when it was on none.")
    customer_id: strawberry.ID = field(description="Who reported it.")
    is_withdrawing: bool = field(
        description="Whether it took the vehicle out of service, or will with the end of its trip. Closing it puts nothing back."
    )
    state: SupportState = field(description=_STATE)
    reported_at: datetime = field(description=_REPORTED)
    closed_at: datetime | None = field(description=_CLOSED)
    row: strawberry.Private[support_tickets.SupportTicket]

    @fields.resolved(PHOTO)
    def photo_url(self, info: strawberry.Info) -> str | None:
        return _photo_url(info, self.row)

    @classmethod
    def of(cls, row: support_tickets.SupportTicket) -> OpsSupportTicket:
        return cls(
            id=strawberry.ID(ids.encode(ids.OPS_SUPPORT_TICKET, row.id)),
            support_type=row.support_type,
            priority=row.priority,
            damaged_parts=list(row.damaged_parts),
            comment=row.comment,
            vehicle=FleetVehicle.of(row.vehicle),
            trip_id=strawberry.ID(ids.encode(ids.OPS_TRIP, row.trip_id)) if row.trip_id else None,
            customer_id=strawberry.ID(ids.encode(ids.CUSTOMER, row.customer_id)),
            is_withdrawing=row.withdrew_vehicle,
            state=row.state,
            reported_at=row.reported_at,
            closed_at=row.closed_at,
            row=row,
        )


def _photo_url(info: strawberry.Info, row: support_tickets.SupportTicket) -> str | None:
    if row.photo_id is None:
        return None
    runtime = info.context.runtime
    return photos.photo_url(runtime, row.photo_id, runtime.clock.now())
