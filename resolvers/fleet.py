"""Vehicles, as riders search them and as staff watch and correct them."""

from __future__ import annotations

import struct
from collections.abc import Collection
from uuid import UUID

from domain import errors, fleet, ids, search
from domain.values import Box, LatLng, VehicleState, VehicleType
from resolvers import paging
from resolvers.context import Ctx
from resolvers.paging import Page

_NEAR_KEY = struct.Struct(">d16s")
MAX_BOX_DEGREES = 5.0


async def search_vehicles(
    ctx: Ctx,
    *,
    metro_id: str,
    near: LatLng,
    radius_meters: int,
    types: Collection[VehicleType],
    first: int,
    after: str | None,
) -> Page[fleet.Vehicle]:
    """Vehicles a rider could take now, nearest first."""
    if not 1 <= radius_meters <= search.MAX_RADIUS_METERS:
        raise errors.InvalidInput.of("radiusMeters", f"radiusMeters lies between 1 and {search.MAX_RADIUS_METERS}.")
    async with ctx.runtime.reading() as session:
        found = await search.find_vehicles_near(
            session,
            ids.decode(metro_id, ids.METRO, path="metroId"),
            near,
            radius_meters=radius_meters,
            types=types,
            now=ctx.runtime.clock.now(),
            after=_near_after(ctx, after),
            limit=paging.check_first(first) + 1,
        )
    return paging.page_of(
        found,
        first,
        after,
        ctx.runtime.cursors,
        lambda vehicle: _NEAR_KEY.pack(vehicle.distance_meters or 0.0, vehicle.published_id.bytes),
    )


def _near_after(ctx: Ctx, after: str | None) -> search.After | None:
    if after is None:
        return None
    key = ctx.runtime.cursors.key(after)
    if len(key) != _NEAR_KEY.size:
        raise errors.InvalidInput.of("after", "after is a cursor of another list.")
    distance, published_id = _NEAR_KEY.unpack(key)
    return search.After(distance, UUID(bytes=published_id))


async def list_vehicles(
    ctx: Ctx, *, box: Box, states: Collection[VehicleState], first: int, after: str | None
) -> Page[fleet.Vehicle]:
    """The fleet in a box, for staff."""
    _check(box)
    async with ctx.runtime.reading() as session:
        found = await fleet.list_vehicles_in_box(
            session,
            box,
            states=states,
            metro_ids=ctx.who.metro_ids,
            after=paging.uuid_after(after, ctx.runtime.cursors),
            limit=paging.check_first(first) + 1,
        )
    return paging.page_of(found, first, after, ctx.runtime.cursors, lambda vehicle: vehicle.id.bytes)


def _check(box: Box) -> None:
    if box.south >= box.north or box.west >= box.east:
        raise errors.InvalidInput.of("box", "A box reaches from south to north and from west to east.")
    if box.north - box.south > MAX_BOX_DEGREES or box.east - box.west > MAX_BOX_DEGREES:
        raise errors.InvalidInput.of("box", f"A box spans {MAX_BOX_DEGREES:g} degrees at most.")


async def find_vehicle(ctx: Ctx, ref: fleet.VehicleRef) -> fleet.Vehicle | None:
    async with ctx.runtime.reading() as session:
        try:
            vehicle = await fleet.get_vehicle(session, ref)
            if ctx.actor is not None:
                ctx.actor.require_metro(vehicle.metro_id)
        except errors.NotFound:
            return None
    return vehicle


async def find_station(ctx: Ctx, station_id: UUID) -> fleet.Station | None:
    async with ctx.runtime.reading() as session:
        try:
            return await fleet.get_station(session, station_id)
        except errors.NotFound:
            return None


async def report_vehicle(ctx: Ctx, ref: fleet.VehicleRef, report: fleet.Report) -> fleet.Vehicle:
    async with ctx.runtime.transaction() as session:
        return await fleet.report_vehicle(session, ctx.who, ref, report, now=ctx.runtime.clock.now())
