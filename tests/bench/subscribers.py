"""Subscribers: many WebSockets that count what comes, and check its order, for as little of the machine as they can."""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import re
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial
from itertools import pairwise

#: how many open at the same time
OPENING = 64
_SEQ = re.compile(rb'"seq":(\d+)')
#: how every `next` of one object ends
_END = b"}}}}"
_TEXT, _CLOSE, _PING, _PONG = 0x1, 0x8, 0x9, 0xA
_HANDSHAKE = (
    "GET {path} HTTP/1.1\r\nHost: 127.0.0.1\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
    "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n"
    "Sec-WebSocket-Protocol: graphql-transport-ws\r\nAuthorization: Bearer {token}\r\n\r\n"
)


def masked(opcode: int, payload: bytes) -> bytes:
    """A client's frame; the mask of zeros changes nothing."""
    size = len(payload)
    head = bytes([0x80 | opcode, 0x80 | size]) if size < 126 else bytes([0x80 | opcode, 0xFE]) + size.to_bytes(2)
    return head + bytes(4) + payload


def _frame_at(data: bytes, at: int) -> tuple[int, int, int] | None:
    """Opcode, start and end of the payload of a server's frame; None when it is not whole."""
    if len(data) - at < 2:
        return None
    size, start = data[at + 1], at + 2
    if size >= 126:
        start += 2 if size == 126 else 8
        size = int.from_bytes(data[at + 2 : start])
    return (data[at] & 15, start, start + size) if start <= len(data) and start + size <= len(data) else None


def _wake(reached: asyncio.Future[None]) -> None:
    if not reached.done():
        reached.set_result(None)


@dataclass
class Tally:
    """What all subscribers of a run have got together."""

    deliveries: int = 0
    ready: int = 0
    #: what must not be: a gap, a repetition, an error, a lost connection
    faults: list[str] = field(default_factory=list)
    #: numbers and instant of what came at a time, while it is a list
    arrivals: list[tuple[list[int], float]] | None = None
    #: what came last to any of them, read once: most sockets get the same bytes
    chunk: bytes = b""
    numbers: list[int] = field(default_factory=list)
    is_in_order: bool = True
    #: called when this many deliveries have come
    awaited: int = -1
    wake: Callable[[], object] = lambda: None

    def add(self, count: int) -> None:
        self.deliveries += count
        if self.deliveries >= self.awaited > 0:
            self.awaited = -1
            self.wake()

    async def reach(self, deliveries: int, seconds: float = 60.0) -> None:
        """Waits for that many deliveries."""
        if self.deliveries >= deliveries:
            return
        reached: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self.awaited, self.wake = deliveries, partial(_wake, reached)
        try:
            async with asyncio.timeout(seconds):
                await reached
        except TimeoutError:
            raise TimeoutError(f"{self.deliveries} of {deliveries} deliveries came; {self.faults[:3]}") from None


class Subscriber(asyncio.Protocol):
    """One socket with one subscription."""

    transport: asyncio.Transport

    def __init__(self, tally: Tally, handshake: bytes, subscribe: bytes) -> None:
        self.seq = 0
        self.subscribed = asyncio.get_running_loop().create_future()
        self._tally = tally
        self._handshake = handshake
        self._subscribe = subscribe
        self._rest = b""
        self._is_open = self._is_live = False
        self._descriptor = -1

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = transport  # type: ignore[assignment]
        self.transport.write(self._handshake)

    def data_received(self, data: bytes) -> None:
        if self._rest:
            data, self._rest = self._rest + data, b""
        if self._is_live and data.endswith(_END) and b"\x89" not in data:
            self._count(data)  # nothing but whole events
        else:
            self._read(data)

    def read_now(self) -> None:
        """What has come by now, for a subscriber whose transport has been told not to read by itself."""
        with contextlib.suppress(BlockingIOError):
            self.data_received(os.read(self._descriptor, 1 << 20))

    def read_when_told(self) -> None:
        self.transport.pause_reading()
        self._descriptor = self.transport.get_extra_info("socket").fileno()

    def _count(self, data: bytes) -> None:
        tally = self._tally
        if data != tally.chunk:
            tally.chunk, tally.numbers = data, [int(number) for number in _SEQ.findall(data)]
            tally.is_in_order = all(after == before + 1 for before, after in pairwise(tally.numbers))
        numbers = tally.numbers
        if not numbers:
            return
        # The first event of a subscriber may be any: it is what the stream was at.
        if not tally.is_in_order or (self.seq and numbers[0] != self.seq + 1):
            tally.faults.append(f"{numbers} came behind {self.seq}")
        self.seq = numbers[-1]
        if tally.arrivals is not None:
            tally.arrivals.append((numbers, time.monotonic()))
        tally.add(len(numbers))

    def _read(self, data: bytes) -> None:
        """Frame by frame."""
        at = 0
        if not self._is_open:
            if (at := data.find(b"\r\n\r\n") + 4) < 4:
                self._rest = data
                return
            if not data.startswith(b"HTTP/1.1 101"):
                self._fail(data[:200].decode(errors="replace"))
                return
            self._is_open = True
            self.transport.write(masked(_TEXT, b'{"type":"connection_init"}'))
        while (frame := _frame_at(data, at)) is not None:
            opcode, start, at = frame
            self._take(opcode, data[start:at])
        self._rest = data[at:]

    def _take(self, opcode: int, payload: bytes) -> None:
        if opcode == _PING:
            self.transport.write(masked(_PONG, payload))
        elif opcode == _CLOSE:
            self._fail(f"closed: {payload!r}")
        elif payload.startswith(b'{"type":"connection_ack"'):
            self.transport.write(masked(_TEXT, self._subscribe))
            self._is_live = True
            self.subscribed.set_result(None)
        elif b'"type":"next"' in payload and b'"errors"' not in payload:
            self._count(payload)
        else:
            self._fail(payload[:300].decode(errors="replace"))

    def _fail(self, what: str) -> None:
        self._tally.faults.append(what)
        if not self.subscribed.done():
            self.subscribed.set_exception(ConnectionError(what))

    def connection_lost(self, exc: Exception | None) -> None:
        if not self.transport.is_closing() or exc is not None:
            self._fail(f"connection lost: {exc!r}")


async def subscribe(
    tally: Tally, port: int, path: str, token: str, query: str, ids: list[str], **variables: object
) -> list[Subscriber]:
    """One socket for each operation id, all of them acknowledged."""
    loop, gate = asyncio.get_running_loop(), asyncio.Semaphore(OPENING)
    handshake = _HANDSHAKE.format(path=path, token=token).encode()

    async def opened(operation_id: str) -> Subscriber:
        message = {"id": operation_id, "type": "subscribe", "payload": {"query": query, "variables": variables}}
        async with gate:
            made = lambda: Subscriber(tally, handshake, json.dumps(message).encode())  # noqa: E731
            _, subscriber = await loop.create_connection(made, "127.0.0.1", port)
            await subscriber.subscribed
        return subscriber

    return list(await asyncio.gather(*map(opened, ids)))
