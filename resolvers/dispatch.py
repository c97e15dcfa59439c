"""The stream that shows dispatchers what changes in a metro."""

from __future__ import annotations

from collections.abc import AsyncGenerator

from domain import eventlog, ids, metros
from resolvers.context import Ctx
from resolvers.streams import Resync


async def follow_dispatch(ctx: Ctx, *, metro_id: str, after: str | None) -> AsyncGenerator[eventlog.Event | Resync, None]:
    position = None if after is None else ctx.runtime.cursors.position(after)
    wanted = ids.decode(metro_id, ids.METRO, path="metroId")
    ctx.who.require_metro(wanted)
    async with ctx.runtime.reading() as session:
        metro = await metros.get_metro(session, wanted)
    return ctx.runtime.feed.follow(eventlog.dispatch_topic(metro.id), position, ctx.place)
