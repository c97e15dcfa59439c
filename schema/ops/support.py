"""What riders say of trips and vehicles, as staff look through and answer it."""

from __future__ import annotations

from typing import Annotated

import strawberry
from strawberry import field

from resolvers import feedback, support_tickets
from schema import access, errors
from schema.connections import After, Connection, First, connection
from schema.types.support import OpsFeedback, OpsSupportTicket, SupportState

VehicleArgument = Annotated[
    strawberry.ID | None, strawberry.argument(description="Of this vehicle: `fleet_vehicle_…`, or the published `vehicle_…`.")
]


@strawberry.input(description="Which report is closed, and how.")
class ResolveSupportTicketInput:
    ticket_id: strawberry.ID = field(description="The report.")
    state: SupportState = field(description="ISSUE_RESOLVED or ISSUE_REVOKED.")


@strawberry.type(description="The report is closed.")
class ResolveSupportTicketSuccess:
    ticket: OpsSupportTicket = field(description="The report.")


ResolveSupportTicketResult = Annotated[
    ResolveSupportTicketSuccess | errors.InvalidInputError | errors.NotFoundError,
    strawberry.union("ResolveSupportTicketResult", description="What closing a report can answer."),
]


@strawberry.type
class OpsSupportQueries:
    @access.query(access.STAFF, "Faults that riders have reported in the metros that the asker works in, the latest first.")
    async def support_tickets(
        self,
        info: strawberry.Info,
        metro_id: Annotated[strawberry.ID | None, strawberry.argument(description="In this metro.")] = None,
        vehicle_id: VehicleArgument = None,
        state: Annotated[SupportState | None, strawberry.argument(description="In this state.")] = None,
        first: First = 20,
        after: After = None,
    ) -> Connection[OpsSupportTicket]:
        page = await support_tickets.list_support_tickets(
            info.context, metro_id=metro_id, vehicle_id=vehicle_id, state=state, first=first, after=after
        )
        return connection(page, OpsSupportTicket.of)

    @access.query(access.STAFF, "What riders have said of trips in the metros that the asker works in, the latest first.")
    async def feedback(
        self,
        info: strawberry.Info,
        vehicle_id: VehicleArgument = None,
        trip_id: Annotated[strawberry.ID | None, strawberry.argument(description="Of this trip.")] = None,
        first: First = 20,
        after: After = None,
    ) -> Connection[OpsFeedback]:
        page = await feedback.list_feedback(info.context, trip_id=trip_id, vehicle_id=vehicle_id, first=first, after=after)
        return connection(page, OpsFeedback.of)


@strawberry.type
class OpsSupportMutations:
    @access.mutation(
        access.STAFF,
        "Close a rider's report; the other word corrects it. The vehicle stays as it is: `reportVehicle` puts it back.",
    )
    async def resolve_support_ticket(
        self, info: strawberry.Info, input: Annotated[ResolveSupportTicketInput, access.INPUT]
    ) -> ResolveSupportTicketResult | None:
        row = await support_tickets.resolve_support_ticket(info.context, ticket_id=input.ticket_id, state=input.state)
        return ResolveSupportTicketSuccess(ticket=OpsSupportTicket.of(row))
