"""Reservations, as riders and staff make, cancel and read them."""

from __future__ import annotations

from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager, suppress
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncSession

from domain import accounts, cancellations, changes, errors, eventlog, fleet, idempotency, ids, listings, quotes, reservations
from domain.values import FeeSettlement, Money
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


Outcome = tuple[reservations.Reservation, eventlog.Position]


async def _once(
    ctx: Ctx,
    mutation: str,
    target: UUID,
    key: str,
    given: dict[str, Any],
    act: Callable[[AsyncSession, datetime], Awaitable[object]],
) -> Outcome:
    """An act on a reservation, once a key. What it left comes with the position before its first event."""
    now = ctx.runtime.clock.now()
    async with offering_alternatives(ctx, now), ctx.runtime.transaction() as session:
        position = await reservations.take_turn(session, target)
        seen = await idempotency.claim(
            session,
            account_id=ctx.who.account_id,
            mutation=mutation,
            key=key,
            given={"reservationId": str(target), **given},
            result_id=target,
            now=now,
        )
        if seen is None:
            await act(session, now)
        return await reservations.get_reservation(session, ctx.who, target), position


async def cancel_reservation(
    ctx: Ctx, *, reservation_id: str, reason: str | None = None, accepted_fee: Money | None = None, idempotency_key: str
) -> Outcome:
    target = ids.decode(reservation_id, *_PREFIXES, path="reservationId")
    given: dict[str, Any] = {"reason": reason}
    if accepted_fee is not None:
        given["acceptedFee"] = [accepted_fee.minor_units, accepted_fee.currency]

    async def act(session: AsyncSession, now: datetime) -> None:
        await cancellations.cancel_reservation(
            session, ctx.who, reservation_id=target, reason=reason, accepted_fee=accepted_fee, now=now
        )

    return await _once(ctx, "cancel_reservation", target, idempotency_key, given, act)


async def settle_cancellation_fee(
    ctx: Ctx, *, reservation_id: str, settlement: FeeSettlement, idempotency_key: str
) -> reservations.Reservation:
    target = ids.decode(reservation_id, *_PREFIXES, path="reservationId")

    async def act(session: AsyncSession, now: datetime) -> None:
        await cancellations.settle_cancellation_fee(session, ctx.who, reservation_id=target, settlement=settlement, now=now)

    row, _ = await _once(ctx, "settle_cancellation_fee", target, idempotency_key, {"settlement": settlement}, act)
    return row


async def change_reservation(
    ctx: Ctx,
    *,
    reservation_id: str,
    starts_at: datetime | None,
    ends_at: datetime | None,
    expected_minutes: int | None,
    vehicle_id: str | None,
    idempotency_key: str,
) -> Outcome:
    target = ids.decode(reservation_id, *_PREFIXES, path="reservationId")
    vehicle = None if vehicle_id is None else fleet.VehicleRef.parse(vehicle_id)
    given = {
        "startsAt": starts_at.isoformat() if starts_at else None,
        "endsAt": ends_at.isoformat() if ends_at else None,
        "expectedMinutes": expected_minutes,
        "vehicleId": vehicle_id,
    }

    async def act(session: AsyncSession, now: datetime) -> None:
        await changes.change_reservation(
            session,
            ctx.who,
            reservation_id=target,
            starts_at=starts_at,
            ends_at=ends_at,
            expected_minutes=expected_minutes,
            vehicle=vehicle,
            now=now,
        )

    return await _once(ctx, "change_reservation", target, idempotency_key, given, act)


async def extend_reservation(ctx: Ctx, *, reservation_id: str, ends_at: datetime, idempotency_key: str) -> Outcome:
    target = ids.decode(reservation_id, *_PREFIXES, path="reservationId")

    async def act(session: AsyncSession, now: datetime) -> None:
        await changes.extend_reservation(session, ctx.who, reservation_id=target, ends_at=ends_at, now=now)

    return await _once(ctx, "extend_reservation", target, idempotency_key, {"endsAt": ends_at.isoformat()}, act)


async def find_reservation(ctx: Ctx, reservation_id: UUID) -> reservations.Reservation | None:
    async with ctx.runtime.reading() as session:
        try:
            return await reservations.get_reservation(session, ctx.who, reservation_id)
        except errors.NotFound:
            return None


async def load_reservations(ctx: Ctx, reservation_ids: Sequence[UUID]) -> list[reservations.Reservation | None]:
    """For a data loader: one query for all that a list shows."""
    async with ctx.runtime.reading() as session:
        found = await reservations.find_reservations(session, ctx.who, reservation_ids)
    return [found.get(reservation_id) for reservation_id in reservation_ids]


async def list_reservations(
    ctx: Ctx, *, wanted: listings.Wanted, first: int, after: str | None
) -> Page[reservations.Reservation]:
    """Latest first: a rider's own; for staff those of one customer, or of everybody in their metros."""
    async with ctx.runtime.reading() as session:
        found = await listings.list_reservations(
            session,
            ctx.who,
            wanted,
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
