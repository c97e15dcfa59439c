"""Preferences: by which channels a rider wants to hear of what."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from sqlalchemy import select
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncSession

from domain import channels, errors, tables
from domain.channels import Category, Channel

_rows = tables.NotificationPreference


@dataclass(frozen=True, slots=True)
class Preference:
    category: Category
    channel: Channel
    is_on: bool

    @property
    def is_fixed(self) -> bool:
        return channels.is_fixed(self.category, self.channel)


async def list_preferences(session: AsyncSession, customer_id: UUID) -> list[Preference]:
    """Every channel of every category, in order."""
    statement = select(_rows.category, _rows.channel, _rows.is_on).where(_rows.customer_id == customer_id)
    chosen = {(row.category, row.channel): row.is_on for row in await session.execute(statement)}
    return [Preference(one, by, _is_on(chosen, one, by)) for one in Category for by in Channel]


def _is_on(chosen: dict[tuple[Category, Channel], bool], category: Category, channel: Channel) -> bool:
    if channels.is_fixed(category, channel):
        return True
    return chosen.get((category, channel), channels.is_on_by_default(category, channel))


async def channels_for(session: AsyncSession, customer_id: UUID | None, category: Category) -> set[Channel]:
    """By which a customer hears of a category, and can; mail alone for somebody who has no account."""
    if customer_id is None:
        return {Channel.EMAIL}
    wanted = {one.channel for one in await list_preferences(session, customer_id) if one.category is category and one.is_on}
    customers, devices = tables.Customer, tables.PushDevice
    has_device = select(devices.id).where(devices.customer_id == customer_id).exists()
    statement = select(customers.phone.is_not(None), has_device).where(customers.id == customer_id)
    can_text, can_push = (await session.execute(statement)).one_or_none() or (False, False)
    return wanted - ({Channel.SMS} if not can_text else set()) - ({Channel.PUSH} if not can_push else set())


async def update_preferences(
    session: AsyncSession, customer_id: UUID, changes: Sequence[Preference], *, now: datetime
) -> list[Preference]:
    """All of them, or none. Raises InvalidInput when one is fixed, or named twice."""
    if issues := [*_issues(changes)]:
        raise errors.InvalidInput(issues)
    if changes:
        written = [
            {"customer_id": customer_id, "category": one.category, "channel": one.channel, "is_on": one.is_on, "updated_at": now}
            for one in changes
        ]
        statement = insert(_rows).values(written)
        new = {"is_on": statement.excluded.is_on, "updated_at": now}
        await session.execute(statement.on_conflict_do_update(index_elements=["customer_id", "category", "channel"], set_=new))
    return await list_preferences(session, customer_id)


def _issues(changes: Sequence[Preference]) -> list[errors.Issue]:
    found = []
    seen: set[tuple[Category, Channel]] = set()
    for number, one in enumerate(changes):
        path = f"changes.{number}"
        if one.is_fixed and not one.is_on:
            found.append(
                errors.Issue(path, "Mail about the safety of your account, and about what you pay, cannot be switched off.")
            )
        if (one.category, one.channel) in seen:
            found.append(errors.Issue(path, f"{one.category.name} by {one.channel.name} is named twice: name it once."))
        seen.add((one.category, one.channel))
    return found


async def unsubscribe(session: AsyncSession, customer_id: UUID, category: Category, *, now: datetime) -> bool:
    """No more mails of the category; again it changes nothing. False for an account that is gone, or mail that is fixed."""
    if channels.is_fixed(category, Channel.EMAIL):
        return False
    customers = tables.Customer
    account = select(customers.id).where(customers.id == customer_id).with_for_update(read=True)
    if (await session.execute(account)).first() is None:
        return False
    await update_preferences(session, customer_id, [Preference(category, Channel.EMAIL, False)], now=now)
    return True
