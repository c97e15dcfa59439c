"""A rider's own fines, and appeals against them."""

from __future__ import annotations

from typing import Annotated

import strawberry
from strawberry import field

from resolvers import fines
from schema import access, errors, trip_errors
from schema.connections import After, Connection, First, connection
from schema.customer.reservations import KEY
from schema.types.fines import Fine


@strawberry.input(description="Against which fine, and why.")
class AppealFineInput:
    fine_id: strawberry.ID = field(description="The fine.")
    text: str = field(description="What speaks against it; 1 to 2,000 characters. It cannot be changed.")
    idempotency_key: str = field(description=KEY)


@strawberry.type(description="The appeal waits for a person to decide.")
class AppealFineSuccess:
    fine: Fine = field(description="The fine.")


AppealFineResult = Annotated[
    AppealFineSuccess
    | trip_errors.FineClosedError
    | errors.InvalidInputError
    | errors.NotFoundError
    | errors.IdempotencyConflictError,
    strawberry.union("AppealFineResult", description="What appealing can answer."),
]


@strawberry.type
class FineQueries:
    @access.query(access.RIDERS, "The rider's own fines, the latest first.")
    async def fines(self, info: strawberry.Info, first: First = 20, after: After = None) -> Connection[Fine]:
        page = await fines.list_fines(info.context, first=first, after=after)
        return connection(page, Fine.of)


@strawberry.type
class FineMutations:
    @access.mutation(access.RIDERS, "Object to a fine, once, until its `appealUntil`. A person decides, and the rider is told.")
    async def appeal_fine(
        self, info: strawberry.Info, input: Annotated[AppealFineInput, access.INPUT]
    ) -> AppealFineResult | None:
        row = await fines.appeal_fine(info.context, fine_id=input.fine_id, text=input.text, idempotency_key=input.idempotency_key)
        return AppealFineSuccess(fine=Fine.of(row))
