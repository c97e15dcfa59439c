"""Broadcast: whole frames, in order, to those who are in at that moment."""

from __future__ import annotations

import asyncio
import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from websockets.client import ClientProtocol
from websockets.frames import Frame
from websockets.protocol import OPEN
from websockets.uri import parse_uri

from app.fanout import broadcast as broadcasting
from app.fanout.broadcast import Broadcast, Item, opening
from domain.eventlog import Position


class Peer:
    """Reads what a socket would get with a library of others."""

    def __init__(self) -> None:
        self._protocol = ClientProtocol(parse_uri("ws://localhost/"), max_size=None)
        self._protocol.state = OPEN
        self._protocol.parser = self._protocol.parse()
        next(self._protocol.parser)
        self.writes = 0

    def write(self, data: bytes) -> None:
        self.writes += 1
        self._protocol.receive_data(data)

    @property
    def messages(self) -> list[Any]:
        return [json.loads(bytes(event.data)) for event in self._protocol.events_received() if isinstance(event, Frame)]


def item(n: int, payload: str | None = None) -> Item:
    return Item(Position(1, 1, n - 1), Position(1, 1, n), (payload or str(n)).encode())


def numbers(peer: Peer) -> list[Any]:
    return [message["payload"] for message in peer.messages]


@pytest.fixture
def two_per_turn(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(broadcasting, "SOCKETS_PER_TURN", 2)


@pytest.mark.parametrize("size", [0, 60, 100, 126, 127, 65_400, 65_536, 200_000])
def test_a_frame_of_any_size_is_whole(size: int) -> None:
    peer, broadcast = Peer(), Broadcast(0)
    broadcast.add(peer, opening('a"b\u00e9'), peer.write)
    broadcast.send(item(1, json.dumps("x" * size)))
    broadcast.send(item(2, '{"data":2}'))
    assert peer.messages == [{"id": 'a"b\u00e9', "type": "next", "payload": one} for one in ("x" * size, {"data": 2})]


def test_each_operation_gets_its_own_id_and_leaves_before_the_next_event() -> None:
    peers, broadcast = [Peer() for _ in range(3)], Broadcast(0)
    seats = [broadcast.add(peer, opening(name), peer.write) for name, peer in zip("aab", peers, strict=True)]
    broadcast.send(item(1))
    assert seats[0].leave() == seats[0].leave() == []
    broadcast.send(item(2))
    assert [[(m["id"], m["payload"]) for m in peer.messages] for peer in peers] == [
        [("a", 1)],
        [("a", 1), ("a", 2)],
        [("b", 1), ("b", 2)],
    ]
    assert broadcast.members() == peers[1:]


async def test_events_of_one_window_are_one_write_and_who_joins_in_it_gets_none_of_before() -> None:
    first, second, broadcast = Peer(), Peer(), Broadcast(0.01)
    broadcast.add(first, opening("a"), first.write)
    for n in (1, 2, 3):
        broadcast.send(item(n))
    assert first.writes == 0
    await asyncio.sleep(0.05)
    assert (first.writes, numbers(first)) == (1, [1, 2, 3])
    broadcast.send(item(4))
    broadcast.add(second, opening("a"), second.write)
    broadcast.send(item(5))
    await asyncio.sleep(0.05)
    assert (numbers(first), numbers(second)) == ([4, 5], [5])


@pytest.mark.usefixtures("two_per_turn")
async def test_others_have_their_turn_while_one_event_goes_to_many() -> None:
    peers, broadcast = [Peer() for _ in range(5)], Broadcast(0)
    for n, peer in enumerate(peers):
        broadcast.add(peer, opening("ab"[n % 2]), peer.write)
    broadcast.send(item(1))
    assert sum(peer.writes for peer in peers) == 2
    broadcast.send(item(2))
    broadcast.send(item(3))
    assert sum(peer.writes for peer in peers) == 2
    for _ in range(10):
        await asyncio.sleep(0)
    assert [numbers(peer) for peer in peers] == [[1, 2, 3]] * 5
    assert [peer.writes for peer in peers] == [2] * 5, "what came in the meantime is one write"


@pytest.mark.usefixtures("two_per_turn")
async def test_who_leaves_in_the_middle_is_owed_what_it_was_not_given() -> None:
    peers, broadcast = [Peer() for _ in range(5)], Broadcast(0)
    seats = [broadcast.add(peer, opening("a"), peer.write) for peer in peers]
    broadcast.send(item(1))
    broadcast.send(item(2))
    assert seats[0].leave() == [item(2)]
    assert seats[4].leave() == [item(1), item(2)]
    late = Peer()
    broadcast.add(late, opening("a"), late.write)
    broadcast.send(item(3))
    broadcast.flush()
    assert [numbers(peer) for peer in (*peers, late)] == [[1], [1, 2, 3], [1, 2, 3], [1, 2, 3], [], [3]]
    await asyncio.sleep(0)
    assert sum(peer.writes for peer in peers) == 1 + 3 * 3


@given(st.data())
def test_whatever_happens_each_gets_or_is_owed_all_of_its_time_once_and_in_order(data: st.DataObject) -> None:
    asyncio.run(anything(data))


async def anything(data: st.DataObject) -> None:
    """Members come, go and are written to, in turns of two sockets; `since` and `until` are what is theirs."""
    broadcast, sent = Broadcast(data.draw(st.sampled_from([0, 0.001]))), 0
    here: list[tuple[Peer, Any, int]] = []
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(broadcasting, "SOCKETS_PER_TURN", 2)
        for act in data.draw(st.lists(st.sampled_from(["add", "send", "leave", "turn", "wait", "flush"]), max_size=40)):
            if act == "add":
                peer = Peer()
                here.append((peer, broadcast.add(peer, opening(data.draw(st.sampled_from("ab"))), peer.write), sent))
            elif act == "send":
                sent += 1
                broadcast.send(item(sent))
            elif act == "leave" and here:
                peer, seat, since = here.pop(data.draw(st.integers(0, len(here) - 1)))
                owed = [int(one.payload) for one in seat.leave()]
                assert numbers(peer) + owed == list(range(since + 1, sent + 1))
            elif act == "turn":
                await asyncio.sleep(0)
            elif act == "wait":
                await asyncio.sleep(0.002)
            elif act == "flush":
                broadcast.flush()
        broadcast.flush()
    for peer, _, since in here:
        assert numbers(peer) == list(range(since + 1, sent + 1))
