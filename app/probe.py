"""The probe: a small schema on which the checks of the transports run, served beside the real one for them alone."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncGenerator, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Annotated

import strawberry

from app import probe_dispatch
from resolvers.context import Ctx
from schema import access, errors, limits
from schema.build import NimrodSchema

PATH = "/probe"
TICK_SECONDS = 0.02
Info = strawberry.Info[Ctx, None]


@dataclass(slots=True)
class Bench:
    """What the fields of one process's probe share."""

    counter: int = 0
    running: int = 0
    started: float = field(default_factory=time.monotonic)

    @contextmanager
    def generator(self) -> Iterator[None]:
        self.running += 1
        try:
            yield
        finally:
            self.running -= 1


bench = Bench()
Seconds = Annotated[float, strawberry.argument(description="Seconds, 10 at most.")]
EveryMs = Annotated[int, strawberry.argument(description="Milliseconds between two events.")]


@strawberry.type(description="An event of a stream that resumes.")
class ProbeEvent:
    cursor: str = strawberry.field(description="Where the stream goes on from.")
    sequence: int = strawberry.field(description="Grows by one from event to event.")


@strawberry.type(name="Query", description="What can be asked.")
class ProbeQuery:
    @access.query(access.PUBLIC, "A greeting.")
    async def hello(self) -> str:
        return "hello"

    @access.query(access.PUBLIC, "A greeting that takes its time.")
    async def slow(self, seconds: Seconds = 2.0) -> str:
        await asyncio.sleep(min(seconds, 10.0))
        return "hello at last"

    @access.query(access.PUBLIC, "Fails with something that must not leave the server.")
    async def broken(self) -> str | None:
        raise RuntimeError("postgresql://user:secret@internal/database is no business of yours")

    @access.query((*access.RIDERS, *access.STAFF), "For those who are signed in.")
    async def secret(self) -> str:
        return "you are signed in"

    @access.query(access.PUBLIC, "How often `bump` was run.")
    async def counter(self) -> int:
        return bench.counter

    @access.query(access.PUBLIC, "Streams of this process that are being produced right now.")
    async def active_generators(self) -> int:
        return bench.running


@strawberry.type(name="Mutation", description="What can be done.")
class ProbeMutation(probe_dispatch.DispatchMutation):
    @access.mutation(access.PUBLIC, "Counts one up.")
    async def bump(self) -> int:
        bench.counter += 1
        return bench.counter


@strawberry.type(name="Subscription", description="What can be followed.")
class ProbeSubscription(probe_dispatch.DispatchSubscription):
    @access.subscription(access.PUBLIC, "Numbers up to `to`, then the end.")
    async def count(self, to: int = 3, every_ms: EveryMs = 5) -> AsyncGenerator[int, None]:
        with bench.generator():
            for number in range(to):
                yield number
                await asyncio.sleep(every_ms / 1000)

    @access.subscription(access.PUBLIC, "Numbers without end.")
    async def ticks(self, every_ms: EveryMs = 20) -> AsyncGenerator[int, None]:
        with bench.generator():
            number = 0
            while True:
                yield number
                number += 1
                await asyncio.sleep(every_ms / 1000)

    @access.subscription(access.PUBLIC, "Texts of `size` letters as fast as they go out.")
    async def flood(self, events: int = 1000, size: int = 1000) -> AsyncGenerator[str, None]:
        with bench.generator():
            for number in range(events):
                yield f"{number}:{'x' * size}"

    @access.subscription(
        access.PUBLIC, "One event per tick since the server started; behind `after`, what was missed comes first."
    )
    async def numbered(self, info: Info, after: str | None = None) -> AsyncGenerator[ProbeEvent, None]:
        cursors = info.context.runtime.cursors
        sequence = _ticks() if after is None else int.from_bytes(cursors.key(after))
        with bench.generator():
            while True:
                while sequence < _ticks():
                    sequence += 1
                    yield ProbeEvent(cursor=cursors.of_key(sequence.to_bytes(8)), sequence=sequence)
                await asyncio.sleep(TICK_SECONDS)


def _ticks() -> int:
    return int((time.monotonic() - bench.started) / TICK_SECONDS)


def build(allowed: limits.Limits) -> NimrodSchema:
    schema = NimrodSchema(
        query=ProbeQuery, mutation=ProbeMutation, subscription=ProbeSubscription, exception_handlers=errors.handlers()
    )
    schema.open_documents(allowed, introspection=True)
    return schema
