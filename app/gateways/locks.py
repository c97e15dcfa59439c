"""Locks: a simulator of vehicles that answer late, twice, wrongly or never, as they are told; and none at all."""

from __future__ import annotations

import asyncio
import hashlib
import logging
from collections import Counter, OrderedDict
from collections.abc import AsyncGenerator
from dataclasses import dataclass, replace
from typing import Any
from uuid import UUID

from domain import errors, ports
from domain.ports import LockAnswer, LockOrder, VehicleStatus

logger = logging.getLogger(__name__)
#: what a simulator remembers and has waiting at most; it forgets or loses what is older
KEPT = 10_000


@dataclass(frozen=True, slots=True)
class Faults:
    """Shares of the orders, from 0 to 1. The same seed and the same orders go wrong alike."""

    #: the lock says that it cannot
    failing: float = 0.0
    #: of each time that an order is said: nobody hears the answer
    lost: float = 0.0
    doubled: float = 0.0
    late: float = 0.0
    late_seconds: float = 60.0
    seed: int = 0

    def befalls(self, share: float, *of: object) -> bool:
        digest = hashlib.sha256(repr((self.seed, *map(str, of))).encode()).digest()
        return int.from_bytes(digest[:8]) < share * 2**64


class SimulatedLocks:
    """Vehicles in this process. Those with `answers_alone` False say only what they are made to, without any waiting."""

    def __init__(
        self,
        clock: ports.Clock,
        *,
        latency_seconds: float = 0.15,
        faults: Faults = Faults(),
        answers_alone: bool = True,
    ) -> None:
        self._clock = clock
        self._latency_seconds = latency_seconds
        self._faults = faults
        self._answers_alone = answers_alone
        self._answers: asyncio.Queue[LockAnswer] = asyncio.Queue(KEPT)
        self._statuses: asyncio.Queue[VehicleStatus] = asyncio.Queue(KEPT)
        self._times = Counter[UUID]()
        #: orders that were heard, the latest last
        self.heard: OrderedDict[UUID, LockOrder] = OrderedDict()
        #: False: nobody can be reached
        self.is_reachable = True
        #: cars and vans that are not at the cable
        self.unplugged: set[UUID] = set()

    async def send(self, order: LockOrder) -> None:
        if not self.is_reachable:
            raise errors.OutOfReach("The vehicles are out of reach.")
        self._times[order.command_id] += 1
        self.heard[order.command_id] = order
        self.heard.move_to_end(order.command_id)
        while len(self.heard) > KEPT:
            forgotten, _ = self.heard.popitem(last=False)
            del self._times[forgotten]
        if self._answers_alone and order.expires_at > self._clock.now():
            self._answer_alone(order)

    def _answer_alone(self, order: LockOrder) -> None:
        faults, which = self._faults, order.command_id
        times = self._times[which]
        if faults.befalls(faults.lost, "lost", which, times):
            return
        is_failing = faults.befalls(faults.failing, "failing", which)
        answer = self._answer(order, is_done=not is_failing, failure="jammed" if is_failing else None)
        seconds = self._latency_seconds + faults.befalls(faults.late, "late", which) * faults.late_seconds
        for _ in range(2 if faults.befalls(faults.doubled, "doubled", which) else 1):
            if seconds:
                asyncio.get_running_loop().call_later(seconds, self._say, answer)
            else:
                self._say(answer)

    def answer(self, command_id: UUID, *, is_done: bool = True, failure: str | None = None, **facts: Any) -> LockAnswer:
        """The vehicle answers now, again if it did before. It has to have heard of it. `facts`: of `LockAnswer`."""
        answer = replace(self._answer(self.heard[command_id], is_done=is_done, failure=failure), **facts)
        self._say(answer)
        return answer

    def lose(self, command_id: UUID) -> LockOrder:
        """As if the order had never been heard."""
        return self.heard.pop(command_id)

    def report(self, status: VehicleStatus) -> None:
        """A vehicle tells of itself."""
        self._statuses.put_nowait(status)

    def _answer(self, order: LockOrder, *, is_done: bool, failure: str | None) -> LockAnswer:
        is_plugged_in = order.vehicle_id not in self.unplugged if order.action == "lock" else None
        return LockAnswer(order.command_id, order.vehicle_id, is_done, failure, is_plugged_in=is_plugged_in)

    def _say(self, answer: LockAnswer) -> None:
        if self._answers.full():
            logger.warning("a simulated answer is lost: nobody listens")
            return
        self._answers.put_nowait(answer)

    async def answers(self) -> AsyncGenerator[LockAnswer, None]:
        while True:
            yield await self._answers.get()

    async def statuses(self) -> AsyncGenerator[VehicleStatus, None]:
        while True:
            yield await self._statuses.get()


class NoLocks:
    """In production without a broker: nobody hears, so nothing is unlocked, and nothing charged."""

    async def send(self, order: LockOrder) -> None:
        del order
        raise errors.OutOfReach("No broker is set up: NIMROD_LOCK_URL.")

    async def answers(self) -> AsyncGenerator[LockAnswer, None]:
        await asyncio.Event().wait()
        yield  # type: ignore[misc]  # never: this makes it a generator

    async def statuses(self) -> AsyncGenerator[VehicleStatus, None]:
        await asyncio.Event().wait()
        yield  # type: ignore[misc]  # never: this makes it a generator
