"""Notifications: telling a rider something, once, in the transaction in which it became true; what was told and read."""

from __future__ import annotations

from collections.abc import Collection
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import Row, Select, func, select, update
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import aliased

from domain import eventlog, ids, jobs, tables
from domain.letters import Notice
from domain.values import NotificationKind
from domain.wording import Reader

#: unread ones that are counted
COUNTED = 100

_rows = tables.Notification


async def notify(
    session: AsyncSession,
    kind: NotificationKind,
    *,
    customer_id: UUID | None = None,
    email: str | None = None,
    language: str | None = None,
    metro_id: UUID | None = None,
    facts: dict[str, Any],
    key: str | None = None,
    now: datetime,
) -> UUID | None:
    """To a customer, or to the address of somebody who has no account yet. `facts` are plain JSON: see NotificationKind.
    Returns the id; None when something of that `key` was told before."""
    notifications = tables.Notification
    statement = insert(notifications).values(
        id=ids.new(),
        customer_id=customer_id,
        email=email,
        language=language,
        metro_id=metro_id,
        kind=kind,
        facts=facts,
        key=key,
        created_at=now,
    )
    told = statement.on_conflict_do_nothing(index_elements=["key"]).returning(notifications.id)
    notification_id: UUID | None = (await session.execute(told)).scalar_one_or_none()
    if notification_id is None:
        return None
    if customer_id is not None:
        payload = {"notificationId": str(notification_id), "kind": kind}
        await eventlog.append(session, eventlog.rider_topic(customer_id), "notification.created", payload)
    await jobs.defer(
        session,
        jobs.DELIVER_NOTIFICATION,
        {"notification_id": str(notification_id)},
        queue=jobs.Queue.CUSTOMER,
        lock=f"notification:{notification_id}",
    )
    return notification_id


def select_notices(*columns: Any) -> Select[Any]:
    """With all that a text takes, in one statement: the account's name and language, and by which clock it is told."""
    customers, metros = tables.Customer, tables.Metro
    default = aliased(metros)
    home = select(default.timezone).where(default.is_default).scalar_subquery()
    return (
        select(
            _rows.id,
            _rows.kind,
            _rows.facts,
            _rows.customer_id,
            _rows.created_at,
            _rows.read_at,
            func.coalesce(customers.language, _rows.language, "en").label("language"),
            customers.name,
            func.coalesce(metros.timezone, home, "UTC").label("timezone"),
            *columns,
        )
        .select_from(_rows)
        .outerjoin(customers, customers.id == _rows.customer_id)
        .outerjoin(metros, metros.id == _rows.metro_id)
    )


def notice_of(row: Row[Any]) -> Notice:
    name = row.name if row.customer_id is not None else row.facts.get("name")
    reader = Reader(row.language, row.timezone, name)
    return Notice(row.id, row.kind, row.facts, row.customer_id, reader, row.created_at, row.read_at)


async def list_notifications(session: AsyncSession, customer_id: UUID, *, before: UUID | None, limit: int) -> list[Notice]:
    """The latest first."""
    own = select_notices().where(_rows.customer_id == customer_id)
    if before is not None:
        own = own.where(_rows.id < before)
    return [notice_of(row) for row in await session.execute(own.order_by(_rows.id.desc()).limit(limit))]


async def find_notification(session: AsyncSession, customer_id: UUID, notification_id: UUID) -> Notice | None:
    own = select_notices().where(_rows.customer_id == customer_id, _rows.id == notification_id)
    row = (await session.execute(own)).one_or_none()
    return None if row is None else notice_of(row)


async def count_unread(session: AsyncSession, customer_id: UUID) -> int:
    """COUNTED at most."""
    some = select(_rows.id).where(_rows.customer_id == customer_id, _rows.read_at.is_(None)).limit(COUNTED).subquery()
    return (await session.execute(select(func.count()).select_from(some))).scalar_one()


async def mark_notifications_read(
    session: AsyncSession,
    customer_id: UUID,
    *,
    notification_ids: Collection[UUID] = (),
    up_to: UUID | None = None,
    now: datetime,
) -> int:
    """These, or all up to one, it too; how many were unread. What is read stays so; nobody else's is touched."""
    named = _rows.id.in_(notification_ids) if up_to is None else _rows.id <= up_to
    own = update(_rows).where(_rows.customer_id == customer_id, _rows.read_at.is_(None), named)
    return len((await session.execute(own.values(read_at=now).returning(_rows.id))).all())
