"""Shared streams: one running execution for all who follow the same, begun by the first and ended with the last."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from contextlib import aclosing
from typing import Any

import orjson
from graphql import GraphQLError
from strawberry.types.execution import PreExecutionError

from app import telemetry
from app.fanout import results
from app.fanout.broadcast import Broadcast, Item
from app.fanout.follower import Follower, Outlet
from app.fanout.payloads import payload_of
from app.fanout.recent import Recent, fits
from domain import eventlog
from domain.actor import Actor
from domain.errors import InvalidInput
from resolvers.context import Ctx, Runtime
from resolvers.streams import Place
from schema import masking
from schema.build import NimrodSchema
from schema.sharing import Share


class SharedStreams:
    """Those of this process."""

    def __init__(
        self, schema: NimrodSchema, runtime: Runtime, *, window_seconds: float = 0.0, writes_directly: bool = True
    ) -> None:
        self.schema = schema
        self.runtime = runtime
        self.window_seconds = window_seconds
        self.writes_directly = writes_directly
        self._running: dict[Share, SharedStream] = {}

    def __len__(self) -> int:
        return len(self._running)

    def follow(self, share: Share, who: Actor | None, outlet: Outlet) -> Follower:
        """A follower that is still to be started."""
        stream = self._running.get(share)
        if stream is None:
            stream = self._running[share] = SharedStream(self, share, _service_of(share, who))
        return Follower(stream, outlet)

    def forget(self, stream: SharedStream) -> None:
        if self._running.get(stream.share) is stream:
            del self._running[stream.share]


def _service_of(share: Share, who: Actor | None) -> Actor | None:
    return None if who is None else who.as_service(of_account=share.viewer is not None)


class SharedStream:
    """One execution, its position, and who follows: in the broadcast, or from a queue while they catch up."""

    def __init__(self, streams: SharedStreams, share: Share, service: Actor | None) -> None:
        self.share = share
        self.variables: dict[str, Any] = orjson.loads(share.variables)
        self.broadcast = Broadcast(streams.window_seconds)
        self.queued: set[Follower] = set()
        self.request_id = telemetry.new_request_id()
        self._streams = streams
        self._service = service
        self._place = Place()
        self._recent: Recent | None = None
        self._reaching_back = asyncio.Lock()
        self._position: eventlog.Position | None = None
        self._task = asyncio.create_task(self._run(), name="shared stream")

    @property
    def position(self) -> eventlog.Position | None:
        """Of the event that was given out last; at first where it begins, None until that is known."""
        return self._position or self._place.start

    @property
    def beginning(self) -> eventlog.Position | None:
        """Where it began, for those who have had nothing yet."""
        return self._place.start

    async def has_begun(self) -> None:
        """Waits until no later event can be missed; also over when the stream has ended before."""
        await self._place.begun.wait()

    def service_context(self) -> Ctx:
        runtime = self._streams.runtime
        return Ctx(
            runtime=runtime,
            actor=self._service,
            address="",
            request_id=self.request_id,
        )

    def fault(self, error: Exception) -> GraphQLError:
        """What followers are told of a failure of the engine itself."""
        return masking.present(GraphQLError("", original_error=error), self.request_id)

    async def execute(self, ctx: Ctx, variables: dict[str, Any]) -> Any:
        return await self._streams.schema.stream(
            self.share.query, variable_values=variables, context_value=ctx, operation_name=self.share.operation_name
        )

    def position_in(self, variables: dict[str, Any]) -> eventlog.Position | None:
        """Where the cursor in the variables is; None when it is none of ours, which its own execution tells."""
        streams = self._streams
        cursor = streams.schema.cursor_of(self.share, variables)
        try:
            return streams.runtime.cursors.position(cursor) if isinstance(cursor, str) else None
        except InvalidInput:
            return None

    async def items_behind(self, after: eventlog.Position) -> list[Item] | None:
        """What followed a position up to now; None when that is not remembered, and not to be."""
        recent = self._remembered()
        if recent is None:
            return None
        items = recent.behind(after)
        if items is None:
            async with self._reaching_back:
                items = recent.behind(after)
                if items is None and await self._reach_back(recent, after):
                    items = recent.behind(after)
        return items

    def _remembered(self) -> Recent | None:
        """None for what few follow, and for what has no log."""
        if self._recent is None and self.share.viewer is None and self.beginning is not None:
            self._recent = Recent(self.beginning)
        return self._recent

    async def _reach_back(self, recent: Recent, after: eventlog.Position) -> bool:
        """Reads what lies before what is remembered, once for all who come back. False: there is too much, or a gap."""
        ctx, start = self.service_context(), recent.start
        place = ctx.place = Place(is_replay=True, after=after)
        items: list[Item] = []
        size = 0
        async with aclosing(results.of(await self.execute(ctx, self.variables), ctx)) as found:
            async for result in found:
                if isinstance(result, PreExecutionError) or result.errors or place.has_gap or place.position is None:
                    return False
                if place.position > start:
                    break
                payload = payload_of(result)
                items.append(Item(items[-1].position if items else after, place.position, payload))
                size += len(payload)
                if not fits(items, size):
                    return False
                ctx.forget_loaded()
        if recent.start != start:
            return False
        recent.reach_back(after, items)
        return True

    def leave(self, follower: Follower) -> None:
        self.queued.discard(follower)
        if not self.queued and not self.broadcast:
            self._streams.forget(self)
            self._task.cancel()

    async def _run(self) -> None:
        errors: Sequence[GraphQLError] | None = None
        try:
            errors = await self._pump()
        except Exception as error:
            errors = [self.fault(error)]
        self._streams.forget(self)
        self._place.begun.set()
        self.broadcast.flush()
        for follower in [*self.broadcast.members(), *self.queued]:
            follower.finish(errors)

    async def _pump(self) -> Sequence[GraphQLError] | None:
        """Gives out every event; the errors, when it could not begin or broke off."""
        ctx = self.service_context()
        ctx.place = self._place
        source = await self.execute(ctx, self.variables)
        async with aclosing(results.of(source, ctx)) as found:
            async for result in found:
                if isinstance(result, PreExecutionError):
                    return result.errors
                self._give(payload_of(result))
                ctx.forget_loaded()
                # The loop writes between events, and others have their turn in a flood.
                await asyncio.sleep(0)
        return None

    def _give(self, payload: bytes) -> None:
        item = Item(self.position, self._place.position, payload)
        if (recent := self._remembered()) is not None:
            recent.append(item)
        self._position = item.position
        queued = [*self.queued]  # before the broadcast, which may add some that are owed it already
        self.broadcast.send(item)
        for follower in queued:
            follower.give(item)
