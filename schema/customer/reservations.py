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
from schema.types.money import MoneyInput
from schema.types.reservations import FilterArgument, Reservation, ReservationFilterInput

KEY = "Same key, same answer, for 24 hours. 1 to 100 characters, a new one for every act."
CURSOR = "Streams that show this continue from here: pass it as `after`."
CHANGED_START = (
    "By the rules of reserving. A hold of a scooter or bike starts 30 minutes after it was made at the latest, however often"
    " it moves."
)
CHANGED_END = "Cars and vans: 15 minutes to 7 days after the start. Scooters and bikes: leave out."
CHANGED_VEHICLE = "Another vehicle of the metro. A hold stays a hold, a booking a booking."


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
    | errors.DrivingLicenceRequiredError
    | errors.CoolDownError
    | errors.InvalidInputError
    | errors.NotFoundError
    | errors.IdempotencyConflictError,
    strawberry.union("ReserveVehicleResult", description="What reserving can answer."),
]


@strawberry.input(description="What to cancel.")
class CancelReservationInput:
    reservation_id: strawberry.ID = field(description="The reservation.")
    idempotency_key: str = field(description=KEY)
    accepted_fee: MoneyInput | None = field(
        default=None,
        description="The fee that the rider saw (`Reservation.cancellation.fee`) and accepts. Left out: only if it is free.",
    )


@strawberry.type(description="The vehicle is free again.")
class CancelReservationSuccess:
    reservation: Reservation = field(description="The reservation.")
    cursor: str = field(description=CURSOR)


CancelReservationResult = Annotated[
    CancelReservationSuccess
    | errors.CancellationFeeError
    | errors.ReservationClosedError
    | errors.InvalidInputError
    | errors.NotFoundError
    | errors.IdempotencyConflictError,
    strawberry.union("CancelReservationResult", description="What cancelling can answer."),
]


@strawberry.input(description="What to move, and where to. What is left out stays as it is.")
class ChangeReservationInput:
    reservation_id: strawberry.ID = field(description="The reservation. It must not have begun.")
    idempotency_key: str = field(description=KEY)
    starts_at: datetime | None = field(default=None, description=CHANGED_START)
    ends_at: datetime | None = field(default=None, description=CHANGED_END)
    expected_minutes: int | None = field(default=None, description="For a new estimate of an open-ended ride.")
    vehicle_id: strawberry.ID | None = field(default=None, description=CHANGED_VEHICLE)


@strawberry.type(description="The reservation has moved.")
class ChangeReservationSuccess:
    reservation: Reservation = field(description="The reservation.")
    cursor: str = field(description=CURSOR)


ChangeReservationResult = Annotated[
    ChangeReservationSuccess
    | errors.VehicleUnavailableError
    | errors.DrivingLicenceRequiredError
    | errors.ReservationClosedError
    | errors.InvalidInputError
    | errors.NotFoundError
    | errors.IdempotencyConflictError,
    strawberry.union("ChangeReservationResult", description="What changing can answer."),
]


@strawberry.input(description="Which booking ends later, and when.")
class ExtendReservationInput:
    reservation_id: strawberry.ID = field(description="The booking of a car or van; it may be running.")
    ends_at: datetime = field(description="The new end, later than the present one, 7 days after the start at most.")
    idempotency_key: str = field(description=KEY)


@strawberry.type(description="The booking ends later, and is priced anew by the tariff that it was quoted.")
class ExtendReservationSuccess:
    reservation: Reservation = field(description="The reservation.")
    cursor: str = field(description=CURSOR)


ExtendReservationResult = Annotated[
    ExtendReservationSuccess
    | errors.VehicleUnavailableError
    | errors.DrivingLicenceRequiredError
    | errors.ReservationClosedError
    | errors.InvalidInputError
    | errors.NotFoundError
    | errors.IdempotencyConflictError,
    strawberry.union("ExtendReservationResult", description="What extending can answer."),
]


@strawberry.type
class ReservationQueries:
    @access.query(access.RIDERS, "The rider's own reservations, latest first.")
    async def reservations(
        self, info: strawberry.Info, first: First = 20, after: After = None, filter: FilterArgument = None
    ) -> Connection[Reservation]:
        wanted = (filter or ReservationFilterInput()).value()
        page = await reservations.list_reservations(info.context, wanted=wanted, first=first, after=after)
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

    @access.mutation(
        access.RIDERS,
        "Give up a reservation that nobody has unlocked: for nothing until a limit, then for the fee that was accepted.",
    )
    async def cancel_reservation(
        self, info: strawberry.Info, input: Annotated[CancelReservationInput, access.INPUT]
    ) -> CancelReservationResult | None:
        row, position = await reservations.cancel_reservation(
            info.context,
            reservation_id=input.reservation_id,
            accepted_fee=input.accepted_fee.value() if input.accepted_fee else None,
            idempotency_key=input.idempotency_key,
        )
        cursor = info.context.runtime.cursors.of_position(position)
        return CancelReservationSuccess(reservation=Reservation.of(row), cursor=cursor)

    @access.mutation(
        access.RIDERS, "Move a reservation that has not begun to another time or vehicle, or refuse and change nothing."
    )
    async def change_reservation(
        self, info: strawberry.Info, input: Annotated[ChangeReservationInput, access.INPUT]
    ) -> ChangeReservationResult | None:
        row, position = await reservations.change_reservation(
            info.context,
            reservation_id=input.reservation_id,
            starts_at=input.starts_at,
            ends_at=input.ends_at,
            expected_minutes=input.expected_minutes,
            vehicle_id=input.vehicle_id,
            idempotency_key=input.idempotency_key,
        )
        cursor = info.context.runtime.cursors.of_position(position)
        return ChangeReservationSuccess(reservation=Reservation.of(row), cursor=cursor)

    @access.mutation(access.RIDERS, "Give a booking of a car or van a later end, also while it runs.")
    async def extend_reservation(
        self, info: strawberry.Info, input: Annotated[ExtendReservationInput, access.INPUT]
    ) -> ExtendReservationResult | None:
        row, position = await reservations.extend_reservation(
            info.context,
            reservation_id=input.reservation_id,
            ends_at=input.ends_at,
            idempotency_key=input.idempotency_key,
        )
        cursor = info.context.runtime.cursors.of_position(position)
        return ExtendReservationSuccess(reservation=Reservation.of(row), cursor=cursor)


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
