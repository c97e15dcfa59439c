"""Incidents, as staff look through and resolve them."""

from __future__ import annotations

from uuid import UUID

from domain import ids, incidents
from resolvers import paging
from resolvers.context import Ctx
from resolvers.paging import Page


async def list_incidents(
    ctx: Ctx, *, metro_id: str | None, is_open: bool | None, first: int, after: str | None
) -> Page[incidents.Incident]:
    metro = None if metro_id is None else ids.decode(metro_id, ids.METRO, path="metroId")
    before, limit = paging.uuid_after(after, ctx.runtime.cursors), paging.check_first(first) + 1
    async with ctx.runtime.reading() as session:
        found = await incidents.list_incidents(session, ctx.who, metro_id=metro, is_open=is_open, before=before, limit=limit)
    return paging.page_of(found, first, after, ctx.runtime.cursors, lambda row: row.id.bytes)


async def find_incident(ctx: Ctx, incident_id: UUID) -> incidents.Incident | None:
    async with ctx.runtime.reading() as session:
        return await incidents.find_incident(session, ctx.who, incident_id)


async def resolve_incident(ctx: Ctx, *, incident_id: str) -> incidents.Incident:
    """Raises InvalidInput, NotFound."""
    wanted = ids.decode(incident_id, ids.OPS_INCIDENT, path="incidentId")
    async with ctx.runtime.transaction() as session:
        await incidents.resolve_incident(session, ctx.who, incident_id=wanted, now=ctx.runtime.clock.now())
        return await incidents.get_incident(session, ctx.who, wanted)
