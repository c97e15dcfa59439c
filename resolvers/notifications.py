"""Notifications, as riders read them, choose by which way they come, and follow them."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Sequence
from uuid import UUID

from domain import accounts, errors, eventlog, ids, notifications, preferences, push_devices
from domain.channels import Category, PushPlatform
from domain.letters import Notice
from domain.preferences import Preference
from domain.seals import Purpose
from resolvers import paging
from resolvers.context import Ctx
from resolvers.paging import Page
from resolvers.streams import RETRY_SECONDS, Resync

#: that one request marks by their ids
MOST_NAMED = 100
#: choices that one request changes
MOST_CHANGES = 20


async def list_notifications(ctx: Ctx, *, first: int, after: str | None) -> Page[Notice]:
    async with ctx.runtime.reading() as session:
        found = await notifications.list_notifications(
            session,
            ctx.who.account_id,
            before=paging.uuid_after(after, ctx.runtime.cursors),
            limit=paging.check_first(first) + 1,
        )
    return paging.page_of(found, first, after, ctx.runtime.cursors, lambda row: row.id.bytes)


async def find_notification(ctx: Ctx, notification_id: UUID) -> Notice | None:
    async with ctx.runtime.reading() as session:
        return await notifications.find_notification(session, ctx.who.account_id, notification_id)


async def count_unread(ctx: Ctx) -> int:
    async with ctx.runtime.reading() as session:
        return await notifications.count_unread(session, ctx.who.account_id)


async def mark_notifications_read(ctx: Ctx, *, notification_ids: Sequence[str] | None, up_to: str | None) -> int:
    """How many are unread now. Raises InvalidInput."""
    named = [ids.decode(one, ids.NOTIFICATION, path="ids") for one in notification_ids or ()]
    if len(named) > MOST_NAMED:
        raise errors.InvalidInput.of("ids", f"{MOST_NAMED} ids at most: use upTo for more.")
    last = None if up_to is None else ids.decode(up_to, ids.NOTIFICATION, path="upTo")
    async with ctx.runtime.transaction() as session:
        await notifications.mark_notifications_read(
            session, ctx.who.account_id, notification_ids=named, up_to=last, now=ctx.runtime.clock.now()
        )
        return await notifications.count_unread(session, ctx.who.account_id)


async def follow_notifications(ctx: Ctx, *, after: str | None) -> AsyncGenerator[eventlog.Event | Resync, None]:
    """What the rider who asks is told."""
    position = None if after is None else ctx.runtime.cursors.position(after)
    async with ctx.runtime.reading() as session:
        customer = await accounts.get_customer(session, ctx.who.account_id)
    return ctx.runtime.feed.follow(eventlog.rider_topic(customer.id), position, ctx.place)


async def await_notification(ctx: Ctx, notification_id: UUID) -> Notice | None:
    """For a stream, which waits while the database is away."""
    pause = RETRY_SECONDS[0]
    while True:
        try:
            return await find_notification(ctx, notification_id)
        except errors.OutOfReach:
            await asyncio.sleep(pause)
            pause = min(pause * 2, RETRY_SECONDS[1])


async def list_preferences(ctx: Ctx) -> list[Preference]:
    async with ctx.runtime.reading() as session:
        return await preferences.list_preferences(session, ctx.who.account_id)


async def update_notification_preferences(ctx: Ctx, *, changes: Sequence[Preference]) -> list[Preference]:
    """Raises InvalidInput."""
    if len(changes) > MOST_CHANGES:
        raise errors.InvalidInput.of("changes", f"{MOST_CHANGES} changes at most.")
    async with ctx.runtime.transaction() as session:
        return await preferences.update_preferences(session, ctx.who.account_id, changes, now=ctx.runtime.clock.now())


async def register_push_device(ctx: Ctx, *, token: str, platform: PushPlatform) -> int:
    """Raises InvalidInput."""
    async with ctx.runtime.transaction() as session:
        return await push_devices.register_push_device(
            session, ctx.who.account_id, token=token, platform=platform, now=ctx.runtime.clock.now()
        )


async def forget_push_device(ctx: Ctx, *, token: str) -> None:
    """Raises InvalidInput."""
    async with ctx.runtime.transaction() as session:
        await push_devices.forget_push_device(session, ctx.who.account_id, token=token)


def check_unsubscribing(ctx: Ctx, *, token: str) -> UUID:
    """Whose token it is. Raises LinkExpired."""
    return ctx.runtime.seals.open(Purpose.UNSUBSCRIBE, token)


async def unsubscribe(ctx: Ctx, *, token: str, category: Category) -> None:
    """Whoever has the token. Raises LinkExpired."""
    customer_id = check_unsubscribing(ctx, token=token)
    async with ctx.runtime.transaction() as session:
        if not await preferences.unsubscribe(session, customer_id, category, now=ctx.runtime.clock.now()):
            raise errors.LinkExpired(path="token")
