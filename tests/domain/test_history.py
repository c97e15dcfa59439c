"""What the log no longer keeps is announced to whoever would miss it, and to nobody else."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime, timedelta
from uuid import uuid4

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncSession

from app.database import SessionFactory
from app.settings import Settings
from domain import eventlog, history, tables
from tests.log import settled_after

START = eventlog.Position(1, 0, 0)


def later(**duration: float) -> datetime:
    """Instants of the log are the database's."""
    return datetime.now(UTC) + timedelta(**duration)


async def append(session_factory: SessionFactory, topic: str, *numbers: int) -> list[eventlog.Position]:
    """Their positions."""
    async with session_factory.begin() as session:
        await eventlog.append_all(session, [(topic, "vehicle.changed", {"n": n}) for n in numbers])
    async with session_factory() as session:
        events = (await settled_after(session, topic, START, 10_000)).events
    return [event.position for event in events if event.payload["n"] in numbers]


async def forget(session_factory: SessionFactory, *, limit: int = history.BATCH, before: datetime | None = None) -> int:
    """Once no open transaction of the cluster hides what was written."""
    async with session_factory.begin() as session:
        return await history.forget_events(session, "dispatch", before=before or later(days=1), limit=limit)


async def read(session: AsyncSession, topic: str, after: eventlog.Position) -> list[int] | None:
    """None: there is a gap."""
    batch = await settled_after(session, topic, after)
    return None if batch.gap else [event.payload["n"] for event in batch.events]


def test_every_topic_is_of_a_class_that_says_how_long_it_is_kept() -> None:
    made = [make(uuid4()) for name, make in vars(eventlog).items() if name.endswith("_topic")]
    assert made
    assert {topic.partition(":")[0] for topic in made} <= set(history.KEPT)


def test_the_setting_begins_where_the_class_does() -> None:
    assert timedelta(days=Settings.model_fields["dispatch_history_days"].default) == history.KEPT["dispatch"]


def test_a_rider_who_was_away_from_booking_to_return_misses_nothing() -> None:
    columns, kept = tables.Metro.__table__.c, history.KEPT["rider"]
    ahead, long = (columns[name].default.arg for name in ("booking_ahead_days", "booking_max_days"))
    assert kept is not None
    assert kept >= 2 * timedelta(days=ahead + long)


async def test_only_old_events_of_the_class_go_the_oldest_first_and_a_few_at_a_time(session_factory: SessionFactory) -> None:
    topic, chat = eventlog.dispatch_topic(uuid4()), eventlog.chat_topic(uuid4())
    await append(session_factory, chat, 0)
    await append(session_factory, topic, 1, 2, 3)
    middle = later()
    last = (await append(session_factory, topic, 4, 5))[-1]
    assert await forget(session_factory, limit=2) == 2
    async with session_factory() as session:
        assert await read(session, topic, START) is None
        assert [event.payload["n"] for event in await all_of(session, topic)] == [3, 4, 5]
    assert await forget(session_factory, before=middle) == 1
    assert await forget(session_factory, before=middle) == 0
    assert await forget(session_factory) == 2
    async with session_factory() as session:
        assert await read(session, topic, last) == []
        assert await read(session, chat, START) == [0], "a chat is kept as long as it lives"


async def all_of(session: AsyncSession, topic: str) -> list[eventlog.Event]:
    """Behind the horizon, wherever that is."""
    statement = text("select xid::text::bigint, seq from event_log_horizons where topic = :topic")
    xid, seq = (await session.execute(statement, {"topic": topic})).one()
    return (await settled_after(session, topic, eventlog.Position(1, xid, seq))).events


async def test_only_who_would_miss_an_event_is_told_of_a_gap(session_factory: SessionFactory) -> None:
    busy, quiet = eventlog.dispatch_topic(uuid4()), eventlog.dispatch_topic(uuid4())
    (only,) = await append(session_factory, quiet, 0)
    first, second, third = await append(session_factory, busy, 1, 2, 3)
    async with session_factory() as session:
        fresh = [await eventlog.current_position(session, topic) for topic in (busy, quiet)]
    assert await forget(session_factory) == 4
    await append(session_factory, busy, 4)
    async with session_factory() as session:
        told = [await read(session, busy, at) for at in (START, first, second, third, *fresh)]
        assert told == [None, None, None, [4], [4], None], "a cursor of another topic may be older than its own would be"
        assert [await read(session, quiet, at) for at in (only, *fresh)] == [[], [], []]
        assert await read(session, eventlog.dispatch_topic(uuid4()), START) == [], "a topic that never lost anything"


