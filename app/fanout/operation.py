"""Operation: what one client asked for, run together with others where that may be, its results given to an outlet."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from contextlib import aclosing, suppress
from dataclasses import dataclass
from typing import Any

from graphql import GraphQLError
from strawberry.http.exceptions import WebSocketDisconnected
from strawberry.types.execution import PreExecutionError

from app.fanout import results
from app.fanout.follower import Follower, Outlet
from app.fanout.payloads import payload_of
from app.fanout.streams import SharedStreams
from domain import eventlog
from resolvers.context import Ctx
from resolvers.streams import Place
from schema import masking
from schema.build import NimrodSchema


@dataclass(frozen=True, slots=True)
class Asked:
    """What an operation is to run."""

    query: str
    variables: dict[str, Any] | None = None
    operation_name: str | None = None
    #: go on behind this position, whatever the variables say
    after: eventlog.Position | None = None


class Operation:
    """For transports without operation ids of their own: one of them runs from `start` until `stop` or until it has ended,
    which its outlet is told. `streams`: None when nothing is shared."""

    def __init__(self, schema: NimrodSchema, streams: SharedStreams | None, ctx: Ctx, asked: Asked, outlet: Outlet) -> None:
        self._schema = schema
        self._streams = streams
        self._ctx = ctx
        self._asked = asked
        self._outlet = outlet
        self._place = ctx.place = Place(after=asked.after)
        self._goes_on = asked.after is not None
        self._follower: Follower | None = None
        self._task: asyncio.Task[None] | None = None

    @property
    def position(self) -> eventlog.Position | None:
        """In the log, of the result that the outlet got last, or gets now; None for what does not come from the log."""
        return self._place.position if self._follower is None else self._follower.position

    async def beginning(self) -> eventlog.Position | None:
        """Waits until nothing can be missed any more. Where that is, for a stream of the log that begins now."""
        follower = self._follower
        if follower is None:
            await self._place.begun.wait()
            return self._place.start
        if self._goes_on:
            return None
        await follower.stream.has_begun()
        return follower.position or follower.stream.beginning

    def start(self) -> None:
        if not self._follow_shared():
            self._task = asyncio.create_task(self._run(), name="operation")

    async def stop(self) -> None:
        if self._follower is not None:
            self._follower.stop()
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)

    def _follow_shared(self) -> bool:
        who, streams, asked = self._ctx.actor, self._streams, self._asked
        if streams is None:
            return False
        variables = asked.variables or {}
        share = streams.schema.share(asked.query, variables, asked.operation_name, who)
        if share is None:
            return False
        self._goes_on = self._goes_on or streams.schema.cursor_of(share, variables) is not None
        self._follower = streams.follow(share, who, self._outlet)
        self._follower.start(self._ctx, variables if self._goes_on else None)
        return True

    async def _run(self) -> None:
        with suppress(WebSocketDisconnected):
            try:
                errors = await self._pump()
            except WebSocketDisconnected:
                raise
            except Exception as error:
                unexpected = GraphQLError("An operation failed.", original_error=error)
                errors = [masking.present(unexpected, self._ctx.request_id)]
            await self._outlet.end(errors)

    async def _pump(self) -> Sequence[GraphQLError] | None:
        """Gives out every result; the errors, when it could not begin or broke off."""
        source: Any = await self._schema.stream(
            self._asked.query,
            variable_values=self._asked.variables,
            context_value=self._ctx,
            operation_name=self._asked.operation_name,
        )
        async with aclosing(results.of(source, self._ctx)) as found:
            async for result in found:
                if isinstance(result, PreExecutionError):
                    return result.errors
                await self._outlet.send(payload_of(result))
                self._ctx.forget_loaded()
        return None
