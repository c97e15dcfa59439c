"""What the agent says is one worker's: the one that took the turn last."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from uuid import UUID

from app.database import SessionFactory
from domain import eventlog, turns
from tests.conftest import FixedClock
from tests.domain.conftest import City
from tests.domain.conversations import claim, finish, kinds, send
from tests.log import settled, settled_after


async def test_what_the_model_is_told_is_frozen_with_the_message(
    session_factory: SessionFactory, city: City, conversation: UUID, clock: FixedClock
) -> None:
    sent = await send(session_factory, city, conversation, clock)
    clock.advance(hours=5)
    claimed = await claim(session_factory, sent.turn_id, clock)
    assert claimed is not None
    assert claimed.context == {
        "now": "2026-11-21T09:30:00+01:00",
        "timezone": "Europe/Berlin",
        "metro": city.metro.name,
        "position": {"lat": 49.4, "lon": 8.67},
        "language": "en",
    }
    assert (claimed.text, claimed.attempt, claimed.history) == ("Hello", 1, [])


async def test_only_the_newest_attempt_may_write(
    session_factory: SessionFactory, city: City, conversation: UUID, clock: FixedClock
) -> None:
    sent = await send(session_factory, city, conversation, clock)
    await claim(session_factory, sent.turn_id, clock)
    await claim(session_factory, sent.turn_id, clock)
    deltas = [turns.ChatDelta(sent.turn_id, attempt, conversation, "text.delta", {"text": str(attempt)}) for attempt in (1, 2)]
    async with session_factory.begin() as session:
        assert await turns.append_chat_events(session, deltas[:1]) == set()
        assert await turns.append_chat_events(session, deltas) == {sent.turn_id}
        assert not await turns.fail_turn(session, turn_id=sent.turn_id, attempt=1, code="X", now=clock.now())
    assert not await finish(session_factory, sent.turn_id, clock, attempt=1)
    assert await finish(session_factory, sent.turn_id, clock, attempt=2)
    assert await claim(session_factory, sent.turn_id, clock) is None
    async with session_factory.begin() as session:
        assert await turns.append_chat_events(session, deltas) == set(), "a finished turn says nothing more"
    told = ["message.stored", "turn.started", "turn.attempt_restarted", "text.delta", "turn.finished"]
    assert await kinds(session_factory, conversation, sent.position) == told


async def test_events_of_several_turns_keep_their_order(
    session_factory: SessionFactory, city: City, conversation: UUID, clock: FixedClock
) -> None:
    sent = [await send(session_factory, city, conversation, clock, client_id=str(number)) for number in range(3)]
    for one in sent:
        await claim(session_factory, one.turn_id, clock)
    async with session_factory() as session:
        before = await eventlog.current_position(session, eventlog.chat_topic(conversation))
    deltas = [turns.ChatDelta(sent[n % 3].turn_id, 1, conversation, "text.delta", {"text": str(n)}) for n in range(50)]
    async with session_factory.begin() as session:
        await turns.append_chat_events(session, deltas)
    async with session_factory() as session:
        batch = await settled_after(session, eventlog.chat_topic(conversation), before)
    told = [event.payload["text"] for event in batch.events if event.kind == "text.delta"]
    assert told == [str(n) for n in range(50)]


async def test_the_model_is_reminded_of_finished_turns_oldest_first(
    session_factory: SessionFactory, city: City, conversation: UUID, clock: FixedClock
) -> None:
    made = []
    for number in range(22):
        sent = await send(session_factory, city, conversation, clock, client_id=str(number))
        await claim(session_factory, sent.turn_id, clock)
        if number == 20:
            async with session_factory.begin() as session:
                assert await turns.fail_turn(session, turn_id=sent.turn_id, attempt=1, code="TIMEOUT", now=clock.now())
        elif number < 21:
            assert await finish(session_factory, sent.turn_id, clock)
        made.append(sent.turn_id)
    claimed = await claim(session_factory, made[-1], clock)
    assert claimed is not None
    assert claimed.history == [[{"of": str(turn)}] for turn in made[:20]]


async def say(session_factory: SessionFactory, turn_id: UUID, conversation: UUID, attempt: int, *words: str) -> None:
    async with session_factory.begin() as session:
        given = [turns.ChatDelta(turn_id, attempt, conversation, "text.delta", {"text": word}) for word in words]
        called = turns.ChatDelta(turn_id, attempt, conversation, "tool.called", {"callId": "1", "tool": "t", "arguments": {}})
        await turns.append_chat_events(session, [*given, called])


async def forget(session_factory: SessionFactory, limit: int = 1000, **since: float) -> int:
    """Once all that was written is settled; by the database's clock, as the log is."""
    async with session_factory() as session:
        await settled(session)
    async with session_factory.begin() as session:
        return await turns.forget_deltas(session, now=datetime.now(UTC) + timedelta(**since), limit=limit)


