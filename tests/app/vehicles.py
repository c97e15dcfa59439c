"""A vehicle on the broker: it hears orders, does each once, and answers as it is told."""

from __future__ import annotations

import asyncio
import contextlib
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any
from uuid import UUID, uuid4

import aiomqtt
import orjson
from paho.mqtt.packettypes import PacketTypes
from paho.mqtt.properties import Properties

from app.gateways.mqtt import Address


class Vehicle:
    def __init__(self, address: Address, vehicle_id: UUID | None = None, *, prefix: str = "nimrod") -> None:
        self.id = vehicle_id or uuid4()
        self._address = address
        self._topic = f"{prefix}/vehicles/{self.id}"
        self._client: aiomqtt.Client | None = None
        #: by command, how often it was said
        self.heard = Counter[UUID]()
        #: what it did, each once
        self.done: list[str] = []
        self.orders: list[dict[str, Any]] = []
        #: it has heard the order, and does not answer before this is set
        self.may_answer = asyncio.Event()
        self.may_answer.set()
        #: of each answer
        self.copies = 1
        self.facts: dict[str, Any] = {"batteryPercent": 77}
        self.is_connected = asyncio.Event()

    async def drive(self) -> None:
        """Until cancelled. Comes back when the broker does."""
        properties = Properties(PacketTypes.CONNECT)  # type: ignore[no-untyped-call]
        properties.SessionExpiryInterval = 3600
        while True:
            given: dict[str, Any] = {"identifier": str(self.id), "protocol": aiomqtt.ProtocolVersion.V5}
            client = aiomqtt.Client(self._address.host, self._address.port, clean_start=False, properties=properties, **given)
            with contextlib.suppress(aiomqtt.MqttError):
                async with client:
                    await client.subscribe(f"{self._topic}/orders", qos=1)
                    self._client = client
                    self.is_connected.set()
                    async for message in client.messages:
                        await self._hear(orjson.loads(message.payload))
            self.is_connected.clear()
            await asyncio.sleep(0.05)

    async def _hear(self, order: dict[str, Any]) -> None:
        command_id = UUID(order["commandId"])
        self.orders.append(order)
        self.heard[command_id] += 1
        if self.heard[command_id] == 1:
            self.done.append(order["action"])
        await self.may_answer.wait()
        for _ in range(self.copies):
            await self.say("answers", {"commandId": str(command_id), "isDone": True, **self.facts})

    async def say(self, what: str, told: dict[str, Any] | bytes) -> None:
        await self.is_connected.wait()
        assert self._client is not None
        payload = told if isinstance(told, bytes) else orjson.dumps(told)
        await self._client.publish(f"{self._topic}/{what}", payload, qos=1, timeout=1)


@asynccontextmanager
async def driving(address: Address, vehicle_id: UUID | None = None) -> AsyncIterator[Vehicle]:
    vehicle = Vehicle(address, vehicle_id)
    moving = asyncio.create_task(vehicle.drive())
    async with asyncio.timeout(60):
        await vehicle.is_connected.wait()
    try:
        yield vehicle
    finally:
        moving.cancel()
        await asyncio.gather(moving, return_exceptions=True)
