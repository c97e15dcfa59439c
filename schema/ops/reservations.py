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
from schema.customer.reservations import CURSOR, KEY
from schema.types.reservations import OpsReservation


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


@strawberry.type
class OpsReservationQueries:
    @access.query(access.DISPATCHERS, "Reservations of the metros that the asker works in, latest first.")
    async def reservations(
        self,
        info: strawberry.Info,
        customer_id: Annotated[strawberry.ID | None, strawberry.argument(description="Only this rider's.")] = None,
        first: First = 20,
        after: After = None,
    ) -> Connection[OpsReservation]:
        page = await reservations.list_reservations(info.context, customer_id=customer_id, first=first, after=after)
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

    @access.mutation(access.DISPATCHERS, "Cancel a rider's reservation, with a reason.")
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
