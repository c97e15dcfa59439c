"""Appeals against fines, as staff decide them."""

from __future__ import annotations

from typing import Annotated

import strawberry
from strawberry import field

from resolvers import fines
from schema import access, errors, trip_errors
from schema.connections import After, Connection, First, connection
from schema.customer.reservations import KEY
from schema.types.fines import FineState, OpsFine


@strawberry.input(description="Which appeal is decided, how and why.")
class DecideAppealInput:
    fine_id: strawberry.ID = field(description="The fine.")
    state: FineState = field(description="UPHELD: it stays. WAIVED: it is given back.")
    reason: str = field(description="What the rider is told; 1 to 500 characters.")
    idempotency_key: str = field(description=KEY)


@strawberry.type(description="The appeal is decided, and the rider is told.")
class DecideAppealSuccess:
    fine: OpsFine = field(description="The fine.")


DecideAppealResult = Annotated[
    DecideAppealSuccess
    | trip_errors.FineClosedError
    | errors.InvalidInputError
    | errors.NotFoundError
    | errors.IdempotencyConflictError,
    strawberry.union("DecideAppealResult", description="What deciding an appeal can answer."),
]


@strawberry.type
class OpsFineQueries:
    @access.query(access.DISPATCHERS, "Fines with an appeal that nobody has decided, in the asker's metros, the oldest first.")
    async def appealed_fines(
        self,
        info: strawberry.Info,
        metro_id: Annotated[strawberry.ID | None, strawberry.argument(description="In this metro.")] = None,
        first: First = 20,
        after: After = None,
    ) -> Connection[OpsFine]:
        page = await fines.list_appealed_fines(info.context, metro_id=metro_id, first=first, after=after)
        return connection(page, OpsFine.of)


@strawberry.type
class OpsFineMutations:
    @access.mutation(
        access.DISPATCHERS, "Decide an appeal, once. A fine that is waived comes off what is owed, or goes back as it was paid."
    )
    async def decide_appeal(
        self, info: strawberry.Info, input: Annotated[DecideAppealInput, access.INPUT]
    ) -> DecideAppealResult | None:
        row = await fines.decide_appeal(
            info.context,
            fine_id=input.fine_id,
            state=input.state,
            reason=input.reason,
            idempotency_key=input.idempotency_key,
        )
        return DecideAppealSuccess(fine=OpsFine.of(row))
