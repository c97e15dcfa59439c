"""Exports: asked for within limits, built in attempts, begun again, expired; each state in between by its name."""

from __future__ import annotations

from datetime import timedelta
from uuid import UUID

import pytest
from sqlalchemy import func, insert, select, text

from app.database import SessionFactory
from domain import errors, exports, ids, jobs, personal_data, tables
from domain.actor import Actor
from domain.exports import ClaimedExport
from domain.tables import ExportState
from domain.values import NotificationKind
from tests import factories
from tests.conftest import FixedClock

KEPT = timedelta(days=7)
JOBS = text("select count(*) from procrastinate_jobs where task_name = :task")


@pytest.fixture
async def who(session_factory: SessionFactory) -> Actor:
    async with session_factory.begin() as session:
        return await factories.add_rider(session)


async def request(session_factory: SessionFactory, clock: FixedClock, who: Actor) -> UUID:
    export_id = ids.new()
    async with session_factory.begin() as session:
        await exports.request_data_export(session, who, export_id=export_id, per_day=3, now=clock.now())
    return export_id


async def claim(session_factory: SessionFactory, export_id: UUID) -> ClaimedExport:
    async with session_factory.begin() as session:
        claimed = await exports.claim_export(session, export_id)
    assert claimed is not None
    return claimed


async def add(session_factory: SessionFactory, claimed: ClaimedExport, number: int = 0, content: bytes = b"PK") -> bool:
    async with session_factory.begin() as session:
        return await exports.add_part(session, claimed, number, content)


async def finish(session_factory: SessionFactory, clock: FixedClock, claimed: ClaimedExport) -> bool:
    async with session_factory.begin() as session:
        return await exports.finish_export(session, claimed, size_bytes=2, kept=KEPT, now=clock.now())


async def build(session_factory: SessionFactory, clock: FixedClock, export_id: UUID) -> None:
    claimed = await claim(session_factory, export_id)
    assert await add(session_factory, claimed)
    assert await finish(session_factory, clock, claimed)


async def state(session_factory: SessionFactory, clock: FixedClock, who: Actor, export_id: UUID) -> ExportState:
    async with session_factory() as session:
        return (await exports.get_export(session, who, export_id, now=clock.now())).state


async def count(session_factory: SessionFactory, what: type[tables.Base]) -> int:
    async with session_factory() as session:
        return (await session.execute(select(func.count()).select_from(what))).scalar_one()


async def jobs_waiting(session_factory: SessionFactory) -> int:
    async with session_factory() as session:
        return int((await session.execute(JOBS, {"task": jobs.BUILD_EXPORT})).scalar_one())


async def sweep(session_factory: SessionFactory, clock: FixedClock) -> int:
    async with session_factory.begin() as session:
        return await exports.sweep_exports(session, now=clock.now())


async def lose_job(session_factory: SessionFactory) -> None:
    async with session_factory.begin() as session:
        await session.execute(text("delete from procrastinate_jobs"))


async def test_an_archive_is_asked_for_with_a_job_and_told_of_once_when_it_is_ready(
    session_factory: SessionFactory, clock: FixedClock, who: Actor
) -> None:
    export_id = await request(session_factory, clock, who)
    assert await state(session_factory, clock, who, export_id) is ExportState.REQUESTED
    assert await jobs_waiting(session_factory) == 1
    await build(session_factory, clock, export_id)
    async with session_factory() as session:
        (found,) = await exports.list_exports(session, who, now=clock.now())
        (told,) = (await session.execute(select(tables.Notification))).scalars()
        assert (found.state, found.size_bytes, found.expires_at) == (ExportState.READY, 2, clock.now() + KEPT)
        assert (told.kind, told.customer_id) == (NotificationKind.EXPORT_READY, who.account_id)
        assert told.facts["exportId"] == str(export_id)
        assert await exports.count_parts(session, export_id, now=clock.now()) == 1
        assert await exports.claim_export(session, export_id) is None


async def test_one_archive_is_built_at_a_time(session_factory: SessionFactory, clock: FixedClock, who: Actor) -> None:
    await request(session_factory, clock, who)
    with pytest.raises(errors.ExportInProgress, match="Wait"):
        await request(session_factory, clock, who)


