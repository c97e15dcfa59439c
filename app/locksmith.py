"""The locksmith: says to locks what was ordered, keeps what they answer and what vehicles tell of themselves.

It takes no job of the worker and no transaction while it waits: vehicles that cannot be reached hold up nothing else.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import Awaitable, Callable
from functools import partial

from app.database import SessionFactory
from app.duties import Duty
from app.gateways.locks import NoLocks, SimulatedLocks
from app.gateways.mqtt import Address
from app.gateways.mqtt_locks import MqttLocks
from app.settings import Namespaces, Settings
from domain import errors, locks, ports, telemetry
from domain.ports import LockAnswer, LockGateway, LockOrder, VehicleStatus
from resolvers import transactions

logger = logging.getLogger(__name__)

#: orders that are under way at a time, in one process
CONCURRENT = 32
#: statuses that are recorded at a time
CONCURRENT_STATUSES = 4
#: how often orders are looked for although no bell rang
POLL_SECONDS = 1.0
SEND_SECONDS = 10.0
#: pauses before what a lock said is recorded again, while the database is away as long as it takes
RECORD_PAUSES = (0.2, 5.0)
#: times that are tried what the database refuses
RECORD_TRIES = 3


def lock_gateway(settings: Settings, clock: ports.Clock, conninfo: str) -> LockGateway:
    if settings.lock_url is not None:
        address = Address.parse(settings.lock_url, settings.lock_certificates)
        duty = Duty(conninfo, f"lock answers of {settings.lock_topic}")
        return MqttLocks(address, clock, prefix=settings.lock_topic, duty=duty)
    if settings.is_production:
        if settings.namespaces is not Namespaces.OPS:
            logger.warning("NIMROD_LOCK_URL is not set: no vehicle can be unlocked")
        return NoLocks()
    return SimulatedLocks(clock)


class Locksmith:
    def __init__(self, sessions: SessionFactory, clock: ports.Clock, gateway: LockGateway) -> None:
        self._sessions = sessions
        self._clock = clock
        self._gateway = gateway
        self._bell = asyncio.Event()

    def ring(self) -> None:
        """Something was ordered."""
        self._bell.set()

    def parts(self) -> tuple[tuple[Callable[[], Awaitable[None]], str], ...]:
        """What runs side by side, each until cancelled."""
        return (self.run, "lock orders"), (self.listen, "lock answers"), (self.follow_vehicles, "vehicle statuses")

    async def run(self) -> None:
        """Sends what is due, until cancelled."""
        while True:
            self._bell.clear()
            if await self.send_due():
                continue
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(POLL_SECONDS):
                    await self._bell.wait()

    async def send_due(self) -> int:
        """One round; how many orders were due."""
        async with self._sessions.begin() as session:
            orders = await locks.claim_commands(session, now=self._clock.now(), limit=CONCURRENT)
        await asyncio.gather(*map(self._send, orders))
        return len(orders)

    async def _send(self, order: LockOrder) -> None:
        """Nothing is to be written when it fails: the order is due again as long as nobody has answered."""
        try:
            async with asyncio.timeout(SEND_SECONDS):
                await self._gateway.send(order)
        except (errors.OutOfReach, TimeoutError):
            logger.warning("a lock is out of reach", extra={"command": str(order.command_id)})
        except Exception as error:  # whatever a library throws: the others go on, this one is tried again
            logger.warning("an order could not be sent", extra={"command": str(order.command_id), "error": repr(error)})

    async def listen(self) -> None:
        """Records answers in the order of their coming, until cancelled: none is acknowledged before it is written."""
        async with contextlib.aclosing(self._gateway.answers()) as answers:
            async for answer in answers:
                await self.record(answer)

    async def record(self, answer: LockAnswer) -> None:
        await self._record(partial(locks.record_answer, answer=answer), f"answer to {answer.command_id}", is_patient=True)

    async def follow_vehicles(self) -> None:
        """Records what vehicles tell of themselves, until cancelled. While the database is away they are lost."""
        free = asyncio.Semaphore(CONCURRENT_STATUSES)
        async with asyncio.TaskGroup() as group, contextlib.aclosing(self._gateway.statuses()) as statuses:
            async for status in statuses:
                await free.acquire()
                group.create_task(self._record_status(status)).add_done_callback(lambda _: free.release())

    async def _record_status(self, status: VehicleStatus) -> None:
        await self._record(partial(telemetry.record_status, status=status), f"status of {status.vehicle_id}", is_patient=False)

    async def _record(self, write: Callable[..., Awaitable[object]], what: str, *, is_patient: bool) -> None:
        """In a transaction of its own, again while the database is away if `is_patient`. What it refuses is given up after some
        tries: whatever comes next must not wait for it."""
        refusals, pause = 0, RECORD_PAUSES[0]
        while True:
            try:
                await self._write(write)
                return
            except errors.OutOfReach:
                logger.warning("the database is away", extra={"waits": what})
                if not is_patient:
                    await asyncio.sleep(pause)
                    return
            except Exception as error:
                refusals += 1
                if refusals == RECORD_TRIES or isinstance(error, errors.DomainError):
                    logger.warning("what a vehicle said cannot be recorded", extra={"what": what, "error": repr(error)})
                    return
            await asyncio.sleep(pause)
            pause = min(pause * 2, RECORD_PAUSES[1])

    async def _write(self, write: Callable[..., Awaitable[object]]) -> None:
        async with transactions.transaction(self._sessions) as session:
            await write(session, now=self._clock.now())
