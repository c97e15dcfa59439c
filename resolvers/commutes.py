"""Commutes of the rider who asks, and reserving for one."""

from __future__ import annotations

from uuid import UUID

from domain import commute_reservations, commutes, errors, eventlog, idempotency, ids, reservations
from resolvers.context import Ctx
from resolvers.reservations import offering_alternatives


async def save_commute(ctx: Ctx, draft: commutes.Draft, *, commute_id: str | None) -> commutes.Commute:
    saved = None if commute_id is None else ids.decode(commute_id, ids.COMMUTE, path="id")
    async with ctx.runtime.transaction() as session:
        return await commutes.save_commute(session, ctx.who, draft, commute_id=saved, now=ctx.runtime.clock.now())


async def forget_commute(ctx: Ctx, *, commute_id: str) -> None:
    saved = ids.decode(commute_id, ids.COMMUTE, path="commuteId")
    async with ctx.runtime.transaction() as session:
        await commutes.forget_commute(session, ctx.who, commute_id=saved)


async def get_commute(ctx: Ctx, commute_id: UUID) -> commutes.Commute:
    async with ctx.runtime.reading() as session:
        return await commutes.get_commute(session, ctx.who, commute_id)


async def list_commutes(ctx: Ctx) -> list[commutes.Commute]:
    async with ctx.runtime.reading() as session:
        return await commutes.list_commutes(session, ctx.who)


async def reserve_for_commute(
    ctx: Ctx, *, commute_id: str, idempotency_key: str
) -> tuple[reservations.Reservation, eventlog.Position]:
    """One act per key. A vehicle that somebody else takes at that moment makes room for the next nearest, each in a
    transaction of its own. Raises what reserving raises."""
    target = ids.decode(commute_id, ids.COMMUTE, path="commuteId")
    passed_over: list[UUID] = []
    async with offering_alternatives(ctx, ctx.runtime.clock.now()):
        while True:
            try:
                return await _reserve_nearest(ctx, target, passed_over, idempotency_key)
            except errors.VehicleUnavailable as refusal:
                if refusal.quote is None or len(passed_over) + 1 == commute_reservations.MAX_TRIES:
                    raise
                passed_over.append(refusal.quote.vehicle.id)


async def _reserve_nearest(
    ctx: Ctx, target: UUID, passed_over: list[UUID], key: str
) -> tuple[reservations.Reservation, eventlog.Position]:
    now, reservation_id = ctx.runtime.clock.now(), ids.new()
    async with ctx.runtime.transaction() as session:
        seen = await idempotency.claim(
            session,
            account_id=ctx.who.account_id,
            mutation="reserve_for_commute",
            key=key,
            given={"commuteId": str(target)},
            result_id=reservation_id,
            now=now,
        )
        if seen is not None:
            position = await reservations.current_position(session, seen)
            return await reservations.get_reservation(session, ctx.who, seen), position
        commute = await commutes.get_commute(session, ctx.who, target)
        try:
            reserved = await commute_reservations.reserve_for_commute(
                session, ctx.who, commute, passed_over=passed_over, reservation_id=reservation_id, now=now
            )
        except errors.VehicleUnavailable as refusal:
            if refusal.quote is None:
                note = ctx.runtime.unmet_demand.note
                note(ctx.runtime.sessions, commute.metro_id, commute.origin.position, commute.modes, now)
            raise
    return reserved.reservation, reserved.position