async def test_after_three_in_a_day_it_is_said_when_the_next_may_be_asked_for(
    session_factory: SessionFactory, clock: FixedClock, who: Actor
) -> None:
    first = clock.now()
    for _ in range(3):
        await build(session_factory, clock, await request(session_factory, clock, who))
        clock.advance(hours=1)
    with pytest.raises(errors.ExportLimitReached, match="3 exports in 24 hours") as refused:
        await request(session_factory, clock, who)
    assert refused.value.retry_at == first + timedelta(days=1)
    clock.instant = refused.value.retry_at
    await request(session_factory, clock, who)


async def test_nobody_elses_archive_is_found(session_factory: SessionFactory, clock: FixedClock, who: Actor) -> None:
    export_id = await request(session_factory, clock, who)
    async with session_factory.begin() as session:
        eve = await factories.add_rider(session)
        with pytest.raises(errors.NotFound):
            await exports.get_export(session, eve, export_id, now=clock.now())
        assert await exports.list_exports(session, eve, now=clock.now()) == []


async def test_a_worker_whose_attempt_was_taken_over_writes_nothing_more(
    session_factory: SessionFactory, clock: FixedClock, who: Actor
) -> None:
    export_id = await request(session_factory, clock, who)
    slow = await claim(session_factory, export_id)
    assert await add(session_factory, slow, 0, b"old")
    newer = await claim(session_factory, export_id)
    assert await count(session_factory, tables.ExportPart) == 0, "what the earlier attempt wrote is gone"
    assert not await add(session_factory, slow, 1)
    assert not await finish(session_factory, clock, slow)
    assert await add(session_factory, newer)
    assert await finish(session_factory, clock, newer)


async def test_a_requested_archive_whose_job_is_lost_is_begun_again_and_at_last_given_up(
    session_factory: SessionFactory, clock: FixedClock, who: Actor
) -> None:
    export_id = await request(session_factory, clock, who)
    clock.advance(minutes=2)
    assert await sweep(session_factory, clock) == 0, "its job waits"
    for _ in range(exports.MAX_ATTEMPTS):
        await lose_job(session_factory)
        assert await sweep(session_factory, clock) == 1
        assert await jobs_waiting(session_factory) == 1
        await add(session_factory, await claim(session_factory, export_id))
    await lose_job(session_factory)
    assert await sweep(session_factory, clock) == 1
    assert await state(session_factory, clock, who, export_id) is ExportState.FAILED
    assert await count(session_factory, tables.ExportPart) == 0
    await request(session_factory, clock, who)


async def test_an_archive_that_is_too_large_is_given_up_at_once(
    session_factory: SessionFactory, clock: FixedClock, who: Actor
) -> None:
    export_id = await request(session_factory, clock, who)
    claimed = await claim(session_factory, export_id)
    await add(session_factory, claimed)
    async with session_factory.begin() as session:
        await exports.fail_export(session, claimed, now=clock.now())
    assert await state(session_factory, clock, who, export_id) is ExportState.FAILED
    assert await count(session_factory, tables.ExportPart) == 0


async def test_a_ready_archive_expires_to_the_second_and_a_sweep_throws_it_away(
    session_factory: SessionFactory, clock: FixedClock, who: Actor
) -> None:
    export_id = await request(session_factory, clock, who)
    await build(session_factory, clock, export_id)
    clock.advance(days=7, seconds=-1)
    assert await state(session_factory, clock, who, export_id) is ExportState.READY
    clock.advance(seconds=1)
    assert await state(session_factory, clock, who, export_id) is ExportState.EXPIRED
    async with session_factory() as session:
        with pytest.raises(errors.LinkExpired):
            await exports.count_parts(session, export_id, now=clock.now())
    assert await count(session_factory, tables.ExportPart) == 1
    assert (await sweep(session_factory, clock), await count(session_factory, tables.ExportPart)) == (1, 0)
    assert await sweep(session_factory, clock) == 0


async def test_a_large_table_is_read_some_rows_at_a_time(session_factory: SessionFactory, clock: FixedClock, who: Actor) -> None:
    entry = personal_data.of_table("consents")
    row = {"customer_id": who.account_id, "purpose": "push", "document_version": "1", "is_granted": True, "source": "settings"}
    async with session_factory.begin() as session:
        rows = [{**row, "id": ids.new(), "recorded_at": clock.now()} for _ in range(exports.ROWS + 1)]
        await session.execute(insert(tables.Consent), rows)
    async with session_factory() as session:
        sizes = [len(some) async for some in exports.read_rows(session, entry, who.account_id)]
    assert sizes == [exports.ROWS, 1]
