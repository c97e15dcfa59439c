"""Stations, as riders search them."""

from __future__ import annotations

from domain import ids, stations
from domain.values import Box, LatLng
from resolvers import fleet, paging
from resolvers.context import Ctx
from resolvers.paging import Page


def around(near: LatLng, radius_meters: int) -> stations.Area:
    fleet.check_radius(radius_meters, "area.near.radiusMeters")
    return stations.Area.around(near, radius_meters)


def within(box: Box) -> stations.Area:
    fleet.check_box(box, "area.box")
    return stations.Area.within(box)


async def search_stations(
    ctx: Ctx, *, metro_id: str, area: stations.Area, first: int, after: str | None
) -> Page[stations.StationStatus]:
    """Stations with what stands there, nearest first."""
    async with ctx.runtime.reading() as session:
        found = await stations.find_stations(
            session,
            ids.decode(metro_id, ids.METRO, path="metroId"),
            area,
            now=ctx.runtime.clock.now(),
            after=None if after is None else stations.After(*fleet.near_key(ctx, after)),
            limit=paging.check_first(first) + 1,
        )
    return paging.page_of(
        found,
        first,
        after,
        ctx.runtime.cursors,
        lambda status: fleet.NEAR_KEY.pack(status.distance_meters, status.station.id.bytes),
    )
