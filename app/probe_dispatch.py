"""The probe's dispatch: the event that other servers are measured by, over the event log and over memory alone."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncGenerator
from contextlib import aclosing
from enum import Enum

import strawberry

from domain import errors, eventlog
from resolvers.context import Ctx
from resolvers.streams import Resync
from schema import access, sharing

TOPIC = "probe:dispatch"
KIND = "probe.dispatched"
#: events that wait for one execution of the stream in memory; beyond, who publishes waits
QUEUE_LIMIT = 1000
Info = strawberry.Info[Ctx, None]


@strawberry.enum(name="ProbeVehicleKind", description="Kind of vehicle, as the other servers have it.")
class Kind(Enum):
    SCOOTER = "SCOOTER"
    BIKE = "BIKE"
    CAR = "CAR"
    VAN = "VAN"


@strawberry.enum(name="ProbeVehicleState", description="State of a vehicle, as the other servers have it.")
class State(Enum):
    AVAILABLE = "AVAILABLE"
    RESERVED = "RESERVED"
    IN_USE = "IN_USE"
    MAINTENANCE = "MAINTENANCE"


@strawberry.input(description="What a vehicle does now.")
class ProbeDispatchInput:
    seq: int = strawberry.field(description="Number of the event.")
    vehicle_id: strawberry.ID = strawberry.field(description="Any id.")
    kind: Kind = strawberry.field(description="What it is.")
    state: State = strawberry.field(description="What it is doing.")
    battery_percent: int = strawberry.field(description="Charge, 0 to 100.")
    lat: float = strawberry.field(description="Degrees north.")
    lon: float = strawberry.field(description="Degrees east.")
    plate: str = strawberry.field(description="What is written on it.")


@strawberry.type(description="What a vehicle does now.")
class ProbeDispatch:
    cursor: str | None = strawberry.field(description="Where the stream goes on from; null without a log.")
    seq: int = strawberry.field(description="Number of the event.")
    vehicle_id: strawberry.ID = strawberry.field(description="Any id.")
    kind: Kind = strawberry.field(description="What it is.")
    state: State = strawberry.field(description="What it is doing.")
    battery_percent: int = strawberry.field(description="Charge, 0 to 100.")
    lat: float = strawberry.field(description="Degrees north.")
    lon: float = strawberry.field(description="Degrees east.")
    plate: str = strawberry.field(description="What is written on it.")

    @classmethod
    def of(cls, ctx: Ctx, event: eventlog.Event) -> ProbeDispatch:
        given = event.payload
        return cls(
            cursor=ctx.runtime.cursors.of_position(event.position),
            seq=given["seq"],
            vehicle_id=given["vehicleId"],
            kind=Kind(given["kind"]),
            state=State(given["state"]),
            battery_percent=given["batteryPercent"],
            lat=given["lat"],
            lon=given["lon"],
            plate=given["plate"],
        )


class Hub:
    """Those who follow in this process, each with a bounded queue."""

    def __init__(self) -> None:
        self._queues: set[asyncio.Queue[ProbeDispatch]] = set()

    async def publish(self, event: ProbeDispatch) -> None:
        for queue in list(self._queues):
            await queue.put(event)

    async def follow(self) -> AsyncGenerator[ProbeDispatch, None]:
        queue: asyncio.Queue[ProbeDispatch] = asyncio.Queue(QUEUE_LIMIT)
        self._queues.add(queue)
        try:
            while True:
                yield await queue.get()
        finally:
            self._queues.discard(queue)
            # Who waits for room in a queue that nobody empties would wait for ever.
            while not queue.empty():
                queue.get_nowait()


hub = Hub()


@strawberry.type(description="Dispatch that can be published.")
class DispatchMutation:
    """Both answer when it was done, in seconds of the machine's monotonic clock, which its other processes share."""

    @access.mutation(access.PUBLIC, "Writes the event to the log.")
    async def publish_durable(self, info: Info, input: ProbeDispatchInput) -> float:
        payload = {
            "seq": input.seq,
            "vehicleId": input.vehicle_id,
            "kind": input.kind.value,
            "state": input.state.value,
            "batteryPercent": input.battery_percent,
            "lat": input.lat,
            "lon": input.lon,
            "plate": input.plate,
        }
        async with info.context.runtime.transaction() as session:
            await eventlog.append(session, TOPIC, KIND, payload)
        return time.monotonic()

    @access.mutation(access.PUBLIC, "Gives the event to those who follow in this process.")
    async def publish_memory(self, input: ProbeDispatchInput) -> float:
        await hub.publish(ProbeDispatch(cursor=None, **vars(input)))
        return time.monotonic()


@strawberry.type(description="Dispatch that can be followed.")
class DispatchSubscription:
    @access.subscription(access.PUBLIC, "What was written to the log, from `after` or from now on.", per=sharing.Per.SCOPE)
    async def durable_dispatch(self, info: Info, after: str | None = None) -> AsyncGenerator[ProbeDispatch, None]:
        ctx = info.context
        position = None if after is None else ctx.runtime.cursors.position(after)
        events = ctx.runtime.feed.follow(TOPIC, position, ctx.place)
        async with aclosing(events):
            async for event in events:
                if isinstance(event, Resync):
                    raise errors.OutOfReach("The history of the probe is gone. Begin anew.")
                yield ProbeDispatch.of(ctx, event)

    @access.subscription(
        access.PUBLIC, "What is published in this process, from now on.", per=sharing.Per.SCOPE, slow=sharing.Slow.CUT_OFF
    )
    async def memory_dispatch(self, info: Info) -> AsyncGenerator[ProbeDispatch, None]:
        events = hub.follow()
        if info.context.place is not None:
            # No position: there is no log to read again, who is too slow is told so.
            info.context.place.begun.set()
        async with aclosing(events):
            async for event in events:
                yield event
