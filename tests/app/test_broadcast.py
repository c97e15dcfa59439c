"""Broadcast: whole frames, in order, to those who are in at that moment."""

from __future__ import annotations

import asyncio
import json
from typing import Any

import pytest
from websockets.client import ClientProtocol
from websockets.frames import Frame
from websockets.protocol import OPEN
from websockets.uri import parse_uri

from app.fanout.broadcast import Broadcast, opening


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


@pytest.mark.parametrize("size", [0, 60, 100, 126, 127, 65_400, 65_536, 200_000])
def test_a_frame_of_any_size_is_whole(size: int) -> None:
    peer, broadcast = Peer(), Broadcast(0)
    broadcast.add(peer, opening('a"b\u00e9'), peer.write)
    broadcast.send(json.dumps("x" * size).encode())
    broadcast.send(b'{"data":2}')
    assert peer.messages == [{"id": 'a"b\u00e9', "type": "next", "payload": one} for one in ("x" * size, {"data": 2})]


def test_each_operation_gets_its_own_id_and_leaves_before_the_next_event() -> None:
    peers, broadcast = [Peer() for _ in range(3)], Broadcast(0)
    for name, peer in zip("aab", peers, strict=True):
        broadcast.add(peer, opening(name), peer.write)
    broadcast.send(b"1")
    broadcast.discard(peers[0], opening("a"))
    broadcast.discard(peers[0], opening("a"))
    broadcast.send(b"2")
    assert [[(m["id"], m["payload"]) for m in peer.messages] for peer in peers] == [
        [("a", 1)],
        [("a", 1), ("a", 2)],
        [("b", 1), ("b", 2)],
    ]
    assert broadcast.members() == peers[1:]


async def test_events_of_one_window_are_one_write_and_who_joins_in_it_gets_none_of_before() -> None:
    first, second, broadcast = Peer(), Peer(), Broadcast(0.01)
    broadcast.add(first, opening("a"), first.write)
    for payload in (b"1", b"2", b"3"):
        broadcast.send(payload)
    assert first.writes == 0
    await asyncio.sleep(0.05)
    assert (first.writes, [m["payload"] for m in first.messages]) == (1, [1, 2, 3])
    broadcast.send(b"4")
    broadcast.add(second, opening("a"), second.write)
    broadcast.send(b"5")
    await asyncio.sleep(0.05)
    assert [m["payload"] for m in first.messages] == [4, 5]
    assert [m["payload"] for m in second.messages] == [5]