async def test_behind_the_gap_nothing_is_missing(session_factory: SessionFactory) -> None:
    """The position beside the gap is that of the newest event that is gone: what is still there follows."""
    topic = eventlog.dispatch_topic(uuid4())
    await append(session_factory, topic, 1)
    await forget(session_factory)
    async with session_factory() as slow, session_factory() as reader:
        await eventlog.append(slow, topic, "vehicle.changed", {"n": 2})
        gap = (await eventlog.read_after(reader, topic, START)).gap
        assert gap == await eventlog.current_position(reader, topic)
        async with session_factory.begin() as quick:
            await eventlog.append(quick, topic, "vehicle.changed", {"n": 3})
        await slow.commit()
        assert await read(reader, topic, gap) == [2, 3]


async def test_what_is_not_settled_is_kept_and_writers_do_not_wait(session_factory: SessionFactory) -> None:
    topic = eventlog.dispatch_topic(uuid4())
    await append(session_factory, topic, 1)
    async with session_factory() as slow, session_factory() as sweeper:
        await eventlog.append(slow, topic, "vehicle.changed", {"n": 2})
        async with session_factory.begin() as quick:
            await eventlog.append(quick, topic, "vehicle.changed", {"n": 3})
        assert await history.forget_events(sweeper, "dispatch", before=later(days=1)) == 1
        async with asyncio.timeout(30), session_factory.begin() as beside:
            await eventlog.append(beside, topic, "vehicle.changed", {"n": 4})
        await sweeper.commit()
        await slow.commit()
    async with session_factory() as session:
        assert [event.payload["n"] for event in await all_of(session, topic)] == [2, 3, 4]


async def test_sweepers_beside_each_other_share_the_work(session_factory: SessionFactory) -> None:
    topics = [eventlog.dispatch_topic(uuid4()) for _ in range(3)]
    for number in range(40):
        await append(session_factory, topics[number % 3], number)
    async with session_factory() as first:
        assert await history.forget_events(first, "dispatch", before=later(days=1), limit=10) == 10
        others = [asyncio.ensure_future(forget(session_factory, limit=8)) for _ in range(3)]
        await asyncio.wait(others, timeout=0.1)
        await first.commit()
    assert await asyncio.gather(*others) == [8, 8, 8], "nobody waits for rows that another one deletes"
    assert await forget(session_factory) == 6
    async with session_factory() as session:
        assert [await read(session, topic, START) for topic in topics] == [None] * 3


async def test_a_sweep_that_is_rolled_back_leaves_no_horizon(session_factory: SessionFactory) -> None:
    topic = eventlog.dispatch_topic(uuid4())
    await append(session_factory, topic, 1)
    async with session_factory() as session:
        assert await history.forget_events(session, "dispatch", before=later(days=1)) == 1
        await session.rollback()
        assert await read(session, topic, START) == [1]


async def test_a_horizon_only_moves_forward(session_factory: SessionFactory) -> None:
    """A late transaction is older in the order than it is by the clock."""
    topic = eventlog.dispatch_topic(uuid4())
    async with session_factory() as slow:
        await eventlog.append(slow, topic, "vehicle.changed", {"n": 1})
        await eventlog.append(slow, topic, "vehicle.changed", {"n": 2})
        async with session_factory.begin() as quick:
            await eventlog.append(quick, topic, "vehicle.changed", {"n": 3})
        between = later()
        await eventlog.append(slow, topic, "vehicle.changed", {"n": 4})
        await slow.commit()
    async with session_factory() as session:
        batch = await settled_after(session, topic, START)
    assert [event.payload["n"] for event in batch.events] == [1, 2, 4, 3]
    assert await forget(session_factory, before=between) == 3
    async with session_factory() as session:
        fresh = await eventlog.current_position(session, topic)
        assert fresh == batch.events[3].position, "that of what is gone, for it is ahead of what is left"
        assert await read(session, topic, fresh) == []
    assert await forget(session_factory) == 1
    async with session_factory() as session:
        assert await read(session, topic, batch.events[2].position) is None
        assert await read(session, topic, batch.events[3].position) == []
        assert await eventlog.current_position(session, topic) == batch.events[3].position