async def test_words_of_a_finished_turn_go_and_its_message_tells_them(
    session_factory: SessionFactory, city: City, conversation: UUID, clock: FixedClock
) -> None:
    clock.instant = datetime.now(UTC)
    sent = [await send(session_factory, city, conversation, clock, client_id=str(number)) for number in range(2)]
    for one in sent:
        await claim(session_factory, one.turn_id, clock)
        await say(session_factory, one.turn_id, conversation, 1, "Hi", ".")
    assert await finish(session_factory, sent[0].turn_id, clock)
    async with session_factory() as session:
        before = (await settled_after(session, eventlog.chat_topic(conversation), sent[0].position)).events
    assert await forget(session_factory) == 0, "who was only cut off still sees the answer grow"
    assert await forget(session_factory, minutes=11, limit=1) == 1
    assert await forget(session_factory, minutes=11) == 1
    assert await forget(session_factory, minutes=11) == 0, "the other turn still runs"
    async with session_factory() as session:
        batch = await settled_after(session, eventlog.chat_topic(conversation), sent[0].position)
    assert batch.gap is None, "nothing is missing"
    gone = [event for event in before if event not in batch.events]
    assert [event.payload for event in gone] == [{"turnId": str(sent[0].turn_id), "attempt": 1, "text": t} for t in ("Hi", ".")]
    (finished,) = [event for event in batch.events if event.kind == "turn.finished"]
    assert finished.payload["text"] == "Hi."
    async with session_factory() as session:
        resumed = await settled_after(session, eventlog.chat_topic(conversation), gone[0].position)
    assert resumed.gap is None
    assert finished in resumed.events


async def test_words_of_a_failed_turn_of_a_superseded_attempt_and_of_no_turn_go(
    session_factory: SessionFactory, city: City, conversation: UUID, clock: FixedClock
) -> None:
    clock.instant = datetime.now(UTC)
    failed, taken = [await send(session_factory, city, conversation, clock, client_id=str(number)) for number in range(2)]
    for one in (failed, taken):
        await claim(session_factory, one.turn_id, clock)
        await say(session_factory, one.turn_id, conversation, 1, "first")
    await claim(session_factory, taken.turn_id, clock)
    await say(session_factory, taken.turn_id, conversation, 2, "second")
    async with session_factory.begin() as session:
        assert await turns.fail_turn(session, turn_id=failed.turn_id, attempt=1, code="X", now=clock.now())
    stray = eventlog.chat_topic(failed.turn_id)
    async with session_factory.begin() as session:
        await eventlog.append(session, stray, "text.delta", {"turnId": str(conversation), "attempt": 1, "text": "?"})
    told = await kinds(session_factory, conversation, failed.position)
    assert told.count("text.delta") == 3
    assert await forget(session_factory, minutes=11) == 3
    kept = await kinds(session_factory, conversation, failed.position)
    assert [kind for kind in told if kind != "text.delta"] == [kind for kind in kept if kind != "text.delta"]
    assert kept.count("text.delta") == 1, "of the attempt that has the turn"
