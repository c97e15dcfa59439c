"""A rider's own reservations."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from contextlib import aclosing
from datetime import datetime
from typing import Annotated

import strawberry
from strawberry import field

from resolvers import reservations
from schema import access, errors, sharing
from schema.connections import Connection, connection
from schema.customer.metros import After, First
from schema.types import reservation_updates
from schema.types.reservations import Reservation

KEY = "Same key, same answer, for 24 hours. 1 to 100 characters, a new one for every act."
CURSOR = "Streams that show this continue from here: pass it as `after`."


@strawberry.input(description="What to reserve, and when.")
class ReserveVehicleInput:
    vehicle_id: strawberry.ID = field(description="The vehicle.")
    idempotency_key: str = field(description=KEY)
    starts_at: datetime | None = field(
        default=None, description="Now when left out. Up to 30 minutes ahead for scooters and bikes, 7 days for cars and vans."
    )
    ends_at: datetime | None = field(
        default=None, description="Cars and vans: needed, 15 minutes to 7 days after the start. Scooters and bikes: leave out."
    )
    expected_minutes: int | None = field(default=None, description="For an estimate of an open-ended ride.")


@strawberry.type(description="The vehicle is held.")
class ReserveVehicleSuccess:
    reservation: Reservation = field(description="The reservation.")
    cursor: str = field(description=CURSOR)


ReserveVehicleResult = Annotated[
    ReserveVehicleSuccess
    | errors.VehicleUnavailableError
    | errors.InvalidInputError
    | errors.NotFoundError
    | errors.IdempotencyConflictError,
    strawberry.union("ReserveVehicleResult", description="What reserving can answer."),
]


@strawberry.input(description="What to cancel.")
class CancelReservationInput:
    reservation_id: strawberry.ID = field(description="The reservation.")
    idempotency_key: str = field(description=KEY)


@strawberry.type(description="The vehicle is free again.")
class CancelReservationSuccess:
    reservation: Reservation = field(description="The reservation.")
    cursor: str = field(description=CURSOR)


CancelReservationResult = Annotated[
    CancelReservationSuccess
    | errors.ReservationClosedError
    | errors.InvalidInputError
    | errors.NotFoundError
    | errors.IdempotencyConflictError,
    strawberry.union("CancelReservationResult", description="What cancelling can answer."),
]


@strawberry.type
class ReservationQueries:
    @access.query(access.RIDERS, "The rider's own reservations, latest first.")
    async def reservations(self, info: strawberry.Info, first: First = 20, after: After = None) -> Connection[Reservation]:
        page = await reservations.list_reservations(info.context, customer_id=None, first=first, after=after)
        return connection(page, Reservation.of)


@strawberry.type
class ReservationMutations:
    @access.mutation(access.RIDERS, "Hold a scooter or bike, book a car or van.")
    async def reserve_vehicle(
        self, info: strawberry.Info, input: Annotated[ReserveVehicleInput, access.INPUT]
    ) -> ReserveVehicleResult | None:
        row, position = await reservations.reserve_vehicle(
            info.context,
            customer_id=info.context.who.account_id,
            vehicle_id=input.vehicle_id,
            starts_at=input.starts_at,
            ends_at=input.ends_at,
            expected_minutes=input.expected_minutes,
            idempotency_key=input.idempotency_key,
        )
        cursor = info.context.runtime.cursors.of_position(position)
        return ReserveVehicleSuccess(reservation=Reservation.of(row), cursor=cursor)

    @access.mutation(access.RIDERS, "Give up a reservation before its start.")
    async def cancel_reservation(
        self, info: strawberry.Info, input: Annotated[CancelReservationInput, access.INPUT]
    ) -> CancelReservationResult | None:
        row, position = await reservations.cancel_reservation(
            info.context, reservation_id=input.reservation_id, reason=None, idempotency_key=input.idempotency_key
        )
        cursor = info.context.runtime.cursors.of_position(position)
        return CancelReservationSuccess(reservation=Reservation.of(row), cursor=cursor)


@strawberry.type
class ReservationSubscriptions:
    @access.subscription(
        access.RIDERS, "What changes in the rider's own reservations, as it changes, whoever changes it.", per=sharing.Per.VIEWER
    )
    async def customer_reservation_changed(
        self,
        info: strawberry.Info,
        after: Annotated[
            str | None,
            strawberry.argument(description="A cursor: nothing behind it is lost or repeated. Without it from now on."),
        ] = None,
    ) -> AsyncGenerator[reservation_updates.ReservationUpdate, None]:
        events = await reservations.follow_reservations(info.context, after=after)
        async with aclosing(events):
            async for event in events:
                if (item := reservation_updates.of_item(info.context, event)) is not None:
                    yield item
