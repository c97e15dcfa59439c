"""Feedback, as riders give it and staff look through it."""

from __future__ import annotations

from domain import errors, feedback, fleet, ids
from domain.feedback import Feedback
from resolvers import paging
from resolvers.context import Ctx
from resolvers.paging import Page

_TRIPS = (ids.TRIP, ids.OPS_TRIP)


async def give_feedback(ctx: Ctx, *, trip_id: str, rating: int, comment: str | None) -> Feedback:
    """Raises InvalidInput, NotFound, TripClosed."""
    wanted = ids.decode(trip_id, ids.TRIP, path="tripId")
    async with ctx.runtime.transaction() as session:
        await feedback.give_feedback(
            session, ctx.who, trip_id=wanted, rating=rating, comment=comment, now=ctx.runtime.clock.now()
        )
        found = await feedback.find_feedback(session, ctx.who, wanted)
    if found is None:
        raise errors.NotFound
    return found


async def find_feedback(ctx: Ctx, *, trip_id: str) -> Feedback | None:
    """Of a trip of theirs."""
    wanted = ids.decode(trip_id, ids.TRIP, path="tripId")
    async with ctx.runtime.reading() as session:
        return await feedback.find_feedback(session, ctx.who, wanted)


async def list_feedback(
    ctx: Ctx, *, trip_id: str | None, vehicle_id: str | None, first: int, after: str | None
) -> Page[Feedback]:
    """Raises NotFound (no such vehicle)."""
    trip = None if trip_id is None else ids.decode(trip_id, *_TRIPS, path="tripId")
    ref = None if vehicle_id is None else fleet.VehicleRef.parse(vehicle_id)
    before, limit = paging.uuid_after(after, ctx.runtime.cursors), paging.check_first(first) + 1
    async with ctx.runtime.reading() as session:
        vehicle = None if ref is None else (await fleet.get_vehicle(session, ref)).id
        found = await feedback.list_feedback(session, ctx.who, trip_id=trip, vehicle_id=vehicle, before=before, limit=limit)
    return paging.page_of(found, first, after, ctx.runtime.cursors, lambda row: row.id.bytes)
