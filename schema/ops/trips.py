"""Any rider's trips, as staff see and end them."""

from __future__ import annotations

from typing import Annotated

import strawberry
from strawberry import field

from domain import ids
from resolvers import trips
from schema import access, errors, trip_enums, trip_errors
from schema.connections import Connection, connection
from schema.customer.metros import After, First
from schema.customer.reservations import CURSOR, KEY
from schema.customer.trips import TRIP
from schema.types.trips import OpsTrip


@strawberry.input(description="What to end, and why.")
class EndTripInput:
    trip_id: strawberry.ID = field(description="A trip that is open.")
    reason: str = field(description="For those who read it later; 1 to 500 characters.")
    idempotency_key: str = field(description=KEY)


@strawberry.type(description="The trip is over. What was ridden is charged until now; the vehicle is out of service.")
class EndTripSuccess:
    trip: OpsTrip = field(description=TRIP)
    cursor: str = field(description=CURSOR)


EndTripResult = Annotated[
    EndTripSuccess
    | trip_errors.TripClosedError
    | errors.InvalidInputError
    | errors.NotFoundError
    | errors.IdempotencyConflictError,
    strawberry.union("EndTripResult", description="What ending a trip can answer."),
]
TripMetro = Annotated[strawberry.ID | None, strawberry.argument(description="In this metro; in all of theirs when left out.")]
TripRider = Annotated[strawberry.ID | None, strawberry.argument(description="Of this rider.")]
TripStateArgument = Annotated[trip_enums.TripState | None, strawberry.argument(description="In this state.")]


@strawberry.type
class OpsTripQueries:
    @access.query(access.DISPATCHERS, "Riders' trips, latest first.")
    async def trips(
        self,
        info: strawberry.Info,
        first: First = 20,
        after: After = None,
        metro_id: TripMetro = None,
        customer_id: TripRider = None,
        state: TripStateArgument = None,
    ) -> Connection[OpsTrip]:
        page = await trips.list_trips(
            info.context,
            metro_id=None if metro_id is None else ids.decode(metro_id, ids.METRO, path="metroId"),
            customer_id=None if customer_id is None else ids.decode(customer_id, ids.CUSTOMER, path="customerId"),
            states=() if state is None else (state,),
            first=first,
            after=after,
        )
        return connection(page, OpsTrip.of)


@strawberry.type
class OpsTripMutations:
    @access.mutation(access.DISPATCHERS, "End a trip that its rider cannot end, and take the vehicle out of service.")
    async def end_trip(self, info: strawberry.Info, input: Annotated[EndTripInput, access.INPUT]) -> EndTripResult | None:
        row, position = await trips.end_trip(
            info.context, trip_id=input.trip_id, reason=input.reason, idempotency_key=input.idempotency_key
        )
        return EndTripSuccess(trip=OpsTrip.of(row), cursor=info.context.runtime.cursors.of_position(position))
