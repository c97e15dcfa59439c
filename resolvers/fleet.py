"""Vehicles, as riders search them and as staff watch and correct them."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass, replace
from datetime import datetime
from uuid import UUID

from domain import booking_windows, errors, fleet, ids, metros, reports, search
from domain.values import Box, TimeWindow, VehicleState, VehicleType
from resolvers import areas, paging
from resolvers.context import Ctx
from resolvers.paging import Page


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

    def bookable(self) -> Wanted:
        """The same of what is booked by its calendar."""
        if any(kind.is_micromobility for kind in self.types):
            message = "Scooters and bikes are not booked ahead: leave window out, or ask for cars and vans only."
            raise errors.InvalidInput.of("types", message)
        return self if self.types else replace(self, types=(VehicleType.CAR, VehicleType.VAN))


@dataclass(frozen=True, slots=True)
class Span:
    """When a car or van is wanted."""

    starts_at: datetime
    ends_at: datetime


async def search_vehicles(
    ctx: Ctx, *, metro_id: str, area: search.Area, wanted: Wanted, span: Span | None = None, first: int, after: str | None
) -> Page[fleet.Vehicle]:
    """Vehicles a rider could take now, or book for a span; nearest first. That there is none is noted as unmet demand."""
    wanted.check()
    metro, now, runtime = ids.decode(metro_id, ids.METRO, path="metroId"), ctx.runtime.clock.now(), ctx.runtime
    limit, behind = paging.check_first(first) + 1, _near_after(ctx, after)
    window = None
    if span is not None:
        wanted = wanted.bookable()
        try:
            window = _window(await ctx.metros.load(metro), span, now)
        except errors.NotFound:
            return paging.page_of([], first, after, runtime.cursors, _near_key)
    async with runtime.reading() as session:
        found = await search.find_vehicles(
            session,
            metro,
            area,
            types=wanted.types,
            minimum_range_meters=wanted.minimum_range_meters,
            minimum_battery_percent=wanted.minimum_battery_percent,
            window=window,
            now=now,
            after=behind,
            limit=limit,
        )
    if after is None and not found:
        wanted_at = now if window is None else window.starts_at
        runtime.unmet_demand.note(runtime.sessions, metro, area.near, wanted.types, wanted_at)
    return paging.page_of(found, first, after, runtime.cursors, _near_key)


def _window(metro: metros.Metro, span: Span, now: datetime) -> TimeWindow:
    """By the rules of booking; they are the same for cars and vans."""
    try:
        window = booking_windows.window_for(VehicleType.CAR, metro, starts_at=span.starts_at, ends_at=span.ends_at, now=now)
    except errors.InvalidInput as refusal:
        raise errors.InvalidInput([errors.Issue(f"window.{issue.path}", issue.message) for issue in refusal.issues]) from None
    return window.blocked


def _near_key(vehicle: fleet.Vehicle) -> bytes:
    return areas.NEAR_KEY.pack(vehicle.distance_meters or 0.0, vehicle.published_id.bytes)


def _near_after(ctx: Ctx, after: str | None) -> search.After | None:
    return None if after is None else search.After(*areas.near_key(ctx, after))


async def list_vehicles(
    ctx: Ctx, *, box: Box, states: Collection[VehicleState], first: int, after: str | None
) -> Page[fleet.Vehicle]:
    """The fleet in a box, for staff."""
    areas.check_box(box, "box")
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


async def report_vehicle(ctx: Ctx, ref: fleet.VehicleRef, report: reports.Report) -> fleet.Vehicle:
    async with ctx.runtime.transaction() as session:
        return await reports.report_vehicle(session, ctx.who, ref, report, now=ctx.runtime.clock.now())