async def test_an_erased_topic_is_a_gap_for_cursors_of_before(session_factory: SessionFactory) -> None:
    topic, other = eventlog.chat_topic(uuid4()), eventlog.chat_topic(uuid4())
    first, last = await append(session_factory, topic, 1, 2)
    await append(session_factory, other, 9)
    async with session_factory.begin() as session:
        assert await history.erase_topic(session, topic) == 2
    async with session_factory() as session:
        assert [await read(session, topic, at) for at in (START, first, last)] == [None, None, []]
        assert await read(session, other, START) == [9]


async def test_what_is_erased_before_it_is_settled_is_announced_once_it_would_be(session_factory: SessionFactory) -> None:
    topic = eventlog.chat_topic(uuid4())
    async with session_factory() as slow, session_factory() as reader:
        await eventlog.append(slow, topic, "text.delta", {"n": 1})
        async with session_factory.begin() as quick:
            await eventlog.append(quick, topic, "text.delta", {"n": 2})
        async with session_factory.begin() as session:
            assert await history.erase_topic(session, topic) == 1
        early = await eventlog.read_after(reader, topic, START)
        assert (early.events, early.gap) == ([], None)
        assert await eventlog.current_position(reader, topic) == START
        await slow.commit()
        await append(session_factory, eventlog.chat_topic(uuid4()), 0)
        gap = (await settled_after(reader, topic, START)).gap
        assert gap is not None
        assert await read(reader, topic, gap) == []


async def test_a_raised_epoch_keeps_horizons_from_outdating_new_cursors(session_factory: SessionFactory) -> None:
    """As after a restore: transactions are counted anew, so a horizon of before may have a far higher number."""
    topic = eventlog.dispatch_topic(uuid4())
    _, last = await append(session_factory, topic, 1, 2)
    await forget(session_factory, limit=1)
    async with session_factory.begin() as session:
        await session.execute(text("update event_log_horizons set xid = '4000000000'::xid8"))
        connection = await session.connection()
        await connection.run_sync(lambda sync: eventlog.open_epoch(sync, force=True))
    async with session_factory() as session:
        assert await read(session, topic, last) is None, "a cursor of before"
        fresh = await eventlog.current_position(session, topic)
        assert await read(session, topic, fresh) == []
        assert await read(session, topic, eventlog.Position(fresh.epoch, 0, 0)) is None, "the first is still gone"
    async with session_factory.begin() as session:
        await eventlog.append(session, topic, "vehicle.changed", {"n": 3})
    async with session_factory() as session:
        assert await read(session, topic, fresh) == [3]
    assert await forget(session_factory) == 2
    async with session_factory() as session:
        assert await read(session, topic, fresh) is None


async def test_an_early_erasure_hides_no_gap_of_before(session_factory: SessionFactory) -> None:
    topic = eventlog.dispatch_topic(uuid4())
    await append(session_factory, topic, 1)
    async with session_factory.begin() as session:
        await history.erase_topic(session, topic)
    async with session_factory() as open_for_long:
        await eventlog.append(open_for_long, eventlog.dispatch_topic(uuid4()), "vehicle.changed", {"n": 0})
        async with session_factory.begin() as session:
            await eventlog.append(session, topic, "vehicle.changed", {"n": 2})
        async with session_factory.begin() as session:
            await history.erase_topic(session, topic)
        async with session_factory() as reader:
            early = await eventlog.read_after(reader, topic, START)
        assert (early.events, early.gap, early.unsettled) == ([], None, True)
        await open_for_long.rollback()
    async with session_factory() as reader:
        assert (await settled_after(reader, topic, START)).gap is not None
