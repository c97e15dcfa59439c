"""Driving licences that wait for a decision, and staff's decision."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated

import strawberry
from strawberry import field

from domain import licence_checks
from resolvers import licences
from schema import access, errors
from schema.types.profiles import OpsDrivingLicence


@strawberry.type(description="A driving licence that waits for a decision.")
class PendingDrivingLicence(OpsDrivingLicence):
    customer_name: str = field(description="What the rider is called.")
    is_number_known: bool = field(description="Another rider has submitted the same number: only staff can decide then.")

    @classmethod
    def of_pending(cls, row: licence_checks.Pending, now: datetime) -> PendingDrivingLicence:
        shown = OpsDrivingLicence.of(row.licence, now)
        return cls(
            customer_id=shown.customer_id,
            licence=shown.licence,
            customer_name=row.customer_name,
            is_number_known=row.is_number_known,
        )


@strawberry.input(description="Whether a rider's driving licence is accepted.")
class DecideDrivingLicenceInput:
    customer_id: strawberry.ID = field(description="Whose licence.")
    is_accepted: bool = field(description="True verifies it, false rejects it.")
    reason: str | None = field(
        default=None, description="What the rider is told of a refusal, which needs one; 1 to 500 characters."
    )
    submitted_at: datetime | None = field(
        default=None, description="`submittedAt` of what was looked at: another one submitted since is then not decided."
    )


@strawberry.type(description="The decision stands; the rider is told.")
class DecideDrivingLicenceSuccess:
    driving_licence: OpsDrivingLicence = field(description="The licence.")


DecideDrivingLicenceResult = Annotated[
    DecideDrivingLicenceSuccess | errors.DrivingLicenceDecidedError | errors.InvalidInputError | errors.NotFoundError,
    strawberry.union("DecideDrivingLicenceResult", description="What deciding about a licence can answer."),
]


@strawberry.type
class LicenceQueries:
    @access.query(access.DISPATCHERS, "Driving licences that wait for a decision, the oldest first; 100 at most.")
    async def pending_driving_licences(self, info: strawberry.Info) -> list[PendingDrivingLicence]:
        now = info.context.runtime.clock.now()
        return [PendingDrivingLicence.of_pending(row, now) for row in await licences.list_pending_licences(info.context)]


@strawberry.type
class LicenceMutations:
    @access.mutation(access.DISPATCHERS, "Accept or refuse a pending driving licence. The same decision again changes nothing.")
    async def decide_driving_licence(
        self, info: strawberry.Info, input: Annotated[DecideDrivingLicenceInput, access.INPUT]
    ) -> DecideDrivingLicenceResult | None:
        row = await licences.decide_driving_licence(
            info.context,
            customer_id=input.customer_id,
            is_accepted=input.is_accepted,
            reason=input.reason,
            submitted_at=input.submitted_at,
        )
        licence = OpsDrivingLicence.of(row, info.context.runtime.clock.now())
        return DecideDrivingLicenceSuccess(driving_licence=licence)
