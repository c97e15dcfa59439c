"""Subscribers: thousands of sockets in one process of their own, each with its cursor and the numbers that it has got.

A frame costs a comparison with the one that came before it: all get the same bytes. Run as a child (see `child`).
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import random
import socket
import sys
import time
from array import array
from collections import Counter
from typing import Any

import uvloop

from tests.soak import frames
from tests.soak.child import obey, orders
from tests.soak.verdict import Table, Verdict

#: first and longest pause before connecting again; each is drawn between nothing and this
BACKOFF_SECONDS = (0.2, 2.0)
#: from the first packet to `connection_ack`
CONNECT_SECONDS = 120.0
#: how many are connecting at a time in the beginning
FIRST_AT_A_TIME = 100
BEGIN_SECONDS = 120.0
KNOWN_FRAMES = 4096


class Crowd:
    """What the subscribers of this process share."""

    def __init__(self, *, count: int, ports: list[int], token: str, metro: str, after: str, source: str) -> None:
        self.ports = ports
        self.source = source
        self.metro = metro
        self.after = after
        self.init = frames.connection_init(token)
        self.known: dict[bytes, frames.Message] = {}
        self.last_chunk = b""
        self.last_message = frames.Message("")
        #: closes, errors, refused connections: by name
        self.happened: Counter[str] = Counter()
        self.is_held = False
        self.all = [Subscriber(self, index) for index in range(count)]

    def read(self, text: bytes) -> frames.Message:
        found = self.known.get(text)
        if found is None:
            if len(self.known) >= KNOWN_FRAMES:
                self.known.clear()
            found = self.known[text] = frames.read(text)
        return found

    async def begin(self) -> dict[str, Any]:
        """All connect; over when they are live, or patience ends."""
        alone = asyncio.Semaphore(FIRST_AT_A_TIME)

        async def one(subscriber: Subscriber) -> None:
            async with alone:
                subscriber.connect()
                while not subscriber.is_live:
                    await asyncio.sleep(0.01)

        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(BEGIN_SECONDS):
                await asyncio.gather(*(one(subscriber) for subscriber in self.all))
                return {"begun": True, **await self.status()}
        return {"begun": False, **await self.status()}

    async def status(self, last: int = 0) -> dict[str, Any]:
        """`level`: how many have got the number `last` behind all others, and are connected."""
        live = [one for one in self.all if one.is_live]
        return {
            "live": len(live),
            "level": sum(1 for one in live if one.numbers and one.numbers[-1] == last),
            "happened": dict(self.happened),
            "cpu": time.process_time(),
        }

    async def reached(self, n: int) -> float | None:
        """The instant at which the last of them got that number; None while somebody has not."""
        found = 0.0
        for one in self.all:
            try:
                found = max(found, one.arrived[one.numbers.index(n)])
            except ValueError:
                return None
        return found

    async def hold(self) -> None:
        """From now on nobody connects again."""
        self.is_held = True

    async def release(self, seconds: float) -> float:
        """All connect again, spread evenly over so many seconds; the instant at which they begin."""
        self.is_held = False
        started = time.time()
        for one in self.all:
            if one.transport is None:
                asyncio.get_running_loop().call_later(random.uniform(0, seconds), one.connect)
        return started

    async def judge(self, numbers: list[int]) -> dict[str, Any]:
        table, found, worst = Table(numbers), Verdict(), ""
        for one in self.all:
            verdict = table.judge(one.numbers, one.announcements)
            if not verdict.is_clean and not worst:
                worst = f"subscriber {one.index}: {verdict}; it got {len(one.numbers)} of {len(numbers)}"
            found.add(verdict)
        return {"verdict": vars(found), "worst": worst, "deliveries": sum(len(one.numbers) for one in self.all)}

    async def latency(self, committed: list[tuple[int, float]]) -> list[float]:
        """p50, p99 and the longest, in milliseconds, of the events with these instants of their commits."""
        at = dict(committed)
        found = [arrived - at[n] for one in self.all for n, arrived in zip(one.numbers, one.arrived, strict=True) if n in at]
        found.sort()
        return [found[min(len(found) - 1, int(len(found) * share))] * 1000 for share in (0.5, 0.99, 1.0)] if found else []


class Subscriber(asyncio.Protocol):
    """One who follows, and comes back with its cursor whenever its socket dies."""

    def __init__(self, crowd: Crowd, index: int) -> None:
        self.crowd = crowd
        self.index = self.turn = index
        self.cursor = crowd.after
        self.numbers = array("I")
        self.arrived = array("d")
        self.announcements: list[int] = []
        self.transport: asyncio.Transport | None = None
        self.watchdog: asyncio.TimerHandle | None = None
        self.rest = b""
        self.is_shaken = self.is_live = False
        self.tries = 0

    def connect(self) -> None:
        _running.add(task := asyncio.get_running_loop().create_task(self._connect()))
        task.add_done_callback(_running.discard)

    async def _connect(self) -> None:
        loop, crowd = asyncio.get_running_loop(), self.crowd
        port = crowd.ports[self.turn % len(crowd.ports)]
        self.turn += 1
        own = socket.socket()
        own.setblocking(False)
        # Its own address has its own ports; the kernel chooses among those that are free towards this peer.
        own.setsockopt(socket.IPPROTO_IP, getattr(socket, "IP_BIND_ADDRESS_NO_PORT", 24), 1)
        own.bind((crowd.source, 0))
        try:
            async with asyncio.timeout(CONNECT_SECONDS):
                await loop.sock_connect(own, ("127.0.0.1", port))
                await loop.create_connection(lambda: self, sock=own)
        except (OSError, TimeoutError) as error:
            own.close()
            crowd.happened[f"not connected: {type(error).__name__}"] += 1
            self._again()
            return

    def _give_up(self) -> None:
        self._leave("no answer")

    def _again(self) -> None:
        if self.crowd.is_held:
            return
        longest = min(BACKOFF_SECONDS[0] * 2**self.tries, BACKOFF_SECONDS[1])
        self.tries += 1
        asyncio.get_running_loop().call_later(random.uniform(0, longest), self.connect)

    def connection_made(self, transport: Any) -> None:
        self.transport = transport
        self.rest = b""
        self.is_shaken = False
        self.watchdog = asyncio.get_running_loop().call_later(CONNECT_SECONDS, self._give_up)
        self.transport.write(frames.handshake(transport.get_extra_info("peername")[1]))

    def connection_lost(self, _: Exception | None) -> None:
        if self.transport is not None:
            self.crowd.happened["lost" if self.is_live else "lost before it was live"] += 1
        self.transport, self.is_live = None, False
        if self.watchdog is not None:
            self.watchdog.cancel()
        self._again()

    def data_received(self, data: bytes) -> None:
        crowd = self.crowd
        if self.rest:
            data = self.rest + data
        elif data == crowd.last_chunk and self.is_live:
            self._take(crowd.last_message)
            return
        at = 0
        if not self.is_shaken and (at := self._shake(data)) < 0:
            self.rest = data
            return
        start, size = at, len(data)
        while self.transport is not None and (found := frames.split(data, start)) is not None:
            opcode, payload, at = found
            if opcode == frames.TEXT:
                message = crowd.read(payload)
                if start == 0 and at == size and message.type == "event":
                    crowd.last_chunk, crowd.last_message = data, message
                self._take(message)
            else:
                self._control(opcode, payload)
            start = at
        self.rest = data[start:]

    def _shake(self, data: bytes) -> int:
        """Where the frames begin; -1 while the answer to the handshake is not whole."""
        end = data.find(b"\r\n\r\n")
        if end < 0:
            return -1
        self.is_shaken = True
        assert self.transport is not None
        if data.startswith(b"HTTP/1.1 101"):
            self.transport.write(self.crowd.init)
        else:
            self._leave(f"refused {data[9:12].decode()}")
        return end + 4

    def _take(self, message: frames.Message) -> None:
        if message.type == "event":
            self.numbers.append(message.number)
            self.arrived.append(time.time())
            self.cursor = message.cursor
            self.tries = 0
        elif message.type == "resync":
            self.announcements.append(len(self.numbers))
            self.cursor = message.cursor
        elif message.type == "connection_ack":
            self.is_live = True
            if self.watchdog is not None:
                self.watchdog.cancel()
            if self.transport is not None:
                self.transport.write(frames.subscribe(self.crowd.metro, self.cursor))
        elif message.type in ("errors", "error", "complete"):
            self._leave(f"{message.type} {message.detail}")

    def _leave(self, why: str) -> None:
        """The operation has ended: what else is under way on this socket is of no interest."""
        self.crowd.happened[why] += 1
        if self.transport is not None:
            self.transport.abort()
        self.transport, self.is_live = None, False

    def _control(self, opcode: int, payload: bytes) -> None:
        if self.transport is None:
            return
        if opcode == frames.PING:
            self.transport.write(frames.masked(frames.PONG, payload))
        elif opcode == frames.CLOSE:
            self.crowd.happened[f"closed {int.from_bytes(payload[:2])} {payload[2:].decode()}"] += 1
            self.transport.write(frames.masked(frames.CLOSE, payload[:2]))
            self.transport.close()


_running: set[asyncio.Task[None]] = set()


async def main() -> None:
    reader = await orders()
    crowd = Crowd(**json.loads(await reader.readline()))
    known = (crowd.begin, crowd.status, crowd.reached, crowd.hold, crowd.release, crowd.judge, crowd.latency)
    await obey(reader, {one.__name__: one for one in known})
    sys.stdout.flush()
    os._exit(0)  # thousands of sockets need no farewell


if __name__ == "__main__":
    uvloop.run(main())
