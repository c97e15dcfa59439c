"""Follower: one subscription of a shared stream, from where its client is to where the stream is, and along with it."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Sequence
from contextlib import aclosing, suppress
from typing import TYPE_CHECKING, Any, Protocol

from graphql import GraphQLError
from strawberry.http.exceptions import WebSocketDisconnected
from strawberry.types.execution import PreExecutionError

from app.fanout import results
from app.fanout.broadcast import Item
from app.fanout.payloads import payload_of
from domain import eventlog
from resolvers.context import Ctx
from resolvers.streams import Place
from schema.sharing import Slow

if TYPE_CHECKING:
    from app.fanout.streams import SharedStream

#: events that wait for one follower; beyond it reads the log by itself
QUEUE_LIMIT = 1000


class TooSlow(Exception):
    """It has missed events that the stream does not bring again."""


class Outlet(Protocol):
    """Where the events of a follower go."""

    async def ready(self) -> None:
        """Waits until the peer takes something. Raises WebSocketDisconnected."""

    #: events that it takes at once, at most
    batch: int

    async def send(self, payload: bytes) -> None: ...

    async def send_all(self, payloads: Sequence[bytes]) -> None: ...

    async def end(self, errors: Sequence[GraphQLError] | None) -> None:
        """`error` with these errors, or `complete`."""

    async def cut_off(self) -> None:
        """Closes the socket: the peer is too slow for the stream."""

    def enter(self, follower: Follower) -> bool:
        """Joins the broadcast; False when the socket cannot be written to directly, or not now."""

    def leave(self, follower: Follower) -> list[Item]:
        """Out of the broadcast, before its next event; what it was to get from there."""


class Backlog:
    """What waits for one follower while the broadcast does not carry it."""

    __slots__ = ("bell", "lags", "waiting")

    def __init__(self) -> None:
        self.waiting: deque[Item] = deque()
        self.bell = asyncio.Event()
        #: True when it became too long: what is missing has to come from the log
        self.lags = False

    def give(self, item: Item) -> None:
        if len(self.waiting) >= QUEUE_LIMIT:
            self.waiting.clear()
            self.lags = True
        if not self.lags:
            self.waiting.append(item)
        self.bell.set()


class Follower:
    """Catching up it has a task and a queue of its own; once it is where the stream is, the broadcast carries it."""

    __slots__ = ("_backlog", "_end", "_outlet", "_position", "_task", "_told", "stream")

    def __init__(self, stream: SharedStream, outlet: Outlet) -> None:
        self.stream = stream
        self._outlet = outlet
        self._position = stream.position
        #: of what the outlet got last from here; None: nothing yet, it may have come with any cursor
        self._told: eventlog.Position | None = None
        self._task: asyncio.Task[None] | None = None
        self._backlog: Backlog | None = None
        self._end: tuple[Sequence[GraphQLError] | None] | None = None

    @property
    def position(self) -> eventlog.Position | None:
        """Of what the outlet got last, or gets now."""
        return self._position

    def start(self, ctx: Ctx, resuming: dict[str, Any] | None) -> None:
        """`resuming`: the variables with a cursor, when the client goes on from one."""
        if resuming is None and self._outlet.enter(self):
            return
        self._queue(ctx, resuming)

    def give(self, item: Item) -> None:
        if self._backlog is not None:
            self._backlog.give(item)

    def fall_back(self) -> None:
        """Out of the broadcast: the socket takes no more for now. It goes on from the log when it does."""
        owed = self._outlet.leave(self)
        self._position = owed[0].before if owed else self.stream.position
        if self._backlog is None:
            self._queue(self.stream.service_context(), None)
        for item in owed:
            self.give(item)

    def finish(self, errors: Sequence[GraphQLError] | None) -> None:
        """The stream has ended: so does this, behind what still waits."""
        self._end = (errors,)
        if self._backlog is None:
            self._outlet.leave(self)
            self._queue(self.stream.service_context(), None)
        else:
            self._backlog.bell.set()

    def stop(self) -> None:
        """The client has completed, or is gone."""
        self._outlet.leave(self)
        self.stream.leave(self)
        if self._task is not None:
            self._task.cancel()

    def _queue(self, ctx: Ctx, resuming: dict[str, Any] | None) -> None:
        self._backlog = Backlog()
        self.stream.queued.add(self)
        self._task = asyncio.create_task(self._run(self._backlog, ctx, resuming))

    async def _run(self, backlog: Backlog, ctx: Ctx, resuming: dict[str, Any] | None) -> None:
        try:
            await self._keep_up(backlog, ctx, resuming)
        except WebSocketDisconnected:
            pass
        except TooSlow:
            await self._outlet.cut_off()
        except Exception as error:
            with suppress(WebSocketDisconnected):
                await self._finish([self.stream.fault(error)])

    async def _keep_up(self, backlog: Backlog, ctx: Ctx, resuming: dict[str, Any] | None) -> None:
        if resuming is not None and not await self._resume(ctx, resuming):
            return
        while True:
            await self._outlet.ready()
            if backlog.lags and self._end is None and not await self._catch_up(backlog, ctx):
                return
            await self._drain(backlog)
            if self._end is not None:
                await self._finish(self._end[0])
                return
            if backlog.lags:
                continue
            if self._is_level() and self._outlet.enter(self):
                self.stream.queued.discard(self)
                self._backlog = self._task = None
                return
            await backlog.bell.wait()
            backlog.bell.clear()

    async def _drain(self, backlog: Backlog) -> None:
        while backlog.waiting:
            items = [backlog.waiting.popleft() for _ in range(min(len(backlog.waiting), self._outlet.batch))]
            await self._send([item for item in items if self._is_new(item)])

    def _is_new(self, item: Item) -> bool:
        if item.position is None or self._position is None:
            return True
        if item.position == item.before:
            # No event, but what the last one has become by now, such as a price: stale only if a later one was told.
            return self._told is None or item.position >= self._told
        return item.position > self._position

    async def _send(self, items: list[Item]) -> None:
        for first in range(0, len(items), self._outlet.batch):
            some = items[first : first + self._outlet.batch]
            self._move_to(some[-1].position)
            await self._outlet.send_all([item.payload for item in some])

    def _move_to(self, position: eventlog.Position | None) -> None:
        """Never back: what is no event of its own may lie before the cursor that the client came with."""
        if position is None or self._position is None or position > self._position:
            self._position = position
        self._told = position

    def _is_level(self) -> bool:
        """Whether the next event of the stream is the next one of this; a client may come from further ahead."""
        here, there = self._position, self.stream.position
        return here is None or (there is not None and there >= here)

    async def _resume(self, ctx: Ctx, variables: dict[str, Any]) -> bool:
        # Read earlier, the log might end before the place where the stream begins.
        await self.stream.has_begun()
        if self._end is not None:
            # What it had before its end may begin behind the cursor: to end as if that were all would hide a gap.
            is_complete = self._end[0] is None and self.stream.beginning is None
            await self._finish(None if is_complete else self._end[0] or [results.broken_off(self.stream.request_id)])
            return False
        asked = None if ctx.place is None else ctx.place.after
        after = asked or self.stream.position_in(variables)
        if after is not None and await self._go_on_from_memory(after):
            return True
        return await self._replay(ctx, variables, asked)

    async def _catch_up(self, backlog: Backlog, ctx: Ctx) -> bool:
        after = self._position or self.stream.beginning
        if after is None or self.stream.share.slow is Slow.CUT_OFF:
            raise TooSlow
        # From here on it queues again, and skips what the log brings as well.
        backlog.lags = False
        return await self._go_on_from_memory(after) or await self._replay(ctx, self.stream.variables, after)

    async def _go_on_from_memory(self, after: eventlog.Position) -> bool:
        """False when the stream does not remember that far back."""
        items = await self.stream.items_behind(after)
        if items is None:
            return False
        self._position = after
        await self._send(items)
        return True

    async def _replay(self, ctx: Ctx, variables: dict[str, Any], after: eventlog.Position | None) -> bool:
        """An execution of its own, up to the end of the log. False: it failed, and with it the operation."""
        own, place = ctx.fork(), Place(is_replay=True, after=after)
        own.place = place
        source = await self.stream.execute(own, variables)
        async with aclosing(results.of(source, own)) as found:
            async for result in found:
                if isinstance(result, PreExecutionError):
                    await self._finish(result.errors)
                    return False
                self._position = self._told = place.position
                await self._outlet.send(payload_of(result))
        self._position = place.position
        if not place.is_at_end:
            await self._finish(None)
        return place.is_at_end

    async def _finish(self, errors: Sequence[GraphQLError] | None) -> None:
        self.stream.leave(self)
        await self._outlet.end(errors)
