"""Zones, as everybody reads them."""

from __future__ import annotations

from uuid import UUID

from domain import errors, ids, zones
from domain.values import is_storable
from resolvers import paging
from resolvers.context import Ctx
from resolvers.paging import Page


async def list_zones(ctx: Ctx, *, metro_id: str, first: int, after: str | None) -> Page[zones.Zone]:
    async with ctx.runtime.reading() as session:
        found = await zones.list_zones(
            session,
            ids.decode(metro_id, ids.METRO, path="metroId"),
            after=None if after is None else _name_after(ctx, after),
            limit=paging.check_first(first) + 1,
        )
    return paging.page_of(found, first, after, ctx.runtime.cursors, lambda zone: zone.name.encode())


def _name_after(ctx: Ctx, after: str) -> str:
    name = ctx.runtime.cursors.key(after).decode(errors="replace")
    if not is_storable(name):
        raise errors.InvalidInput.of("after", "after is a cursor of another list.")
    return name


async def find_zone(ctx: Ctx, zone_id: UUID) -> zones.Zone | None:
    async with ctx.runtime.reading() as session:
        try:
            return await zones.get_zone(session, zone_id)
        except errors.NotFound:
            return None
