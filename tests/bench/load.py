"""Load: a server with subscribers and a publisher, driven event by event or by the clock."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from uuid import uuid4

from app.auth import AccessTokens
from app.gateways.clock import SystemClock
from domain.actor import Actor, Audience, Role
from tests.bench import rows, servers
from tests.bench.publisher import Publisher
from tests.bench.subscribers import Subscriber, Tally, subscribe

PROBE = "/probe"
EVENT = {
    "vehicleId": "0190b0c0-0000-7000-8000-000000000001",
    "kind": "SCOOTER",
    "state": "AVAILABLE",
    "batteryPercent": 77,
    "lat": 52.5163,
    "lon": 13.3777,
    "plate": "B-MX 0042",
}
#: how often each subscriber reads, where it does so by the clock; a part of them at a time
SWEEP_SECONDS = 0.04
SWEEPS = 8
#: until sockets, caches and lookups are as they stay
WARM_SECONDS = 1.0


def token() -> str:
    who = Actor(Audience.OPS, rows.STAFF, Role.DISPATCHER, session_id=rows.STAFF)
    return AccessTokens(servers.SIGNING_KEY.encode(), SystemClock(), minutes=24 * 60).access_token(who)[0]


@dataclass(frozen=True)
class Usage:
    """What a stretch of load took."""

    seconds: float
    events: int
    deliveries: int
    server_seconds: float

    @property
    def per_delivery(self) -> float:
        """Microseconds of the server's CPU."""
        return self.server_seconds / max(1, self.deliveries) * 1e6

    @property
    def per_event(self) -> float:
        """Milliseconds of the server's CPU."""
        return self.server_seconds / max(1, self.events) * 1e3


@dataclass
class Load:
    server: servers.Server
    tally: Tally
    subscribers: list[Subscriber]
    publisher: Publisher
    seq: int = 0
    #: instant at which the server had done each event, by number
    done: dict[int, float] = field(default_factory=dict)

    async def publish(self) -> None:
        self.seq += 1
        seq = self.seq
        (done,) = (await self.publisher.publish(input={**EVENT, "seq": seq})).values()
        self.done[seq] = done

    async def step(self) -> None:
        """One event, until everybody has it and it is answered."""
        wanted = self.tally.deliveries + len(self.subscribers)
        await asyncio.gather(self.publish(), self.tally.reach(wanted))

    async def begin(self) -> None:
        """Publishes until every subscriber has had something: only then is each known to follow."""
        async with asyncio.timeout(60):
            while any(one.seq < self.seq or not one.seq for one in self.subscribers):
                await self.publish()
                await asyncio.sleep(0.2)

    async def one_by_one(self, seconds: float) -> Usage:
        """The next event when everybody has the last one, as the peers are measured."""
        return await self._measured(seconds, self._steps)

    @asynccontextmanager
    async def sweeping(self) -> AsyncIterator[None]:
        """Subscribers read what has come some times a second, instead of at once: a reader in Python would otherwise be
        what limits the server."""
        for one in self.subscribers:
            one.read_when_told()
        sweeper = asyncio.create_task(self._sweep())
        try:
            yield
        finally:
            sweeper.cancel()

    async def _sweep(self) -> None:
        while True:
            for part in range(SWEEPS):
                for one in self.subscribers[part::SWEEPS]:
                    one.read_now()
                await asyncio.sleep(SWEEP_SECONDS / SWEEPS)

    async def evenly(self, seconds: float, per_second: float) -> Usage:
        """Events by the clock, whatever becomes of those before."""

        async def run(seconds: float) -> None:
            waiting, begun = set(), time.monotonic()
            wanted = self.tally.deliveries
            for n in range(int(seconds * per_second)):
                await asyncio.sleep(max(0.0, begun + n / per_second - time.monotonic()))
                waiting.add(asyncio.create_task(self.publish()))
                wanted += len(self.subscribers)
            await asyncio.gather(*waiting)
            await self.tally.reach(wanted)

        return await self._measured(seconds, run)

    async def _steps(self, seconds: float) -> None:
        until = time.monotonic() + seconds
        while time.monotonic() < until:
            await self.step()

    async def _measured(self, seconds: float, run: Callable[[float], Awaitable[None]]) -> Usage:
        await run(WARM_SECONDS)
        events, deliveries = self.seq, self.tally.deliveries
        cpu, begun = self.server.cpu_seconds(), time.monotonic()
        self.tally.arrivals, self.done = [], {}
        await run(seconds)
        used, elapsed = self.server.cpu_seconds() - cpu, time.monotonic() - begun
        self._check(deliveries, events)
        return Usage(elapsed, self.seq - events, self.tally.deliveries - deliveries, used)

    def _check(self, deliveries: int, events: int) -> None:
        expected = (self.seq - events) * len(self.subscribers)
        if self.tally.faults or self.tally.deliveries - deliveries != expected:
            found = self.tally.deliveries - deliveries
            raise RuntimeError(f"{found} of {expected} deliveries came; {self.tally.faults[:3]}")

    def close(self) -> None:
        for one in self.subscribers:
            one.transport.abort()
        self.publisher.transport.abort()

    def latencies(self) -> list[float]:
        """Milliseconds from the instant that the server named to each delivery."""
        arrivals = self.tally.arrivals or ()
        return sorted((at - self.done[seq]) * 1e3 for numbers, at in arrivals for seq in numbers if seq in self.done)


def quantile(ordered: Sequence[float], part: float) -> float:
    return ordered[min(len(ordered) - 1, int(len(ordered) * part))]


@asynccontextmanager
async def following(server: servers.Server, mode: str, count: int, *, distinct: bool = False) -> AsyncIterator[Load]:
    """`count` subscribers of the probe's `durable` or `memory` dispatch, each known to follow."""
    load = await idling(server, mode, count, distinct=distinct)
    try:
        await load.begin()
        yield load
    finally:
        load.close()


async def idling(server: servers.Server, mode: str, count: int, *, distinct: bool = False) -> Load:
    own, tally = token(), Tally()
    follow = f"subscription {{ {mode}Dispatch {{ seq vehicleId kind state batteryPct: batteryPercent lat lon plate }} }}"
    publish = f"mutation ($input: ProbeDispatchInput!) {{ publish{mode.capitalize()}(input: $input) }}"
    ids = [str(uuid4()) if distinct else "1" for _ in range(count)]
    subscribers = await subscribe(tally, servers.PORT, PROBE, own, follow, ids)
    return Load(server, tally, subscribers, await Publisher.open(servers.PORT, PROBE, own, publish))
