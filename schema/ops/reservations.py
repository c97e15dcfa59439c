"""Any rider's reservations, as staff make, cancel and read them."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated

import strawberry
from strawberry import field

from domain import ids
from resolvers import reservations
from schema import access, errors
from schema.connections import Connection, connection
from schema.customer.metros import After, First
from schema.customer.reservations import CHANGED_END, CHANGED_START, CHANGED_VEHICLE, CURSOR, KEY
from schema.types.reservations import FeeSettlement, FilterArgument, OpsReservation, ReservationFilterInput


@strawberry.input(description="What to reserve for whom, and when.")
class OpsReserveVehicleInput:
    customer_id: strawberry.ID = field(description="The rider.")
    vehicle_id: strawberry.ID = field(description="The vehicle.")
    idempotency_key: str | None = field(
        default=None,
        description=KEY + " Without one a repeat is refused all the same: a vehicle is never reserved twice for one time.",
    )
    starts_at: datetime | None = field(default=None, description="As for riders: now when left out.")
    ends_at: datetime | None = field(default=None, description="As for riders: needed for cars and vans, left out else.")
    expected_minutes: int | None = field(default=None, description="For an estimate of an open-ended ride.")


@strawberry.type(description="The vehicle is held for the rider.")
class OpsReserveVehicleSuccess:
    reservation: OpsReservation = field(description="The reservation.")
    cursor: str = field(description=CURSOR)


OpsReserveVehicleResult = Annotated[
    OpsReserveVehicleSuccess
    | errors.VehicleUnavailableError
    | errors.DrivingLicenceRequiredError
    | errors.CoolDownError
    | errors.InvalidInputError
    | errors.NotFoundError
    | errors.IdempotencyConflictError,
    strawberry.union("OpsReserveVehicleResult", description="What reserving for a rider can answer."),
]


@strawberry.input(description="What to cancel, and why.")
class OpsCancelReservationInput:
    reservation_id: strawberry.ID = field(description="The reservation.")
    reason: str = field(description="What the rider is told; 1 to 500 characters.")
    idempotency_key: str = field(description=KEY)


@strawberry.type(description="The vehicle is free again.")
class OpsCancelReservationSuccess:
    reservation: OpsReservation = field(description="The reservation.")
    cursor: str = field(description=CURSOR)


OpsCancelReservationResult = Annotated[
    OpsCancelReservationSuccess
    | errors.ReservationClosedError
    | errors.InvalidInputError
    | errors.NotFoundError
    | errors.IdempotencyConflictError,
    strawberry.union("OpsCancelReservationResult", description="What cancelling for a rider can answer."),
]


@strawberry.input(description="What to move, and where to. What is left out stays as it is.")
class OpsChangeReservationInput:
    reservation_id: strawberry.ID = field(description="The reservation. It must not have begun.")
    idempotency_key: str = field(description=KEY)
    starts_at: datetime | None = field(default=None, description=CHANGED_START)
    ends_at: datetime | None = field(default=None, description=CHANGED_END)
    expected_minutes: int | None = field(default=None, description="For a new estimate of an open-ended ride.")
    vehicle_id: strawberry.ID | None = field(default=None, description=CHANGED_VEHICLE)


@strawberry.type(description="The reservation has moved.")
class OpsChangeReservationSuccess:
    reservation: OpsReservation = field(description="The reservation.")
    cursor: str = field(description=CURSOR)


OpsChangeReservationResult = Annotated[
    OpsChangeReservationSuccess
    | errors.VehicleUnavailableError
    | errors.DrivingLicenceRequiredError
    | errors.ReservationClosedError
    | errors.InvalidInputError
    | errors.NotFoundError
    | errors.IdempotencyConflictError,
    strawberry.union("OpsChangeReservationResult", description="What changing can answer."),
]


@strawberry.input(description="Which booking ends later, and when.")
class OpsExtendReservationInput:
    reservation_id: strawberry.ID = field(description="The booking of a car or van; it may be running.")
    ends_at: datetime = field(description="The new end, later than the present one, 7 days after the start at most.")
    idempotency_key: str = field(description=KEY)


@strawberry.type(description="The booking ends later, and is priced anew by the tariff that it was quoted.")
class OpsExtendReservationSuccess:
    reservation: OpsReservation = field(description="The reservation.")
    cursor: str = field(description=CURSOR)


OpsExtendReservationResult = Annotated[
    OpsExtendReservationSuccess
    | errors.VehicleUnavailableError
    | errors.DrivingLicenceRequiredError
    | errors.ReservationClosedError
    | errors.InvalidInputError
    | errors.NotFoundError
    | errors.IdempotencyConflictError,
    strawberry.union("OpsExtendReservationResult", description="What extending can answer."),
]


@strawberry.input(description="Whose fee is no debt any more, and how.")
class SettleCancellationFeeInput:
    reservation_id: strawberry.ID = field(description="The reservation that was cancelled late.")
    settlement: FeeSettlement = field(description="Paid or waived.")
    idempotency_key: str = field(description=KEY)


@strawberry.type(description="Nothing is owed for the reservation any more.")
class SettleCancellationFeeSuccess:
    reservation: OpsReservation = field(description="The reservation.")


SettleCancellationFeeResult = Annotated[
    SettleCancellationFeeSuccess
    | errors.ReservationClosedError
    | errors.InvalidInputError
    | errors.NotFoundError
    | errors.IdempotencyConflictError,
    strawberry.union("SettleCancellationFeeResult", description="What settling a fee can answer."),
]


@strawberry.type
class OpsReservationQueries:
    @access.query(access.DISPATCHERS, "Reservations of the metros that the asker works in, latest first.")
    async def reservations(
        self,
        info: strawberry.Info,
        customer_id: Annotated[strawberry.ID | None, strawberry.argument(description="Only this rider's.")] = None,
        first: First = 20,
        after: After = None,
        filter: FilterArgument = None,
    ) -> Connection[OpsReservation]:
        customer = ids.decode(customer_id, ids.CUSTOMER, path="customerId") if customer_id else None
        wanted = (filter or ReservationFilterInput()).value(customer)
        page = await reservations.list_reservations(info.context, wanted=wanted, first=first, after=after)
        return connection(page, OpsReservation.of)


@strawberry.type
class OpsReservationMutations:
    @access.mutation(access.DISPATCHERS, "Reserve on behalf of a rider, by the rider's own rules.")
    async def reserve_vehicle(
        self, info: strawberry.Info, input: Annotated[OpsReserveVehicleInput, access.INPUT]
    ) -> OpsReserveVehicleResult | None:
        row, position = await reservations.reserve_vehicle(
            info.context,
            customer_id=ids.decode(input.customer_id, ids.CUSTOMER, path="customerId"),
            vehicle_id=input.vehicle_id,
            starts_at=input.starts_at,
            ends_at=input.ends_at,
            expected_minutes=input.expected_minutes,
            idempotency_key=input.idempotency_key,
        )
        cursor = info.context.runtime.cursors.of_position(position)
        return OpsReserveVehicleSuccess(reservation=OpsReservation.of(row), cursor=cursor)

    @access.mutation(access.DISPATCHERS, "Cancel a rider's reservation, with a reason. It costs the rider nothing.")
    async def cancel_reservation(
        self, info: strawberry.Info, input: Annotated[OpsCancelReservationInput, access.INPUT]
    ) -> OpsCancelReservationResult | None:
        row, position = await reservations.cancel_reservation(
            info.context,
            reservation_id=input.reservation_id,
            reason=input.reason,
            idempotency_key=input.idempotency_key,
        )
        cursor = info.context.runtime.cursors.of_position(position)
        return OpsCancelReservationSuccess(reservation=OpsReservation.of(row), cursor=cursor)

    @access.mutation(
        access.DISPATCHERS, "Move a reservation that has not begun to another time or vehicle, or refuse and change nothing."
    )
    async def change_reservation(
        self, info: strawberry.Info, input: Annotated[OpsChangeReservationInput, access.INPUT]
    ) -> OpsChangeReservationResult | None:
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
        return OpsChangeReservationSuccess(reservation=OpsReservation.of(row), cursor=cursor)

    @access.mutation(access.DISPATCHERS, "Give a booking of a car or van a later end, also while it runs.")
    async def extend_reservation(
        self, info: strawberry.Info, input: Annotated[OpsExtendReservationInput, access.INPUT]
    ) -> OpsExtendReservationResult | None:
        row, position = await reservations.extend_reservation(
            info.context,
            reservation_id=input.reservation_id,
            ends_at=input.ends_at,
            idempotency_key=input.idempotency_key,
        )
        cursor = info.context.runtime.cursors.of_position(position)
        return OpsExtendReservationSuccess(reservation=OpsReservation.of(row), cursor=cursor)

    @access.mutation(access.DISPATCHERS, "Note that a rider has paid the fee of a late cancellation, or need not.")
    async def settle_cancellation_fee(
        self, info: strawberry.Info, input: Annotated[SettleCancellationFeeInput, access.INPUT]
    ) -> SettleCancellationFeeResult | None:
        row = await reservations.settle_cancellation_fee(
            info.context,
            reservation_id=input.reservation_id,
            settlement=input.settlement,
            idempotency_key=input.idempotency_key,
        )
        return SettleCancellationFeeSuccess(reservation=OpsReservation.of(row))
