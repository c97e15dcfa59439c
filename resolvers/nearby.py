"""The stream that shows riders what changes among the vehicles they may take in a box: merged, at a bounded rate."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator
from contextlib import aclosing
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from domain import eventlog, ids, metros
from domain.values import Box, VehicleState
from resolvers import areas
from resolvers.ahead import Ahead
from resolvers.context import Ctx
from resolvers.streams import Place, Resync

MAX_BOX_DEGREES = 0.2
#: between two batches, at least
SECONDS = 1.0
#: vehicles that a batch tells of, at most; what comes beyond waits for the next
MAX_VEHICLES = 500
#: events that a batch is made of, at most
MAX_EVENTS = 5_000


@dataclass(frozen=True, slots=True)
class Sight:
    """What an event means to those who look at a box."""

    event: eventlog.Event
    was_there: bool
    is_there: bool


@dataclass(frozen=True, slots=True)
class Change:
    """The latest of a vehicle."""

    #: of `vehicle.changed`
    payload: dict[str, Any]
    was_there: bool
    is_there: bool


@dataclass(slots=True)
class Batch:
    """What changed since the batch before, the latest of each vehicle, by published id."""

    #: of the last event in it
    position: eventlog.Position
    at: datetime
    changes: dict[str, Change] = field(default_factory=dict)
    events: int = 0

    def add(self, sight: Sight) -> None:
        payload = sight.event.payload
        known = self.changes.pop(payload["publishedVehicleId"], None)
        # What came and went in between is told of as gone: who goes on from the middle of this batch has seen it.
        was_there = sight.was_there if known is None else known.was_there
        self.changes[payload["publishedVehicleId"]] = Change(payload, was_there, sight.is_there)
        self.events += 1
        self.position, self.at = sight.event.position, sight.event.at

    @property
    def is_full(self) -> bool:
        return len(self.changes) >= MAX_VEHICLES or self.events >= MAX_EVENTS


async def follow_vehicles_nearby(ctx: Ctx, *, metro_id: str, box: Box, after: str | None) -> AsyncGenerator[Batch | Resync, None]:
    position = None if after is None else ctx.runtime.cursors.position(after)
    areas.check_box(box, "box", max_degrees=MAX_BOX_DEGREES)
    wanted = ids.decode(metro_id, ids.METRO, path="metroId")
    async with ctx.runtime.reading() as session:
        metro = await metros.get_metro(session, wanted)
    shown = ctx.place or Place()
    ahead = Ahead.of(shown)
    return _batches(ctx.runtime.feed.follow(eventlog.dispatch_topic(metro.id), position, ahead), box, ahead)


async def _sights(items: AsyncGenerator[eventlog.Event | Resync, None], box: Box) -> AsyncGenerator[Sight | Resync, None]:
    """What of a metro's events concerns the box; the rest ends here."""
    async for item in items:
        if isinstance(item, Resync):
            yield item
        elif item.kind == "vehicle.changed" and (sight := _sight(item, box)) is not None:
            yield sight


def _sight(event: eventlog.Event, box: Box) -> Sight | None:
    payload = event.payload
    if "publishedVehicleId" not in payload:  # written before riders were shown it
        return None
    was_there = payload["wasState"] == VehicleState.AVAILABLE and _holds(box, payload["wasLat"], payload["wasLon"])
    is_there = payload["state"] == VehicleState.AVAILABLE and _holds(box, payload["lat"], payload["lon"])
    return Sight(event, was_there, is_there) if was_there or is_there else None


def _holds(box: Box, lat: float, lon: float) -> bool:
    return box.south <= lat <= box.north and box.west <= lon <= box.east


async def _batches(
    items: AsyncGenerator[eventlog.Event | Resync, None], box: Box, ahead: Ahead
) -> AsyncGenerator[Batch | Resync, None]:
    """The first change after a silence at once, those that follow merged until the time of the next batch."""
    loop, sights = asyncio.get_running_loop(), _sights(items, box)
    due = loop.time()
    async with aclosing(items), aclosing(sights):
        coming = asyncio.ensure_future(anext(sights, None))
        try:
            while (item := await coming) is not None:
                coming = asyncio.ensure_future(anext(sights, None))
                if isinstance(item, Resync):
                    ahead.shown.has_gap, ahead.shown.position = True, item.position
                    yield item
                    continue
                batch = Batch(item.event.position, item.event.at)
                batch.add(item)
                while not batch.is_full and isinstance(sight := await _within(coming, due - loop.time()), Sight):
                    batch.add(sight)
                    coming = asyncio.ensure_future(anext(sights, None))
                await asyncio.sleep(due - loop.time())
                due = loop.time() + SECONDS
                # Not where the log is read by now: who resumes goes on behind what is in this batch.
                ahead.shown.position = batch.position
                yield batch
            ahead.shown.is_at_end = ahead.is_at_end
        finally:
            coming.cancel()
            await asyncio.gather(coming, return_exceptions=True)


async def _within(coming: asyncio.Future[Sight | Resync | None], seconds: float) -> Sight | Resync | None:
    """What has come by then, still to be taken when it is no sight; None: nothing, or a fault that is to be met later."""
    done, _ = await asyncio.wait({coming}, timeout=max(0.0, seconds))
    return coming.result() if done and not coming.cancelled() and coming.exception() is None else None
