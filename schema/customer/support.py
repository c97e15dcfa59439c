"""What riders say of trips and vehicles: feedback and faults."""

from __future__ import annotations

from typing import Annotated

import strawberry
from strawberry import field

from domain import ids
from domain.support_tickets import Fault
from resolvers import feedback, support_tickets
from schema import access, errors, trip_errors
from schema.connections import After, Connection, First, connection
from schema.customer.reservations import KEY
from schema.types.geo import LatLngInput
from schema.types.support import DamagedPart, Feedback, SupportPriority, SupportTicket, SupportType


@strawberry.input(description="How the rider liked a trip.")
class GiveFeedbackInput:
    trip_id: strawberry.ID = field(description="A trip that is over.")
    rating: int = field(description="1 to 5, 5 is best.")
    comment: str | None = field(default=None, description="In words; 1,000 characters at most.")


@strawberry.type(description="The feedback is noted.")
class GiveFeedbackSuccess:
    feedback: Feedback = field(description="As it stands now.")


GiveFeedbackResult = Annotated[
    GiveFeedbackSuccess | trip_errors.TripClosedError | errors.InvalidInputError | errors.NotFoundError,
    strawberry.union("GiveFeedbackResult", description="What giving feedback can answer."),
]


@strawberry.input(description="What is wrong, and with which vehicle.")
class ReportFaultInput:
    support_type: SupportType = field(description="What is wrong.")
    priority: SupportPriority = field(description="How bad it is. What cannot be ridden goes out of service.")
    idempotency_key: str = field(description=KEY)
    vehicle_id: strawberry.ID | None = field(default=None, description="The vehicle; leave it out with `tripId`.")
    trip_id: strawberry.ID | None = field(default=None, description="A trip of the rider's own; leave it out with `vehicleId`.")
    damaged_parts: list[DamagedPart] | None = field(default=None, description="Where it is damaged; each once.")
    comment: str | None = field(default=None, description="In words, 1,000 characters at most. OTHER needs one.")
    photo_id: strawberry.ID | None = field(
        default=None, description="A photo of `requestPhotoUpload` with the purpose FAULT that was uploaded and not used yet."
    )
    position: LatLngInput | None = field(
        default=None,
        description="Where the rider stands. Needed, within 200 m of it, of who neither rides nor has reserved the vehicle, nor"
        " rode it within a day.",
    )

    def value(self) -> Fault:
        return Fault(
            support_type=self.support_type,
            priority=self.priority,
            damaged_parts=tuple(self.damaged_parts or ()),
            comment=self.comment,
            photo_id=ids.decode(self.photo_id, ids.PHOTO, path="photoId") if self.photo_id else None,
            position=self.position.value("position") if self.position else None,
        )


@strawberry.type(description="The fault is reported.")
class ReportFaultSuccess:
    ticket: SupportTicket = field(description="The report.")


ReportFaultResult = Annotated[
    ReportFaultSuccess | errors.InvalidInputError | errors.NotFoundError | errors.IdempotencyConflictError,
    strawberry.union("ReportFaultResult", description="What reporting a fault can answer."),
]


@strawberry.type
class SupportQueries:
    @access.query(access.RIDERS, "Faults that the rider has reported, the latest first.")
    async def support_tickets(self, info: strawberry.Info, first: First = 20, after: After = None) -> Connection[SupportTicket]:
        page = await support_tickets.list_support_tickets(info.context, first=first, after=after)
        return connection(page, SupportTicket.of)

    @access.query(access.RIDERS, "What the rider has said of a trip; null when nothing was.")
    async def feedback(
        self, info: strawberry.Info, trip_id: Annotated[strawberry.ID, strawberry.argument(description="The trip.")]
    ) -> Feedback | None:
        row = await feedback.find_feedback(info.context, trip_id=trip_id)
        return None if row is None else Feedback.of(row)


@strawberry.type
class SupportMutations:
    @access.mutation(access.RIDERS, "Rate a trip that is over. Again within seven days it replaces what was said.")
    async def give_feedback(
        self, info: strawberry.Info, input: Annotated[GiveFeedbackInput, access.INPUT]
    ) -> GiveFeedbackResult | None:
        row = await feedback.give_feedback(info.context, trip_id=input.trip_id, rating=input.rating, comment=input.comment)
        return GiveFeedbackSuccess(feedback=Feedback.of(row))

    @access.mutation(
        access.RIDERS,
        "Report what is wrong with a vehicle; five times a day at most. One that cannot be ridden goes out of service at once, or"
        " with the end of its trip; so does one of which two riders say within a day that something is broken.",
    )
    async def report_fault(
        self, info: strawberry.Info, input: Annotated[ReportFaultInput, access.INPUT]
    ) -> ReportFaultResult | None:
        row = await support_tickets.report_fault(
            info.context,
            input.value(),
            trip_id=input.trip_id,
            vehicle_id=input.vehicle_id,
            idempotency_key=input.idempotency_key,
        )
        return ReportFaultSuccess(ticket=SupportTicket.of(row))
