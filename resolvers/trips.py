"""Trips, as riders make them and staff end them."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncSession

from domain import (
    errors,
    eventlog,
    fleet,
    idempotency,
    ids,
    pauses,
    tables,
    trips,
    unlocks,
)
from domain.values import LatLng
from resolvers import paging
from resolvers.context import Ctx
from resolvers.paging import Page
from resolvers.reservations import offering_alternatives

PREFIXES = (ids.TRIP, ids.OPS_TRIP)
#: the position says where streams that show the trip continue from
Outcome = tuple[trips.Trip, eventlog.Position]
Act = Callable[[AsyncSession, datetime], Awaitable[errors.ReturnRefused | None]]


async def unlock_vehicle(
    ctx: Ctx,
    *,
    vehicle_id: str | None,
    position: LatLng | None,
    nfc_token: str | None,
    reservation_id: str | None,
    ends_at: datetime | None,
    idempotency_key: str,
) -> Outcome:
    """By its token, or by its id and where the rider stands."""
    vehicle = None if vehicle_id is None else fleet.VehicleRef.parse(vehicle_id)
    reservation = None if reservation_id is None else ids.decode(reservation_id, ids.RESERVATION, path="reservationId")
    given = {
        "vehicleId": vehicle_id,
        "position": None if position is None else [position.lat, position.lon],
        "nfcToken": nfc_token,
        "reservationId": reservation_id,
        "endsAt": ends_at.isoformat() if ends_at else None,
    }
    now, who = ctx.runtime.clock.now(), ctx.who
    async with offering_alternatives(ctx, now), ctx.runtime.transaction() as session:
        before = await eventlog.current_position(session, eventlog.rider_topic(who.account_id))
        trip_id = ids.new()
        seen = await idempotency.claim(
            session,
            account_id=who.account_id,
            mutation="unlock_vehicle",
            key=idempotency_key,
            given=given,
            result_id=trip_id,
            now=now,
        )
        if seen is None:
            await unlocks.unlock_vehicle(
                session,
                who,
                vehicle=vehicle,
                nfc_token=nfc_token,
                reservation_id=reservation,
                position=position,
                ends_at=ends_at,
                trip_id=trip_id,
                now=now,
            )
        return await trips.get_trip(session, who, seen or trip_id), before


async def once(ctx: Ctx, mutation: str, trip_id: str, key: str, given: dict[str, Any], act: Act) -> Outcome:
    """An act on a trip, once a key. A refusal that the act answers, instead of raising it, is raised behind the commit of what
    it leaves, and gives the key back."""
    target = ids.decode(trip_id, *PREFIXES, path="tripId")
    now, who = ctx.runtime.clock.now(), ctx.who
    async with ctx.runtime.transaction() as session:
        position = await trips.take_turn(session, target)
        seen = await idempotency.claim(
            session,
            account_id=who.account_id,
            mutation=mutation,
            key=key,
            given={"tripId": str(target), **given},
            result_id=target,
            now=now,
        )
        refusal = await act(session, now) if seen is None else None
        if refusal is None:
            return await trips.get_trip(session, who, target), position
        await idempotency.release(session, account_id=who.account_id, mutation=mutation, key=key)
    raise refusal


async def cancel_trip(ctx: Ctx, *, trip_id: str, idempotency_key: str) -> Outcome:
    async def act(session: AsyncSession, now: datetime) -> None:
        await trips.cancel_trip(session, ctx.who, trip_id=ids.decode(trip_id, *PREFIXES), now=now)

    return await once(ctx, "cancel_trip", trip_id, idempotency_key, {}, act)


async def pause_trip(ctx: Ctx, *, trip_id: str, idempotency_key: str) -> Outcome:
    async def act(session: AsyncSession, now: datetime) -> None:
        await pauses.pause_trip(session, ctx.who, trip_id=ids.decode(trip_id, *PREFIXES), now=now)

    return await once(ctx, "pause_trip", trip_id, idempotency_key, {}, act)


async def resume_trip(ctx: Ctx, *, trip_id: str, idempotency_key: str) -> Outcome:
    async def act(session: AsyncSession, now: datetime) -> None:
        await pauses.resume_trip(session, ctx.who, trip_id=ids.decode(trip_id, *PREFIXES), now=now)

    return await once(ctx, "resume_trip", trip_id, idempotency_key, {}, act)


async def end_trip(ctx: Ctx, *, trip_id: str, reason: str, idempotency_key: str) -> Outcome:
    """Its position is one of the stream of dispatchers."""
    target = ids.decode(trip_id, *PREFIXES, path="tripId")
    async with ctx.runtime.reading() as session:
        metro_id = (await trips.get_trip(session, ctx.who, target)).metro_id
        position = await eventlog.current_position(session, eventlog.dispatch_topic(metro_id))

    async def act(session: AsyncSession, now: datetime) -> None:
        await trips.end_trip(session, ctx.who, trip_id=target, reason=reason, now=now)

    ended, _ = await once(ctx, "end_trip", trip_id, idempotency_key, {"reason": reason}, act)
    return ended, position


async def find_trip(ctx: Ctx, trip_id: UUID) -> Outcome | None:
    async with ctx.runtime.reading() as session:
        position = await trips.current_position(session, trip_id)
        try:
            return await trips.get_trip(session, ctx.who, trip_id), position
        except errors.NotFound:
            return None


async def find_open_trip(ctx: Ctx) -> Outcome | None:
    """The one of the rider who asks."""
    async with ctx.runtime.reading() as session:
        position = await eventlog.current_position(session, eventlog.rider_topic(ctx.who.account_id))
        found = await trips.find_open_trip(session, ctx.who.account_id)
        return None if found is None else (found, position)


async def list_own_trips(ctx: Ctx, *, first: int, after: str | None) -> tuple[Page[trips.Trip], eventlog.Position]:
    """Latest first, with the position that the rider's stream continues from."""
    async with ctx.runtime.reading() as session:
        position = await eventlog.current_position(session, eventlog.rider_topic(ctx.who.account_id))
    return await list_trips(ctx, first=first, after=after), position


async def list_trips(
    ctx: Ctx,
    *,
    customer_id: UUID | None = None,
    metro_id: UUID | None = None,
    states: Sequence[tables.TripState] = (),
    first: int,
    after: str | None,
) -> Page[trips.Trip]:
    """Latest first. Riders see their own; staff those of one customer, or of everybody in their metros."""
    async with ctx.runtime.reading() as session:
        found = await trips.list_trips(
            session,
            ctx.who,
            customer_id=customer_id,
            metro_id=metro_id,
            states=states,
            before=paging.uuid_after(after, ctx.runtime.cursors),
            limit=paging.check_first(first) + 1,
        )
    return paging.page_of(found, first, after, ctx.runtime.cursors, lambda row: row.id.bytes)
