"""Deliveries: what becomes of a notification on each of its channels, from the plan to the last attempt.

A row that is `queued` and due is taken by whoever claims it first, with a lease: `next_attempt_at` moves to its end. Whoever
sends records what came of it; who dies meanwhile leaves a row that is due again when the lease is over. What was sent but
not recorded is then sent again, as the same message.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from sqlalchemy import ColumnElement, Row, Select, func, select, update
from sqlalchemy.dialects.postgresql import array, insert
from sqlalchemy.ext.asyncio import AsyncSession

from domain import channels, ids, notifications, preferences, tables
from domain.actor import Actor
from domain.channels import Channel, DeliveryState
from domain.letters import Notice

#: longer than any attempt may take
LEASE = timedelta(minutes=2)
#: a job that has not planned a notification by then is lost
LOST = timedelta(minutes=1)
#: more than there is time for while somebody wants to hear of it, however long a mail server is away
ATTEMPTS = 180
#: first and longest pause between attempts; each is three times the one before, and up to half as long again
PAUSES = (timedelta(seconds=10), timedelta(hours=1))
#: addresses of accounts that are erased; reserved, so that nobody has one
_NOBODY = ".invalid"

_rows = tables.Delivery
_told = tables.Notification


@dataclass(frozen=True, slots=True)
class Claim:
    """A delivery that is ours until the lease is over."""

    id: UUID
    channel: Channel
    attempt: int
    notice: Notice
    #: addresses on the channel; none: there is nowhere to send it
    to: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Delivery:
    id: UUID
    channel: Channel
    state: DeliveryState
    attempts: int
    next_attempt_at: datetime | None
    reason: str | None
    is_simulated: bool
    created_at: datetime
    sent_at: datetime | None
    notice: Notice
    #: where mail goes; shown of what was simulated alone
    email: str | None


async def plan_deliveries(session: AsyncSession, notification_id: UUID, *, now: datetime) -> bool:
    """Writes down by which channels a notification goes. False when that was done before, or there is no such."""
    planning = update(_told).where(_told.id == notification_id, _told.planned_at.is_(None)).values(planned_at=now)
    row = (await session.execute(planning.returning(_told.kind, _told.customer_id))).one_or_none()
    if row is None:
        return False
    wanted = await preferences.channels_for(session, row.customer_id, channels.category_of(row.kind))
    planned = []
    for channel in channels.channels_of(row.kind):
        if row.customer_id is None and channel is not Channel.EMAIL:
            continue
        is_wanted = channel in wanted
        if channel is not Channel.EMAIL and not is_wanted:
            continue
        planned.append(
            {
                "id": ids.new(),
                "notification_id": notification_id,
                "channel": channel,
                "state": DeliveryState.QUEUED if is_wanted else DeliveryState.SKIPPED,
                "next_attempt_at": now if is_wanted else None,
                "reason": None if is_wanted else "switched off by the rider",
                "attempts": 0,
                "is_simulated": False,
                "created_at": now,
            }
        )
    await session.execute(insert(_rows).values(planned).on_conflict_do_nothing())
    return True


async def find_unplanned(session: AsyncSession, *, now: datetime, limit: int = 100) -> list[UUID]:
    """Notifications whose job was lost."""
    lost = select(_told.id).where(_told.planned_at.is_(None), _told.created_at <= now - LOST)
    return list((await session.execute(lost.order_by(_told.created_at).limit(limit))).scalars())


async def claim_deliveries(session: AsyncSession, channel: Channel, *, now: datetime, limit: int) -> list[Claim]:
    """Those that are due, the oldest first; each is one claimant's."""
    due = select(_rows.id).where(_rows.channel == channel, _rows.state == DeliveryState.QUEUED, _rows.next_attempt_at <= now)
    free = due.order_by(_rows.next_attempt_at).limit(limit).with_for_update(skip_locked=True)
    taking = update(_rows).where(_rows.id.in_(free)).values(attempts=_rows.attempts + 1, next_attempt_at=now + LEASE)
    taken = list((await session.execute(taking.returning(_rows.id))).scalars())
    if not taken:
        return []
    statement = _select(_addresses(channel).label("addresses")).where(_rows.id.in_(taken))
    found = await session.execute(statement.order_by(_rows.id))
    return [
        Claim(row.delivery_id, row.channel, row.attempts, notifications.notice_of(row), _given(row.addresses)) for row in found
    ]


