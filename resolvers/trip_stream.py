"""The stream that shows riders their trip: what changes, and by the minute what it costs."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator
from contextlib import aclosing
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from domain import accounts, errors, eventlog, running_prices, trips
from domain.trip_announcements import KIND
from domain.values import Money
from resolvers.ahead import Ahead
from resolvers.context import Ctx
from resolvers.streams import RETRY_SECONDS, Place, Resync

#: how long nobody looks at the clock, at most: it may be set
LOOK_SECONDS = 60.0


@dataclass(frozen=True, slots=True)
class Changed:
    event: eventlog.Event
    #: by now; None before it began
    price: Money | None


@dataclass(frozen=True, slots=True)
class Ticked:
    """Another minute has begun."""

    #: of the last event before: to go on behind it misses no change, and repeats none
    position: eventlog.Position
    trip_id: UUID
    at: datetime
    price: Money


@dataclass(frozen=True, slots=True)
class Sight:
    """A trip as it was read, all events up to the position included."""

    position: eventlog.Position
    trip: trips.Trip | None


Item = Changed | Ticked | Resync


async def follow_trips(ctx: Ctx, *, after: str | None) -> AsyncGenerator[Item, None]:
    """What changes in the trips of the rider who asks. Without `after` from what can be read now."""
    position = None if after is None else ctx.runtime.cursors.position(after)
    async with ctx.runtime.reading() as session:
        customer = await accounts.get_customer(session, ctx.who.account_id)
    shown = ctx.place or Place()
    follower = _Follower(ctx, customer.id, Ahead.of(shown))
    await follower.begin()
    return follower.items(position)


class _Follower:
    """Knows the open trip as of the last event, so that a price takes no more than the clock."""

    def __init__(self, ctx: Ctx, customer_id: UUID, ahead: Ahead) -> None:
        self._ctx = ctx
        self._customer_id = customer_id
        self._topic = eventlog.rider_topic(customer_id)
        self._ahead = ahead
        #: of the trip that was told of last
        self._sight: Sight | None = None
        #: the one that has begun and is not over
        self._open: trips.Trip | None = None
        #: when the price ticks next; None: nobody rides
        self._due: datetime | None = None

    async def begin(self) -> None:
        """Reads what no event will tell of; what is behind a cursor and no more, the log tells."""
        if not self._ahead.is_replay:
            self._see(await self._read(None))

    async def items(self, after: eventlog.Position | None) -> AsyncGenerator[Item, None]:
        feed, ahead = self._ctx.runtime.feed, self._ahead
        # From where the open trip was read: an event of since then is told, and nothing that it knows already.
        now = None if self._sight is None else self._sight.position
        events = feed.follow(self._topic, after or ahead.after or now, ahead)
        async with aclosing(events):
            coming = asyncio.ensure_future(anext(events, None))
            beginning = asyncio.ensure_future(ahead.begun.wait())
            try:
                await asyncio.wait({coming, beginning}, return_when=asyncio.FIRST_COMPLETED)
                while True:
                    await asyncio.wait({coming}, timeout=self._patience())
                    if not coming.done():
                        if (tick := self._tick()) is not None:
                            yield tick
                        continue
                    if (event := coming.result()) is None:
                        break
                    coming = asyncio.ensure_future(anext(events, None))
                    ahead.shown.position = event.position
                    if (item := await self._item(event)) is not None:
                        yield item
                ahead.shown.is_at_end = ahead.is_at_end
            finally:
                coming.cancel()
                beginning.cancel()
                await asyncio.gather(coming, beginning, return_exceptions=True)

    async def _item(self, event: eventlog.Event | Resync) -> Item | None:
        """None for what else a rider's topic tells."""
        if isinstance(event, Resync):
            self._ahead.shown.has_gap = True
            self._open = None
            self._see(await self._await_read(None))
            return event
        if event.kind != KIND:
            return None
        trip = await self._as_of(event, UUID(event.payload["tripId"]))
        return Changed(event, None if trip is None else running_prices.price_of(trip, self._ctx.runtime.clock.now()))

    async def _as_of(self, event: eventlog.Event, trip_id: UUID) -> trips.Trip | None:
        """Read once for all events that were there by then."""
        seen = self._sight
        if seen is None or seen.trip is None or seen.trip.id != trip_id or event.position > seen.position:
            seen = await self._await_read(trip_id)
            self._see(seen)
        return seen.trip

    def _see(self, sight: Sight) -> None:
        self._sight, trip = sight, sight.trip
        if self._ahead.is_replay or trip is None:
            return
        if trip.is_open:
            self._open = trip
        elif self._open is not None and self._open.id == trip.id:
            self._open = None
        self._plan()

    def _plan(self) -> None:
        started_at = None if self._open is None else self._open.started_at
        self._due = None
        if started_at is not None:
            self._due = running_prices.next_minute(started_at, self._ctx.runtime.clock.now())

    async def _read(self, trip_id: UUID | None) -> Sight:
        """That trip, or the open one. The position first: what is read after it has all events up to there."""
        async with self._ctx.runtime.reading() as session:
            position = await eventlog.current_position(session, self._topic)
            if trip_id is None:
                return Sight(position, await trips.find_open_trip(session, self._customer_id))
            try:
                return Sight(position, await trips.get_trip(session, self._ctx.who, trip_id))
            except errors.NotFound:
                return Sight(position, None)

    async def _await_read(self, trip_id: UUID | None) -> Sight:
        """A stream that has begun waits while the database is away."""
        pause = RETRY_SECONDS[0]
        while True:
            try:
                return await self._read(trip_id)
            except errors.OutOfReach:
                await asyncio.sleep(pause)
                pause = min(pause * 2, RETRY_SECONDS[1])

    def _patience(self) -> float | None:
        if self._due is None:
            return None
        return max(0.0, min((self._due - self._ctx.runtime.clock.now()).total_seconds(), LOOK_SECONDS))

    def _tick(self) -> Ticked | None:
        """None: the minute has not begun, by a clock that was set back or a timer that was early."""
        trip, due, now = self._open, self._due, self._ctx.runtime.clock.now()
        position = self._ahead.shown.position
        self._plan()
        if trip is None or trip.started_at is None or due is None or now < due or position is None:
            return None
        at = running_prices.this_minute(trip.started_at, now)
        price = running_prices.price_of(trip, at)
        return None if price is None else Ticked(position, trip.id, at, price)
