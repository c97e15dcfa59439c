"""Incidents, as staff look through and resolve them."""

from __future__ import annotations

from typing import Annotated

import strawberry
from strawberry import field

from resolvers import incidents
from schema import access, errors
from schema.connections import After, Connection, First, connection
from schema.types.incidents import OpsIncident


@strawberry.input(description="Which incident has been dealt with.")
class ResolveIncidentInput:
    incident_id: strawberry.ID = field(description="The incident.")


@strawberry.type(description="The incident is resolved.")
class ResolveIncidentSuccess:
    incident: OpsIncident = field(description="The incident.")


ResolveIncidentResult = Annotated[
    ResolveIncidentSuccess | errors.InvalidInputError | errors.NotFoundError,
    strawberry.union("ResolveIncidentResult", description="What resolving an incident can answer."),
]


@strawberry.type
class IncidentQueries:
    @access.query(access.DISPATCHERS, "Incidents of the metros that the asker works in, the latest first.")
    async def incidents(
        self,
        info: strawberry.Info,
        metro_id: Annotated[strawberry.ID | None, strawberry.argument(description="In this metro.")] = None,
        is_open: Annotated[
            bool | None, strawberry.argument(description="True: nobody has dealt with it yet. False: somebody has.")
        ] = None,
        first: First = 20,
        after: After = None,
    ) -> Connection[OpsIncident]:
        page = await incidents.list_incidents(info.context, metro_id=metro_id, is_open=is_open, first=first, after=after)
        return connection(page, OpsIncident.of)


@strawberry.type
class IncidentMutations:
    @access.mutation(access.DISPATCHERS, "Note that an incident has been dealt with. Again it changes nothing.")
    async def resolve_incident(
        self, info: strawberry.Info, input: Annotated[ResolveIncidentInput, access.INPUT]
    ) -> ResolveIncidentResult | None:
        row = await incidents.resolve_incident(info.context, incident_id=input.incident_id)
        return ResolveIncidentSuccess(incident=OpsIncident.of(row))
