"""Reservations, as riders and staff make, cancel and read them."""

from __future__ import annotations

from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import asynccontextmanager, suppress
from datetime import datetime
from uuid import UUID

from domain import accounts, errors, eventlog, fleet, idempotency, ids, quotes, reservations
from domain.actor import Audience
from resolvers import paging
from resolvers.context import Ctx
from resolvers.paging import Page
from resolvers.streams import Resync

_PREFIXES = (ids.RESERVATION, ids.OPS_RESERVATION)


async def reserve_vehicle(
    ctx: Ctx,
    *,
    customer_id: UUID,
    vehicle_id: str,
    starts_at: datetime | None,
    ends_at: datetime | None,
    expected_minutes: int | None,
    idempotency_key: str | None,
) -> tuple[reservations.Reservation, eventlog.Position]:
    """One act per key; staff may go without."""
    ref = fleet.VehicleRef.parse(vehicle_id)
    given = {
        "customerId": str(customer_id),
        "vehicleId": vehicle_id,
        "startsAt": starts_at.isoformat() if starts_at else None,
        "endsAt": ends_at.isoformat() if ends_at else None,
        "expectedMinutes": expected_minutes,
    }
    now = ctx.runtime.clock.now()
    async with offering_alternatives(ctx, now):
        async with ctx.runtime.transaction() as session:
            reservation_id = ids.new()
            seen = None
            if idempotency_key is not None:
                seen = await idempotency.claim(
                    session,
                    account_id=ctx.who.account_id,
                    mutation="reserve_vehicle",
                    key=idempotency_key,
                    given=given,
                    result_id=reservation_id,
                    now=now,
                )
            if seen is not None:
                position = await reservations.current_position(session, seen)
                return await reservations.get_reservation(session, ctx.who, seen), position
            reserved = await reservations.reserve_vehicle(
                session,
                ctx.who,
                customer_id=customer_id,
                vehicle=ref,
                starts_at=starts_at or now,
                ends_at=ends_at,
                expected_minutes=expected_minutes,
                reservation_id=reservation_id,
                now=now,
            )
        return reserved.reservation, reserved.position


@asynccontextmanager
async def offering_alternatives(ctx: Ctx, now: datetime) -> AsyncIterator[None]:
    """A refusal for want of a vehicle leaves with others that are free, read after its rollback; best effort."""
    try:
        yield
    except errors.VehicleUnavailable as refusal:
        if refusal.quote is not None:
            with suppress(errors.DomainError):
                async with ctx.runtime.reading() as session:
                    refusal.alternatives = await quotes.find_alternatives(session, refusal.quote, now=now)
        raise


async def cancel_reservation(
    ctx: Ctx, *, reservation_id: str, reason: str | None, idempotency_key: str
) -> tuple[reservations.Reservation, eventlog.Position]:
    target = ids.decode(reservation_id, *_PREFIXES, path="reservationId")
    now = ctx.runtime.clock.now()
    async with ctx.runtime.transaction() as session:
        position = await reservations.current_position(session, target)
        seen = await idempotency.claim(
            session,
            account_id=ctx.who.account_id,
            mutation="cancel_reservation",
            key=idempotency_key,
            given={"reservationId": str(target), "reason": reason},
            result_id=target,
            now=now,
        )
        if seen is None:
            await reservations.cancel_reservation(session, ctx.who, reservation_id=target, reason=reason, now=now)
        return await reservations.get_reservation(session, ctx.who, target), position


async def find_reservation(ctx: Ctx, reservation_id: UUID) -> reservations.Reservation | None:
    async with ctx.runtime.reading() as session:
        try:
            return await reservations.get_reservation(session, ctx.who, reservation_id)
        except errors.NotFound:
            return None


async def list_reservations(
    ctx: Ctx, *, customer_id: str | None, first: int, after: str | None
) -> Page[reservations.Reservation]:
    """Latest first: a rider's own; for staff those of one customer, or of everybody in their metros."""
    who = ctx.who
    customer = ids.decode(customer_id, ids.CUSTOMER, path="customerId") if customer_id else None
    async with ctx.runtime.reading() as session:
        found = await reservations.list_reservations(
            session,
            who,
            customer_id=who.account_id if who.audience is Audience.CUSTOMER else customer,
            before=paging.uuid_after(after, ctx.runtime.cursors),
            limit=paging.check_first(first) + 1,
        )
    return paging.page_of(found, first, after, ctx.runtime.cursors, lambda row: row.id.bytes)


async def follow_reservations(ctx: Ctx, *, after: str | None) -> AsyncGenerator[eventlog.Event | Resync, None]:
    """What changes in the reservations of the rider who asks."""
    position = None if after is None else ctx.runtime.cursors.position(after)
    async with ctx.runtime.reading() as session:
        customer = await accounts.get_customer(session, ctx.who.account_id)
    return ctx.runtime.feed.follow(eventlog.rider_topic(customer.id), position, ctx.place)
