"""Returning the vehicle at the end of a ride."""

from __future__ import annotations

import math
from typing import Annotated

import strawberry
from strawberry import field

from domain import errors as domain_errors
from resolvers import returns
from schema import access, errors, trip_errors
from schema.customer.reservations import CURSOR, KEY
from schema.customer.tracks import ACCURACY
from schema.customer.trips import TRIP
from schema.types.geo import LatLngInput
from schema.types.money import MoneyInput
from schema.types.trips import Trip


@strawberry.input(description="What is returned, where, and what shows it.")
class ReturnVehicleInput:
    trip_id: strawberry.ID = field(description="A trip that is in use or paused.")
    position: LatLngInput = field(description="Where the rider and the vehicle are.")
    accuracy_meters: float = field(description=ACCURACY)
    idempotency_key: str = field(description=KEY + " After a refusal it may be used again, with other input too.")
    photo_id: strawberry.ID | None = field(
        default=None,
        description="The photo of how it stands, of `requestPhotoUpload`, uploaded. Without it every return is refused.",
    )
    accepted_fine: MoneyInput | None = field(
        default=None,
        description="The fine that the rider saw (`ReturnRefusedError.fine`) and accepts. Left out: only where it is free.",
    )

    def accuracy(self) -> float:
        """Raises InvalidInput."""
        if not (math.isfinite(self.accuracy_meters) and self.accuracy_meters >= 0):
            raise domain_errors.InvalidInput.of("accuracyMeters", "accuracyMeters is 0 or more.")
        return self.accuracy_meters


@strawberry.type(description="It may stand there, and the lock was asked to close. When it says that it has, the trip is over.")
class ReturnVehicleSuccess:
    trip: Trip = field(description=TRIP)
    cursor: str = field(description=CURSOR)


ReturnVehicleResult = Annotated[
    ReturnVehicleSuccess
    | trip_errors.ReturnRefusedError
    | trip_errors.TripClosedError
    | trip_errors.VehicleBusyError
    | errors.InvalidInputError
    | errors.NotFoundError
    | errors.IdempotencyConflictError,
    strawberry.union("ReturnVehicleResult", description="What returning can answer."),
]


@strawberry.type
class ReturnMutations:
    @access.mutation(
        access.RIDERS,
        "Return the vehicle. A refused try is noted: if one passes there within minutes, it is charged to the first of them.",
    )
    async def return_vehicle(
        self, info: strawberry.Info, input: Annotated[ReturnVehicleInput, access.INPUT]
    ) -> ReturnVehicleResult | None:
        row, position = await returns.return_vehicle(
            info.context,
            trip_id=input.trip_id,
            position=input.position.value("position"),
            accuracy_meters=input.accuracy(),
            photo_id=input.photo_id,
            accepted_fine=input.accepted_fine.value() if input.accepted_fine else None,
            idempotency_key=input.idempotency_key,
        )
        cursor = info.context.runtime.cursors.of_position(position)
        return ReturnVehicleSuccess(trip=Trip.of(row, position), cursor=cursor)
