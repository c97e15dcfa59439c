"""Exports: archives of all that is known about a rider, asked for, built by a worker, good for some days."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from sqlalchemy import RowMapping, Select, delete, func, insert, literal, select, text, update
from sqlalchemy.dialects import postgresql
from sqlalchemy.ext.asyncio import AsyncSession

from domain import errors, jobs, notifications, personal_rows, tables
from domain.actor import Actor
from domain.tables import ExportState
from domain.values import NotificationKind

#: exports that are listed, the latest
LISTED = 20
#: times that a worker begins one before it is given up
MAX_ATTEMPTS = 10
#: a request without a job is begun again after this
ABANDONED_AFTER = timedelta(minutes=1)
#: what one part of an archive holds at most
PART_BYTES = 256 * 1024
#: parts of one archive: 1 GiB
MAX_PARTS = 4096
#: rows in memory at a time
ROWS = 100

_rows = tables.Export
_COLUMNS: tuple[Any, ...] = (_rows.id, _rows.state, _rows.size_bytes, _rows.requested_at, _rows.finished_at, _rows.expires_at)


@dataclass(frozen=True, slots=True)
class Export:
    id: UUID
    state: ExportState
    size_bytes: int | None
    requested_at: datetime
    finished_at: datetime | None
    expires_at: datetime | None


@dataclass(frozen=True, slots=True)
class ClaimedExport:
    id: UUID
    customer_id: UUID
    attempt: int


def _of(row: Any, now: datetime) -> Export:
    """A link that has run out is not good, also before a sweep says so."""
    found = Export(*row)
    if found.state is ExportState.READY and found.expires_at is not None and found.expires_at <= now:
        return Export(found.id, ExportState.EXPIRED, *tuple(row)[2:])
    return found


async def request_data_export(session: AsyncSession, who: Actor, *, export_id: UUID, per_day: int, now: datetime) -> None:
    """Raises ExportInProgress, ExportLimitReached."""
    day = timedelta(days=1)
    recent = (
        select(_rows.requested_at)
        .where(_rows.customer_id == who.account_id, _rows.requested_at > now - day)
        .order_by(_rows.requested_at.desc())
        .limit(per_day)
    )
    asked = (await session.execute(recent)).scalars().all()
    new = postgresql.insert(_rows).values(
        id=export_id, customer_id=who.account_id, state=ExportState.REQUESTED, attempt=0, requested_at=now
    )
    only = new.on_conflict_do_nothing(index_elements=["customer_id"], index_where=text("state = 'requested'"))
    if (await session.execute(only.returning(_rows.id))).scalar_one_or_none() is None:
        raise errors.ExportInProgress
    if len(asked) >= per_day:
        raise errors.ExportLimitReached(per_day, asked[-1] + day)
    await _defer(session, export_id)


async def _defer(session: AsyncSession, export_id: UUID) -> None:
    args = {"export_id": str(export_id)}
    await jobs.defer(session, jobs.BUILD_EXPORT, args, queue=jobs.Queue.CUSTOMER, lock=f"export:{export_id}")


def _own(who: Actor) -> Select[Any]:
    return select(*_COLUMNS).where(_rows.customer_id == who.account_id)


async def list_exports(session: AsyncSession, who: Actor, *, now: datetime) -> list[Export]:
    """Latest first."""
    return [_of(row, now) for row in await session.execute(_own(who).order_by(_rows.id.desc()).limit(LISTED))]


async def get_export(session: AsyncSession, who: Actor, export_id: UUID, *, now: datetime) -> Export:
    row = (await session.execute(_own(who).where(_rows.id == export_id))).one_or_none()
    if row is None:
        raise errors.NotFound("There is no such export.", path="id")
    return _of(row, now)


async def claim_export(session: AsyncSession, export_id: UUID) -> ClaimedExport | None:
    """Takes it for a worker; None when it is finished or gone. What an earlier attempt wrote vanishes."""
    taking = update(_rows).where(_rows.id == export_id, _rows.state == ExportState.REQUESTED).values(attempt=_rows.attempt + 1)
    row = (await session.execute(taking.returning(_rows.id, _rows.customer_id, _rows.attempt))).one_or_none()
    if row is None:
        return None
    await session.execute(delete(tables.ExportPart).where(tables.ExportPart.export_id == export_id))
    return ClaimedExport(*row)


async def read_rows(session: AsyncSession, entry: personal_rows.Riders, customer_id: UUID) -> AsyncIterator[Sequence[RowMapping]]:
    """What the archive shows of a table, some rows at a time, in the order of their keys."""
    order = entry.source.primary_key.columns
    rows = select(*entry.shown()).where(entry.of(customer_id)).order_by(*order).execution_options(yield_per=ROWS)
    async for some in (await session.stream(rows)).mappings().partitions():
        yield some


async def add_part(session: AsyncSession, claimed: ClaimedExport, number: int, content: bytes) -> bool:
    """False when another attempt has it, or the rider is gone."""
    held = select(_rows.id, literal(number), literal(content)).where(*_held(claimed)).with_for_update(read=True)
    added = insert(tables.ExportPart).from_select(["export_id", "number", "content"], held)
    return (await session.execute(added.returning(tables.ExportPart.number))).one_or_none() is not None


def _held(claimed: ClaimedExport) -> tuple[Any, ...]:
    return _rows.id == claimed.id, _rows.attempt == claimed.attempt, _rows.state == ExportState.REQUESTED


async def finish_export(
    session: AsyncSession, claimed: ClaimedExport, *, size_bytes: int, kept: timedelta, now: datetime
) -> bool:
    """Makes it READY for as long as it is kept, and tells the rider. False when another attempt has it."""
    expires_at = now + kept
    ready = {"state": ExportState.READY, "size_bytes": size_bytes, "finished_at": now, "expires_at": expires_at}
    done = update(_rows).where(*_held(claimed)).values(ready).returning(_rows.id)
    if (await session.execute(done)).one_or_none() is None:
        return False
    await notifications.notify(
        session,
        NotificationKind.EXPORT_READY,
        customer_id=claimed.customer_id,
        facts={"exportId": str(claimed.id), "expiresAt": expires_at.isoformat()},
        key=f"export:{claimed.id}",
        now=now,
    )
    return True


async def fail_export(session: AsyncSession, claimed: ClaimedExport, *, now: datetime) -> None:
    """Gives it up: another attempt would end in the same way."""
    failed = update(_rows).where(*_held(claimed)).values(state=ExportState.FAILED, finished_at=now)
    if (await session.execute(failed.returning(_rows.id))).one_or_none() is not None:
        await session.execute(delete(tables.ExportPart).where(tables.ExportPart.export_id == claimed.id))


async def count_parts(session: AsyncSession, export_id: UUID, *, now: datetime) -> int:
    """Of an archive that may be downloaded. Raises LinkExpired."""
    good = (_rows.id == export_id, _rows.state == ExportState.READY, _rows.expires_at > now)
    parts = select(func.count(tables.ExportPart.number)).where(tables.ExportPart.export_id == _rows.id).scalar_subquery()
    count = (await session.execute(select(parts).where(*good))).scalar_one_or_none()
    if count is None:
        raise errors.LinkExpired(path="token")
    return int(count)


async def get_part(session: AsyncSession, export_id: UUID, number: int) -> bytes | None:
    parts = tables.ExportPart
    content = select(parts.content).where(parts.export_id == export_id, parts.number == number)
    return (await session.execute(content)).scalar_one_or_none()


_ABANDONED = text(
    "select e.id, e.attempt from exports e where e.state = 'requested' and e.requested_at < :before and not exists ("
    "  select from procrastinate_jobs j where j.task_name = :task and j.args->>'export_id' = e.id::text"
    "  and j.status in ('todo', 'doing')) order by e.id limit :limit for update of e skip locked"
)


async def sweep_exports(session: AsyncSession, *, now: datetime, limit: int = 100) -> int:
    """Begins again those whose job gave up, or gives them up as well; throws away archives whose time is over. How many."""
    given = {"before": now - ABANDONED_AFTER, "task": jobs.BUILD_EXPORT, "limit": limit}
    abandoned = (await session.execute(_ABANDONED, given)).all()
    for row in abandoned:
        if row.attempt < MAX_ATTEMPTS:
            await _defer(session, row.id)
        else:
            failed = {"state": ExportState.FAILED, "finished_at": now}
            await session.execute(update(_rows).where(_rows.id == row.id).values(failed))
    over = select(_rows.id).where(_rows.state == ExportState.READY, _rows.expires_at <= now).limit(limit)
    locked = over.with_for_update(skip_locked=True).scalar_subquery()
    ending = update(_rows).where(_rows.id.in_(locked)).values(state=ExportState.EXPIRED)
    expired = (await session.execute(ending.returning(_rows.id))).scalars().all()
    shed = [*expired, *(row.id for row in abandoned if row.attempt >= MAX_ATTEMPTS)]
    await session.execute(delete(tables.ExportPart).where(tables.ExportPart.export_id.in_(shed)))
    return len(abandoned) + len(expired)
