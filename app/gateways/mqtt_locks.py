"""MQTT locks: orders to vehicles and what they say, over a broker.

Each process publishes and hears statuses on a line of its own, where processes share the statuses. Answers come to whoever
is on duty, on a line whose session the broker keeps, so that none is lost while processes come and go.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncGenerator, Awaitable, Callable
from math import ceil
from typing import TypeVar
from uuid import UUID, uuid4

from app.gateways import lock_messages
from app.gateways.mqtt import Address, Delivered, Line
from domain import ports
from domain.ports import LockAnswer, LockOrder, VehicleStatus

logger = logging.getLogger(__name__)
Said = TypeVar("Said")
#: runs what it is given while this process is the one on duty
Duty = Callable[[Callable[[], Awaitable[None]]], Awaitable[None]]


async def always_on_duty(act: Callable[[], Awaitable[None]]) -> None:
    await act()


class MqttLocks:
    def __init__(self, address: Address, clock: ports.Clock, *, prefix: str = "nimrod", duty: Duty = always_on_duty) -> None:
        self._clock = clock
        self._prefix = prefix
        self._duty = duty
        name = prefix.replace("/", "-")
        self._own = Line(address, f"{name}-{uuid4().hex}", [f"$share/{name}/{self._topic('+', 'status')}"], keeps_session=False)
        self._answers = Line(address, f"{name}-answers", [self._topic("+", "answers")], keeps_session=True)

    def _topic(self, vehicle: str, what: str) -> str:
        return f"{self._prefix}/vehicles/{vehicle}/{what}"

    @property
    def is_connected(self) -> bool:
        """Orders go out, and answers come in."""
        return self._own.is_connected and self._answers.is_connected

    async def send(self, order: LockOrder) -> None:
        seconds = max(1, ceil((order.expires_at - self._clock.now()).total_seconds()))
        topic = self._topic(str(order.vehicle_id), "orders")
        await self._own.publish(topic, lock_messages.order(order), expires_in_seconds=seconds)

    async def answers(self) -> AsyncGenerator[LockAnswer, None]:
        keeping = asyncio.create_task(self._keep_on_duty(), name="lock answers")
        try:
            while True:
                delivered = await self._answers.inbox.get()
                if (answer := self._parsed(delivered, lock_messages.parse_answer)) is not None:
                    yield answer
                delivered.acknowledge()
        finally:
            keeping.cancel()
            await asyncio.gather(keeping, return_exceptions=True)

    async def statuses(self) -> AsyncGenerator[VehicleStatus, None]:
        """Orders go out while somebody asks for these."""
        keeping = asyncio.create_task(self._own.run(), name="vehicle statuses")
        try:
            while True:
                delivered = await self._own.inbox.get()
                if (status := self._parsed(delivered, lock_messages.parse_status)) is not None:
                    yield status
                delivered.acknowledge()
        finally:
            keeping.cancel()
            await asyncio.gather(keeping, return_exceptions=True)

    async def _keep_on_duty(self) -> None:
        while True:
            try:
                await self._duty(self._answers.run)
            except Exception as error:  # the database is away: nobody can be on duty, and nothing be recorded
                logger.warning("nobody knows who is on duty", extra={"error": repr(error)})
                await asyncio.sleep(1)

    def _parsed(self, delivered: Delivered, parse: Callable[[UUID, bytes], Said]) -> Said | None:
        """None: what was said means nothing, whoever said it."""
        try:
            return parse(UUID(delivered.topic.split("/")[-2]), delivered.payload)
        except ValueError as error:
            reason = str(error).partition("\n")[0]
            logger.warning("a vehicle said what nobody understands", extra={"topic": delivered.topic, "error": reason})
            return None
