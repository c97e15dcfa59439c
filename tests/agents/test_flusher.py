"""The writer of chat events: order, joining of texts, back-pressure."""

from __future__ import annotations

import asyncio
from itertools import pairwise
from uuid import UUID

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from agents.flusher import Flusher, coalesce, storable
from domain import turns
from domain.turns import ChatDelta
from tests.agents.world import World

_TURNS = [UUID(int=number) for number in range(3)]


def delta(turn: int, kind: str, text: str = "") -> ChatDelta:
    return ChatDelta(_TURNS[turn], 1, UUID(int=9), kind, {"text": text} if kind == "text.delta" else {"tool": text})


_DELTAS = st.lists(st.builds(delta, st.integers(0, 2), st.sampled_from(["text.delta", "tool.called"]), st.text(max_size=3)))


@settings(deadline=None)
@given(_DELTAS)
def test_joining_keeps_every_turns_words_and_order(deltas: list[ChatDelta]) -> None:
    def story(of: list[ChatDelta], turn: UUID) -> list[str]:
        told: list[str] = []
        for each in of:
            if each.turn_id != turn:
                continue
            if each.kind == "text.delta" and told and told[-1].startswith("says "):
                told[-1] += each.payload["text"]
            else:
                told.append(f"says {each.payload['text']}" if each.kind == "text.delta" else f"calls {each.payload['tool']}")
        return told

    joined = coalesce(deltas)
    for turn in _TURNS:
        assert story(joined, turn) == story(deltas, turn)
    for turn in _TURNS:
        kinds = [each.kind for each in joined if each.turn_id == turn]
        assert ("text.delta", "text.delta") not in list(pairwise(kinds))


@given(st.text())
def test_any_text_becomes_storable(text: str) -> None:
    assert "\x00" not in storable({"text": [text]})["text"][0]


def test_what_postgresql_refuses_is_taken_out() -> None:
    assert storable("a\x00b\ud800c") == "ab?c"


async def _claimed(world: World, text: str = "hello") -> turns.ClaimedTurn:
    turn_id = await world.send(text)
    async with world.session_factory.begin() as session:
        turn = await turns.claim_turn(session, turn_id, now=world.clock.now())
    assert turn is not None
    return turn


def _said(turn: turns.ClaimedTurn, text: str) -> ChatDelta:
    payload = {"turnId": str(turn.turn_id), "attempt": turn.attempt, "text": text}
    return ChatDelta(turn.turn_id, turn.attempt, turn.conversation_id, "text.delta", payload)


async def test_a_flush_returns_when_the_words_are_in_the_log(world: World) -> None:
    turn = await _claimed(world)
    stream = world.runtime.flusher.open(turn)
    for word in ("one ", "two ", "three"):
        await stream.put(_said(turn, word))
    await stream.flush()
    assert "".join(payload["text"] for _, payload in await world.events("text.delta")) == "one two three"


async def test_a_superseded_turn_is_told_so_and_its_run_is_cancelled(world: World) -> None:
    turn = await _claimed(world)
    stream = world.runtime.flusher.open(turn)
    run = asyncio.create_task(asyncio.sleep(30))
    stream.cancel_when_lost(run)
    async with world.session_factory.begin() as session:
        await turns.claim_turn(session, turn.turn_id, now=world.clock.now())
    await stream.put(_said(turn, "too late"))
    with pytest.raises(turns.Superseded):
        await stream.flush()
    await asyncio.wait([run])
    assert run.cancelled()
    with pytest.raises(turns.Superseded):
        await stream.put(_said(turn, "later still"))
    assert not await world.events("text.delta")


async def test_a_turn_waits_while_too_much_is_pending(world: World) -> None:
    flusher = Flusher(world.session_factory, interval=0.001, max_pending=2)
    turn = await _claimed(world)
    stream = flusher.open(turn)
    await stream.put(_said(turn, "1"))
    await stream.put(_said(turn, "2"))
    third = asyncio.create_task(stream.put(_said(turn, "3")))
    await asyncio.sleep(0.02)
    assert not third.done()
    running = asyncio.create_task(flusher.run())
    await asyncio.wait_for(third, 30)
    await stream.flush()
    await flusher.close()
    await asyncio.wait_for(running, 30)


async def test_closing_writes_what_is_pending(world: World) -> None:
    flusher = Flusher(world.session_factory)
    turn = await _claimed(world)
    await flusher.open(turn).put(_said(turn, "last words"))
    await flusher.close()
    await asyncio.wait_for(flusher.run(), 5)
    assert [payload["text"] for _, payload in await world.events("text.delta")] == ["last words"]
