"""A rider's own trips."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Iterator
from contextlib import aclosing, contextmanager
from datetime import datetime
from typing import Annotated

import strawberry
from strawberry import UNSET, field

from domain import errors as domain_errors
from domain import ids
from resolvers import trip_stream, trips
from schema import access, errors, sharing, trip_errors
from schema.connections import Connection, connection
from schema.customer.metros import After, First
from schema.customer.reservations import CURSOR, KEY
from schema.types import trip_updates
from schema.types.geo import LatLngInput
from schema.types.trips import Trip

TRIP = "The trip."
_UNLOCKED = {
    "vehicleId": "vehicle.nearby.vehicleId",
    "position": "vehicle.nearby.position",
    "nfcToken": "vehicle.nfcToken",
}


@strawberry.input(description="A vehicle that the rider stands at.")
class NearbyVehicleInput:
    vehicle_id: strawberry.ID = field(description="The vehicle.")
    position: LatLngInput = field(description="Where the rider is: 100 m from it at most, or what its metro says.")


@strawberry.input(one_of=True, description="Which vehicle, and what shows that the rider is there.")
class VehicleAtHandInput:
    nearby: NearbyVehicleInput | None = field(description="By its id, from near by.", default=UNSET)
    nfc_token: str | None = field(description="By what the tag on it says.", default=UNSET)


@strawberry.input(description="What to unlock.")
class UnlockVehicleInput:
    vehicle: VehicleAtHandInput = field(description="The vehicle.")
    idempotency_key: str = field(description=KEY)
    reservation_id: strawberry.ID | None = field(
        default=None,
        description="The reservation that begins; left out, the rider's own of the vehicle that may begin now, if any.",
    )
    ends_at: datetime | None = field(
        default=None, description="When a car or van will be back that was not reserved, as for reserving. Else leave it out."
    )


@strawberry.type(description="The lock was asked to open, or the deposit for: the trip says what it waits for.")
class UnlockVehicleSuccess:
    trip: Trip = field(description=TRIP)
    cursor: str = field(description=CURSOR)


UnlockVehicleResult = Annotated[
    UnlockVehicleSuccess
    | trip_errors.TripOpenError
    | trip_errors.DebtOpenError
    | trip_errors.PaymentMethodRequiredError
    | errors.VehicleUnavailableError
    | trip_errors.VehicleBusyError
    | errors.DrivingLicenceRequiredError
    | errors.ReservationClosedError
    | errors.InvalidInputError
    | errors.NotFoundError
    | errors.IdempotencyConflictError,
    strawberry.union("UnlockVehicleResult", description="What unlocking can answer."),
]


@strawberry.input(description="Which trip to give up.")
class CancelTripInput:
    trip_id: strawberry.ID = field(description="A trip whose lock has not opened yet.")
    idempotency_key: str = field(description=KEY)


@strawberry.type(description="It never began, and costs nothing. A reservation that it was to begin is as it was.")
class CancelTripSuccess:
    trip: Trip = field(description=TRIP)
    cursor: str = field(description=CURSOR)


CancelTripResult = Annotated[
    CancelTripSuccess
    | trip_errors.TripClosedError
    | errors.InvalidInputError
    | errors.NotFoundError
    | errors.IdempotencyConflictError,
    strawberry.union("CancelTripResult", description="What giving up a trip can answer."),
]


@strawberry.input(description="Which trip to pause.")
class PauseTripInput:
    trip_id: strawberry.ID = field(description="A trip that is in use.")
    idempotency_key: str = field(description=KEY)


@strawberry.type(description="The lock was asked to close. When it says that it has, the trip is paused.")
class PauseTripSuccess:
    trip: Trip = field(description=TRIP)
    cursor: str = field(description=CURSOR)


PauseTripResult = Annotated[
    PauseTripSuccess
    | trip_errors.TripClosedError
    | trip_errors.VehicleBusyError
    | errors.InvalidInputError
    | errors.NotFoundError
    | errors.IdempotencyConflictError,
    strawberry.union("PauseTripResult", description="What pausing can answer."),
]


@strawberry.input(description="Which trip goes on.")
class ResumeTripInput:
    trip_id: strawberry.ID = field(description="A trip that is paused.")
    idempotency_key: str = field(description=KEY)


@strawberry.type(description="The lock was asked to open. When it says that it has, the pause is over.")
class ResumeTripSuccess:
    trip: Trip = field(description=TRIP)
    cursor: str = field(description=CURSOR)


ResumeTripResult = Annotated[
    ResumeTripSuccess
    | trip_errors.TripClosedError
    | trip_errors.VehicleBusyError
    | errors.InvalidInputError
    | errors.NotFoundError
    | errors.IdempotencyConflictError,
    strawberry.union("ResumeTripResult", description="What going on can answer."),
]


@contextmanager
def _unlocking() -> Iterator[None]:
    """Errors name the fields of the input, which says the same in another shape than the rules do."""
    try:
        yield
    except domain_errors.InvalidInput as error:
        issues = [domain_errors.Issue(_UNLOCKED.get(one.path, one.path), one.message) for one in error.issues]
        raise domain_errors.InvalidInput(issues) from error
    except domain_errors.DomainError as error:
        if error.path and error.path[0] in _UNLOCKED:
            error.path = _UNLOCKED[error.path[0]].split(".")
        raise


@strawberry.type
class TripQueries:
    @access.query(access.RIDERS, "One of the rider's own trips; null when there is none of that id.")
    async def trip(
        self, info: strawberry.Info, id: Annotated[strawberry.ID, strawberry.argument(description="The trip.")]
    ) -> Trip | None:
        found = await trips.find_trip(info.context, ids.decode(id, ids.TRIP))
        return None if found is None else Trip.of(*found)

    @access.query(access.RIDERS, "The rider's own trips, latest first.")
    async def trips(self, info: strawberry.Info, first: First = 20, after: After = None) -> Connection[Trip]:
        page, position = await trips.list_own_trips(info.context, first=first, after=after)
        return connection(page, lambda row: Trip.of(row, position))


@strawberry.type
class TripMutations:
    @access.mutation(
        access.RIDERS,
        "Unlock a vehicle: the rider's own reservation of it begins, or a ride without one. It costs nothing before the lock is"
        " open; if it does not open, nothing at all.",
    )
    async def unlock_vehicle(
        self, info: strawberry.Info, input: Annotated[UnlockVehicleInput, access.INPUT]
    ) -> UnlockVehicleResult | None:
        nearby = input.vehicle.nearby or None
        with _unlocking():
            row, position = await trips.unlock_vehicle(
                info.context,
                vehicle_id=nearby.vehicle_id if nearby else None,
                position=nearby.position.value("position") if nearby else None,
                nfc_token=input.vehicle.nfc_token or None,
                reservation_id=input.reservation_id,
                ends_at=input.ends_at,
                idempotency_key=input.idempotency_key,
            )
        cursor = info.context.runtime.cursors.of_position(position)
        return UnlockVehicleSuccess(trip=Trip.of(row, position), cursor=cursor)

    @access.mutation(access.RIDERS, "Give up a trip before its lock has opened. It costs nothing.")
    async def cancel_trip(
        self, info: strawberry.Info, input: Annotated[CancelTripInput, access.INPUT]
    ) -> CancelTripResult | None:
        row, position = await trips.cancel_trip(info.context, trip_id=input.trip_id, idempotency_key=input.idempotency_key)
        cursor = info.context.runtime.cursors.of_position(position)
        return CancelTripSuccess(trip=Trip.of(row, position), cursor=cursor)

    @access.mutation(access.RIDERS, "Lock the vehicle in between, at the price of a pause.")
    async def pause_trip(self, info: strawberry.Info, input: Annotated[PauseTripInput, access.INPUT]) -> PauseTripResult | None:
        row, position = await trips.pause_trip(info.context, trip_id=input.trip_id, idempotency_key=input.idempotency_key)
        cursor = info.context.runtime.cursors.of_position(position)
        return PauseTripSuccess(trip=Trip.of(row, position), cursor=cursor)

    @access.mutation(access.RIDERS, "Unlock the vehicle after a pause.")
    async def resume_trip(
        self, info: strawberry.Info, input: Annotated[ResumeTripInput, access.INPUT]
    ) -> ResumeTripResult | None:
        row, position = await trips.resume_trip(info.context, trip_id=input.trip_id, idempotency_key=input.idempotency_key)
        cursor = info.context.runtime.cursors.of_position(position)
        return ResumeTripSuccess(trip=Trip.of(row, position), cursor=cursor)


@strawberry.type
class TripSubscriptions:
    @access.subscription(
        access.RIDERS,
        "What changes in the rider's own trips, and, while one is in use or paused, what it costs as each minute begins.",
        per=sharing.Per.VIEWER,
    )
    async def customer_trip_changed(
        self,
        info: strawberry.Info,
        after: Annotated[
            str | None,
            strawberry.argument(
                description="A cursor, such as that of `viewer.openTrip`: no change behind it is lost or repeated. Without it"
                " from now on; the price of an open trip is told in either case."
            ),
        ] = None,
    ) -> AsyncGenerator[trip_updates.TripUpdate, None]:
        items = await trip_stream.follow_trips(info.context, after=after)
        async with aclosing(items):
            async for item in items:
                yield trip_updates.of_item(info.context, item)
