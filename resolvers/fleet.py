"""Vehicles, as riders search them and as staff watch and correct them."""

from __future__ import annotations

import struct
from collections.abc import Collection
from dataclasses import dataclass
from uuid import UUID

from domain import errors, fleet, ids, search
from domain.values import Box, LatLng, VehicleState, VehicleType
from resolvers import paging
from resolvers.context import Ctx
from resolvers.paging import Page

NEAR_KEY = struct.Struct(">d16s")
MAX_BOX_DEGREES = 5.0


@dataclass(frozen=True, slots=True)
class Wanted:
    """What a vehicle must be for the rider who searches."""

    types: Collection[VehicleType] = ()
    minimum_range_meters: int = 0
    minimum_battery_percent: int = 0

    def check(self) -> None:
        issues = [
            errors.Issue(field, f"{field} lies between 0 and {greatest:,}.")
            for field, given, greatest in (
                ("minimumRangeMeters", self.minimum_range_meters, search.MAX_RANGE_METERS),
                ("minimumBatteryPercent", self.minimum_battery_percent, 100),
            )
            if not 0 <= given <= greatest
        ]
        if issues:
            raise errors.InvalidInput(issues)


async def search_vehicles(
    ctx: Ctx, *, metro_id: str, near: LatLng, radius_meters: int, wanted: Wanted, first: int, after: str | None
) -> Page[fleet.Vehicle]:
    """Vehicles a rider could take now, nearest first. That there is none is noted as unmet demand."""
    wanted.check()
    check_radius(radius_meters, "radiusMeters")
    metro, now, runtime = ids.decode(metro_id, ids.METRO, path="metroId"), ctx.runtime.clock.now(), ctx.runtime
    async with runtime.reading() as session:
        found = await search.find_vehicles_near(
            session,
            metro,
            near,
            radius_meters=radius_meters,
            types=wanted.types,
            minimum_range_meters=wanted.minimum_range_meters,
            minimum_battery_percent=wanted.minimum_battery_percent,
            now=now,
            after=_near_after(ctx, after),
            limit=paging.check_first(first) + 1,
        )
    if after is None and not found:
        runtime.unmet_demand.note(runtime.sessions, metro, near, wanted.types, now)
    return paging.page_of(
        found,
        first,
        after,
        runtime.cursors,
        lambda vehicle: NEAR_KEY.pack(vehicle.distance_meters or 0.0, vehicle.published_id.bytes),
    )


def check_radius(radius_meters: int, path: str) -> None:
    if not 1 <= radius_meters <= search.MAX_RADIUS_METERS:
        raise errors.InvalidInput.of(path, f"radiusMeters lies between 1 and {search.MAX_RADIUS_METERS}.")


def near_key(ctx: Ctx, after: str) -> tuple[float, UUID]:
    """Distance and id of the last item of a page that is ordered by them."""
    key = ctx.runtime.cursors.key(after)
    if len(key) != NEAR_KEY.size:
        raise errors.InvalidInput.of("after", "after is a cursor of another list.")
    distance, last = NEAR_KEY.unpack(key)
    return distance, UUID(bytes=last)


def _near_after(ctx: Ctx, after: str | None) -> search.After | None:
    return None if after is None else search.After(*near_key(ctx, after))


async def list_vehicles(
    ctx: Ctx, *, box: Box, states: Collection[VehicleState], first: int, after: str | None
) -> Page[fleet.Vehicle]:
    """The fleet in a box, for staff."""
    check_box(box, "box")
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


def check_box(box: Box, path: str) -> None:
    if box.south >= box.north or box.west >= box.east:
        raise errors.InvalidInput.of(path, "A box reaches from south to north and from west to east.")
    if box.north - box.south > MAX_BOX_DEGREES or box.east - box.west > MAX_BOX_DEGREES:
        raise errors.InvalidInput.of(path, f"A box spans {MAX_BOX_DEGREES:g} degrees at most.")


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
