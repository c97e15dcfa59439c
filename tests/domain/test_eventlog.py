"""The event log hands every event to every reader, once, in one order."""

from uuid import uuid4

from sqlalchemy.ext.asyncio import AsyncEngine

from app.database import SessionFactory
from domain import eventlog
from tests.log import settled_after

START = eventlog.Position(1, 0, 0)


async def test_an_event_is_read_after_the_position_before_it(session_factory: SessionFactory) -> None:
    topic = eventlog.dispatch_topic(uuid4())
    async with session_factory.begin() as session:
        before = await eventlog.current_position(session, topic)
    async with session_factory.begin() as session:
        await eventlog.append(session, topic, "vehicle.changed", {"batteryPercent": 7})
    async with session_factory() as session:
        batch = await settled_after(session, topic, before)
    assert [event.payload for event in batch.events] == [{"batteryPercent": 7}]
    assert not batch.unsettled


async def test_an_event_behind_an_open_transaction_waits_for_it(session_factory: SessionFactory) -> None:
    topic = eventlog.dispatch_topic(uuid4())
    async with session_factory.begin() as session:
        before = await eventlog.current_position(session, topic)
    async with session_factory() as slow, session_factory() as reader:
        await eventlog.append(slow, topic, "vehicle.changed", {"n": 1})
        async with session_factory.begin() as quick:
            await eventlog.append(quick, topic, "vehicle.changed", {"n": 2})
        early = await eventlog.read_after(reader, topic, before)
        assert (early.events, early.unsettled) == ([], True)
        await slow.commit()
        late = await settled_after(reader, topic, before)
    assert [event.payload["n"] for event in late.events] == [1, 2]


async def test_two_slow_transactions_are_read_in_the_order_of_their_numbers(session_factory: SessionFactory) -> None:
    """The order is that of transactions, whichever commits first: every reader sees the same one."""
    topic = eventlog.dispatch_topic(uuid4())
    async with session_factory() as first, session_factory() as second, session_factory() as reader:
        await eventlog.append(first, topic, "vehicle.changed", {"n": 1})
        await eventlog.append(second, topic, "vehicle.changed", {"n": 2})
        await eventlog.append(first, topic, "vehicle.changed", {"n": 3})
        await second.commit()
        await first.commit()
        batch = await settled_after(reader, topic, START)
    assert [event.payload["n"] for event in batch.events] == [1, 3, 2]
    assert [event.position for event in batch.events] == sorted(event.position for event in batch.events)


async def test_what_is_rolled_back_was_never_written(session_factory: SessionFactory) -> None:
    topic = eventlog.dispatch_topic(uuid4())
    async with session_factory() as session:
        await eventlog.append(session, topic, "vehicle.changed", {})
        await session.rollback()
        assert (await eventlog.read_after(session, topic, START)).events == []


async def test_a_batch_has_an_end_and_the_next_one_begins_there(session_factory: SessionFactory) -> None:
    topic = eventlog.dispatch_topic(uuid4())
    async with session_factory.begin() as session:
        await eventlog.append_all(session, [(topic, "vehicle.changed", {"n": n}) for n in range(7)])
    seen: list[int] = []
    position = START
    async with session_factory() as session:
        while batch := (await settled_after(session, topic, position, limit=3)).events:
            seen += [event.payload["n"] for event in batch]
            position = batch[-1].position
    assert seen == list(range(7))


async def test_a_position_is_that_of_an_event_which_no_crash_forgets(session_factory: SessionFactory) -> None:
    """Numbers of transactions that are open or were rolled back are not on the disk and may be given out again."""
    topic, other = eventlog.dispatch_topic(uuid4()), eventlog.chat_topic(uuid4())
    async with session_factory() as session:
        assert await eventlog.current_position(session, topic) == START
    async with session_factory.begin() as session:
        await eventlog.append_all(session, [(topic, "vehicle.changed", {"n": n}) for n in range(3)])
    async with session_factory.begin() as session:
        await eventlog.append(session, other, "vehicle.changed", {})
    async with session_factory() as session:
        last = (await settled_after(session, topic, START)).events[-1].position
        assert await eventlog.current_position(session, topic) == last
    async with session_factory() as forgotten:
        await eventlog.append(forgotten, topic, "vehicle.changed", {})
        await forgotten.rollback()
    async with session_factory() as slow, session_factory() as reader:
        await eventlog.append(slow, topic, "vehicle.changed", {"n": 3})
        assert await eventlog.current_position(slow, topic) == last, "before the first event of the own transaction"
        async with session_factory.begin() as quick:
            await eventlog.append(quick, topic, "vehicle.changed", {"n": 4})
        position = await eventlog.current_position(reader, topic)
        assert position == last, "before what an open transaction hides"
        await slow.commit()
        batch = await settled_after(reader, topic, position)
    assert [event.payload["n"] for event in batch.events] == [3, 4]


async def test_raising_the_epoch_settles_what_was_written_and_outdates_positions(session_factory: SessionFactory) -> None:
    topic = eventlog.dispatch_topic(uuid4())
    async with session_factory.begin() as session:
        await eventlog.append(session, topic, "vehicle.changed", {"n": 1})
        before = await eventlog.current_position(session, topic)
    async with session_factory.begin() as session:
        connection = await session.connection()
        assert await connection.run_sync(eventlog.open_epoch) is None, "the same cluster: nothing to do"
        assert await connection.run_sync(lambda sync: eventlog.open_epoch(sync, force=True)) == before.epoch + 1
    async with session_factory() as session:
        fresh = await eventlog.current_position(session, topic)
        assert (fresh.epoch, fresh.xid, fresh.seq > 0) == (before.epoch + 1, 0, True), "that of the event, stamped anew"
        assert await eventlog.read_after(session, topic, before) == eventlog.Batch([], fresh.epoch, False, fresh)
        assert await settled_after(session, topic, fresh) == eventlog.Batch([], fresh.epoch, False)
        other = await eventlog.read_after(session, eventlog.dispatch_topic(uuid4()), before)
        assert other.gap == eventlog.Position(fresh.epoch, 0, 0)
    engine: AsyncEngine = session_factory.kw["bind"]
    async with engine.connect() as kept:
        assert (await eventlog.read_after(kept, topic, before)).gap == fresh
        assert not kept.in_transaction(), "it may be kept for the next read"
