"""Stations, as riders search them."""

from __future__ import annotations

from domain import ids, search, stations
from resolvers import areas, paging
from resolvers.context import Ctx
from resolvers.paging import Page


async def search_stations(
    ctx: Ctx, *, metro_id: str, area: search.Area, first: int, after: str | None
) -> Page[stations.StationStatus]:
    """Stations with what stands there, nearest first."""
    async with ctx.runtime.reading() as session:
        found = await stations.find_stations(
            session,
            ids.decode(metro_id, ids.METRO, path="metroId"),
            area,
            now=ctx.runtime.clock.now(),
            after=None if after is None else stations.After(*areas.near_key(ctx, after)),
            limit=paging.check_first(first) + 1,
        )
    return paging.page_of(
        found,
        first,
        after,
        ctx.runtime.cursors,
        lambda status: areas.NEAR_KEY.pack(status.distance_meters, status.station.id.bytes),
    )