def _addresses(channel: Channel) -> ColumnElement[Any]:
    if channel is Channel.EMAIL:
        return array([func.coalesce(_told.email, tables.Customer.email)])
    if channel is Channel.PUSH:
        devices = tables.PushDevice
        own = select(devices.token).where(devices.customer_id == _told.customer_id).order_by(devices.registered_at.desc())
        return func.array(own.scalar_subquery())
    return array([tables.Customer.phone])


def _given(addresses: Sequence[str | None]) -> tuple[str, ...]:
    return tuple(one for one in addresses if one and not one.endswith(_NOBODY))


def _select(*columns: Any) -> Select[Any]:
    own = (_rows.id.label("delivery_id"), _rows.channel, _rows.attempts)
    return notifications.select_notices(*own, *columns).join(_rows, _rows.notification_id == _told.id)


async def record_sent(session: AsyncSession, delivery_id: UUID, *, is_simulated: bool, now: datetime) -> None:
    """Whoever sent it, and however late: it has been sent."""
    sent = {"state": DeliveryState.SENT, "sent_at": now, "next_attempt_at": None, "reason": None, "is_simulated": is_simulated}
    await session.execute(update(_rows).where(_rows.id == delivery_id, _rows.state == DeliveryState.QUEUED).values(**sent))


async def record_skipped(session: AsyncSession, delivery_id: UUID, *, reason: str) -> None:
    skipped = {"state": DeliveryState.SKIPPED, "next_attempt_at": None, "reason": reason}
    await session.execute(update(_rows).where(_rows.id == delivery_id, _rows.state == DeliveryState.QUEUED).values(**skipped))


async def record_failed(
    session: AsyncSession, delivery_id: UUID, *, attempt: int, reason: str, is_permanent: bool, now: datetime
) -> None:
    """Queued again after a pause, until it is refused for good or the attempts are used up. What a newer claim has taken over
    stays as it is."""
    is_over = is_permanent or attempt >= ATTEMPTS
    failed = {
        "state": DeliveryState.FAILED if is_over else DeliveryState.QUEUED,
        "next_attempt_at": None if is_over else now + pause_after(attempt, delivery_id),
        "reason": reason[:100],
    }
    own = update(_rows).where(_rows.id == delivery_id, _rows.attempts == attempt, _rows.state == DeliveryState.QUEUED)
    await session.execute(own.values(**failed))


def pause_after(attempt: int, delivery_id: UUID) -> timedelta:
    """Longer each time, and not the same for all that failed together: by the id, so that it needs no dice."""
    first, longest = PAUSES
    share = hashlib.sha256(delivery_id.bytes + bytes([attempt % 256])).digest()[0] / 255
    tripled: int = 3 ** min(attempt - 1, 20)
    return min(first * tripled, longest) * (1 + share / 2)


async def list_deliveries(
    session: AsyncSession,
    who: Actor,
    *,
    customer_id: UUID | None,
    state: DeliveryState | None,
    before: UUID | None,
    limit: int,
) -> list[Delivery]:
    """The latest first. Whoever works in some metros sees what was told about these; the rest is for those who work in all."""
    statement = _select(*_LISTED)
    if who.metro_ids is not None:
        statement = statement.where(_told.metro_id.in_(who.metro_ids))
    if customer_id is not None:
        statement = statement.where(_told.customer_id == customer_id)
    if state is not None:
        statement = statement.where(_rows.state == state)
    if before is not None:
        statement = statement.where(_rows.id < before)
    return [_delivery(row) for row in await session.execute(statement.order_by(_rows.id.desc()).limit(limit))]


async def find_delivery(session: AsyncSession, who: Actor, delivery_id: UUID) -> Delivery | None:
    statement = _select(*_LISTED).where(_rows.id == delivery_id)
    if who.metro_ids is not None:
        statement = statement.where(_told.metro_id.in_(who.metro_ids))
    row = (await session.execute(statement)).one_or_none()
    return None if row is None else _delivery(row)


_LISTED = (
    _rows.state,
    _rows.next_attempt_at,
    _rows.reason,
    _rows.is_simulated,
    _rows.created_at.label("planned_at"),
    _rows.sent_at,
    func.coalesce(_told.email, tables.Customer.email).label("address"),
)


def _delivery(row: Row[Any]) -> Delivery:
    return Delivery(
        id=row.delivery_id,
        channel=row.channel,
        state=row.state,
        attempts=row.attempts,
        next_attempt_at=row.next_attempt_at,
        reason=row.reason,
        is_simulated=row.is_simulated,
        created_at=row.planned_at,
        sent_at=row.sent_at,
        notice=notifications.notice_of(row),
        email=row.address,
    )
