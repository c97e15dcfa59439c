"""Fines, as riders see and appeal against them and staff decide."""

from __future__ import annotations

import struct
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncSession

from domain import errors, fines, idempotency, ids
from domain.fines import Fine
from domain.tables import FineState
from resolvers import paging
from resolvers.context import Ctx
from resolvers.paging import Page

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)
#: when it was appealed against, in microseconds, and its id
_APPEALED = struct.Struct(">q16s")


async def list_fines(ctx: Ctx, *, first: int, after: str | None) -> Page[Fine]:
    before, limit = paging.uuid_after(after, ctx.runtime.cursors), paging.check_first(first) + 1
    async with ctx.runtime.reading() as session:
        found = await fines.list_fines(session, ctx.who, before=before, limit=limit)
    return paging.page_of(found, first, after, ctx.runtime.cursors, lambda row: row.id.bytes)


async def list_appealed_fines(ctx: Ctx, *, metro_id: str | None, first: int, after: str | None) -> Page[Fine]:
    metro = None if metro_id is None else ids.decode(metro_id, ids.METRO, path="metroId")
    behind, limit = _behind(ctx, after), paging.check_first(first) + 1
    async with ctx.runtime.reading() as session:
        found = await fines.list_appealed_fines(session, ctx.who, metro_id=metro, after=behind, limit=limit)
    return paging.page_of(found, first, after, ctx.runtime.cursors, _place)


def _place(row: Fine) -> bytes:
    return _APPEALED.pack(((row.appealed_at or _EPOCH) - _EPOCH) // _MICROSECOND, row.id.bytes)


def _behind(ctx: Ctx, after: str | None) -> tuple[datetime, UUID] | None:
    if after is None:
        return None
    key = ctx.runtime.cursors.key(after)
    if len(key) != _APPEALED.size:
        raise errors.InvalidInput.of("after", "after is a cursor of another list.")
    microseconds, last = _APPEALED.unpack(key)
    return _EPOCH + microseconds * _MICROSECOND, UUID(bytes=last)


async def find_fine(ctx: Ctx, fine_id: UUID) -> Fine | None:
    async with ctx.runtime.reading() as session:
        return await fines.find_fine(session, ctx.who, fine_id)


async def appeal_fine(ctx: Ctx, *, fine_id: str, text: str, idempotency_key: str) -> Fine:
    """Raises InvalidInput, NotFound, FineClosed, IdempotencyConflict."""
    wanted = ids.decode(fine_id, ids.FINE, path="fineId")

    async def act(session: AsyncSession, now: datetime) -> None:
        await fines.appeal_fine(session, ctx.who, fine_id=wanted, text=text, now=now)

    return await _once(ctx, "appeal_fine", wanted, idempotency_key, {"text": text}, act)


async def decide_appeal(ctx: Ctx, *, fine_id: str, state: FineState, reason: str, idempotency_key: str) -> Fine:
    """Raises InvalidInput, NotFound, FineClosed, IdempotencyConflict."""
    wanted = ids.decode(fine_id, ids.OPS_FINE, path="fineId")

    async def act(session: AsyncSession, now: datetime) -> None:
        await fines.decide_appeal(session, ctx.who, fine_id=wanted, state=state, reason=reason, now=now)

    return await _once(ctx, "decide_appeal", wanted, idempotency_key, {"state": state, "reason": reason}, act)


async def _once(
    ctx: Ctx,
    mutation: str,
    target: UUID,
    key: str,
    given: dict[str, Any],
    act: Callable[[AsyncSession, datetime], Awaitable[None]],
) -> Fine:
    now = ctx.runtime.clock.now()
    async with ctx.runtime.transaction() as session:
        seen = await idempotency.claim(
            session,
            account_id=ctx.who.account_id,
            mutation=mutation,
            key=key,
            given={"fineId": str(target), **given},
            result_id=target,
            now=now,
        )
        if seen is None:
            await act(session, now)
        return await fines.get_fine(session, ctx.who, target)
