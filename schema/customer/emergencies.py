"""Calling for help."""

from __future__ import annotations

from typing import Annotated

import strawberry
from strawberry import UNSET, field

from resolvers import emergencies
from schema import access, errors, trip_enums
from schema.customer.reservations import CURSOR, KEY
from schema.types.geo import LatLngInput
from schema.types.trips import Trip


@strawberry.input(one_of=True, description="What an emergency is about.")
class EmergencySubjectInput:
    trip_id: strawberry.ID | None = field(description="A trip of the rider's own, in whatever state.", default=UNSET)
    vehicle_id: strawberry.ID | None = field(description="Any vehicle.", default=UNSET)


@strawberry.input(description="What has happened, and where.")
class ReportEmergencyInput:
    about: EmergencySubjectInput = field(description="The trip or the vehicle.")
    kind: trip_enums.EmergencyKind = field(description="What has happened.")
    idempotency_key: str = field(description=KEY)
    comment: str | None = field(default=None, description="More about it; 1,000 characters of it are kept.")
    position: LatLngInput | None = field(
        default=None, description="Where help is needed; left out, where the vehicle was last seen."
    )


@strawberry.type(description="Somebody looks after it. This calls no ambulance and no fire brigade: dial the emergency number.")
class ReportEmergencySuccess:
    trip: Trip | None = field(description="The rider's own trip that it was of, over by now if it was open; null without one.")
    cursor: str = field(description=CURSOR)


ReportEmergencyResult = Annotated[
    ReportEmergencySuccess | errors.InvalidInputError | errors.NotFoundError | errors.IdempotencyConflictError,
    strawberry.union("ReportEmergencyResult", description="What reporting an emergency can answer."),
]


@strawberry.type
class EmergencyMutations:
    @access.mutation(
        access.RIDERS,
        "Report an emergency. An open trip ends that instant, whatever it waits for; the vehicle goes out of service.",
    )
    async def report_emergency(
        self, info: strawberry.Info, input: Annotated[ReportEmergencyInput, access.INPUT]
    ) -> ReportEmergencyResult | None:
        found = await emergencies.report_emergency(
            info.context,
            trip_id=input.about.trip_id or None,
            vehicle_id=input.about.vehicle_id or None,
            kind=input.kind,
            comment=input.comment,
            position=input.position.value("position") if input.position else None,
            idempotency_key=input.idempotency_key,
        )
        trip = None if found.trip is None else Trip.of(found.trip, found.position)
        return ReportEmergencySuccess(trip=trip, cursor=info.context.runtime.cursors.of_position(found.position))
