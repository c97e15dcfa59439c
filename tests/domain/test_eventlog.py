"""The event log hands every event to every reader, once, in one order."""

from uuid import uuid4

from app.database import SessionFactory
from domain import eventlog


async def test_an_event_is_read_after_the_position_before_it(session_factory: SessionFactory) -> None:
    topic = eventlog.dispatch_topic(uuid4())
    async with session_factory.begin() as session:
        before = await eventlog.current_position(session)
    async with session_factory.begin() as session:
        await eventlog.append(session, topic, "vehicle.changed", {"batteryPercent": 7})
    async with session_factory() as session:
        batch = await eventlog.read_after(session, topic, before)
    assert [event.payload for event in batch.events] == [{"batteryPercent": 7}]
    assert not batch.unsettled


async def test_an_event_behind_an_open_transaction_waits_for_it(session_factory: SessionFactory) -> None:
    topic = eventlog.dispatch_topic(uuid4())
    async with session_factory.begin() as session:
        before = await eventlog.current_position(session)
    async with session_factory() as slow, session_factory() as reader:
        await eventlog.append(slow, topic, "vehicle.changed", {"n": 1})
        async with session_factory.begin() as quick:
            await eventlog.append(quick, topic, "vehicle.changed", {"n": 2})
        early = await eventlog.read_after(reader, topic, before)
        assert (early.events, early.unsettled) == ([], True)
        await slow.commit()
        late = await eventlog.read_after(reader, topic, before)
    assert [event.payload["n"] for event in late.events] == [1, 2]
