"""Server-sent events: one response per operation, as the distinct connections mode of graphql-sse has it.

https://github.com/enisdenjo/graphql-sse/blob/master/PROTOCOL.md
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Sequence
from contextlib import suppress
from functools import lru_cache

import orjson
from graphql import GraphQLError, OperationType
from starlette.types import Receive, Scope, Send
from strawberry.http.exceptions import WebSocketDisconnected

from app import http_wire, wire
from app.connections import Connections
from app.fanout.broadcast import Item
from app.fanout.follower import Follower
from app.fanout.operation import Asked, Operation
from app.fanout.streams import SharedStreams
from app.http import GraphQLRequest
from domain import errors, eventlog
from resolvers.context import Ctx, Runtime
from schema import masking
from schema.build import NimrodSchema

#: how long a response may be silent
PING_SECONDS = 12.0
#: events of one response in a row, before everybody else's turn
EVENTS_PER_TURN = 16
#: comments that end a response whose operation has not ended: the client goes on elsewhere, or anew
EXPIRED = "access token expired"
SESSION_ENDED = "session ended"
SHUTTING_DOWN = "shutting down"
STALLED = "stalled"
TOO_SLOW = "too slow for this stream"
_PING = b":\n\n"
_COMPLETE = b"event: complete\ndata:\n\n"
_HEADERS = (
    (b"content-type", b"text/event-stream; charset=utf-8"),
    (b"cache-control", b"no-cache"),
    (b"x-accel-buffering", b"no"),
)


class EventStreams:
    """Those of this process."""

    def __init__(self, schema: NimrodSchema, runtime: Runtime, streams: SharedStreams | None, connections: Connections) -> None:
        self.schema = schema
        self.connections = connections
        self.runtime = runtime
        self.streams = streams
        #: responses that are being sent
        self.running: set[EventStream] = set()
        # The same for all who follow the same.
        self.id_line = lru_cache(maxsize=1024)(self._id_line)

    def kind(self, query: str, operation_name: str | None) -> OperationType | None:
        """Of the operation; None for one that cannot be run."""
        try:
            operation = self.schema.documents.open(query).operation(operation_name)
        except GraphQLError:
            return None
        return None if operation is None else operation.node.operation

    def answer(self, ctx: Ctx, request: GraphQLRequest, last_event_id: str | None) -> EventStream:
        """The response, which is still to be sent. `last_event_id`: what the client has had, before anything it asks for.
        Raises TooManyConnections."""
        after = refusal = None
        if last_event_id:
            try:
                after = self.runtime.cursors.position(last_event_id, path="Last-Event-ID")
            except errors.InvalidInput as error:
                refusal = masking.present(GraphQLError(error.message, original_error=error), ctx.request_id)
        asked = Asked(request.query, request.variables, request.operation_name, after)
        if ctx.actor is not None:
            self.connections.enter(ctx.actor.account_id)
        return EventStream(self, ctx, asked, refusal)

    def _id_line(self, position: eventlog.Position) -> bytes:
        return b"id: " + self.runtime.cursors.of_position(position).encode() + b"\n"


class EventStream:
    """ASGI app: the response of one operation, and the outlet of what it runs."""

    def __init__(self, streams: EventStreams, ctx: Ctx, asked: Asked, refusal: GraphQLError | None = None) -> None:
        self._streams = streams
        self._refusal = refusal
        self._ctx = ctx
        self._operation = Operation(streams.schema, streams.streams, ctx, asked, self)
        self._is_subscription = streams.kind(asked.query, asked.operation_name) is OperationType.SUBSCRIPTION
        self._begins_now = self._is_subscription and asked.after is None
        #: codes of the errors that it could not begin for
        self.codes: list[str] = []
        self._send: Send
        self._connection: http_wire.HttpProtocol | None = None
        self._turn = asyncio.Lock()
        self._events = 0
        self._written_at = 0.0
        self._is_over = False
        self._farewell: str | None = None
        self._alarm: asyncio.Timeout | None = None

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        self._send = send
        self._connection = (scope.get("extensions") or {}).get(http_wire.EXTENSION)
        if self._connection is not None:
            self._connection.begin(self)
        self._streams.running.add(self)
        if self._ctx.actor is not None:
            self._streams.connections.join(self._ctx.actor.session_id, self)
        beginning: asyncio.Task[None] | None = None
        try:
            # A list of its own: the middlewares add to it.
            await send({"type": "http.response.start", "status": 200, "headers": [*_HEADERS]})
            await self._ping()
            if self._refusal is not None:
                await self.end([self._refusal])
            else:
                self._operation.start()
                if self._begins_now:
                    beginning = asyncio.create_task(self._tell_beginning())
            await self._watch(receive)
        finally:
            if beginning is not None:
                beginning.cancel()
            await self._operation.stop()
            self._streams.running.discard(self)
            if self._ctx.actor is not None:
                self._streams.connections.leave(self._ctx.actor.account_id)
                self._streams.connections.part(self._ctx.actor.session_id, self)
            if self._connection is not None:
                self._connection.end()

    # What follows is called by the operation.

    async def ready(self) -> None:
        """A write waits for the peer."""

    #: each event has an id of its own, which is where the follower is
    batch = 1

    async def send_all(self, payloads: Sequence[bytes]) -> None:
        for payload in payloads:
            await self.send(payload)

    async def send(self, payload: bytes) -> None:
        self._events += 1
        await self._write(b"event: next\n" + self._id() + b"data: " + payload + b"\n\n")
        if self._events % EVENTS_PER_TURN == 0:
            # A write that finds room waits for nothing: a stream with much to say would keep the process to itself.
            await asyncio.sleep(0)

    async def end(self, errors: Sequence[GraphQLError] | None) -> None:
        last = _COMPLETE
        if errors is not None:
            self.codes += [str((error.extensions or {}).get("code", "")) for error in errors]
            told = orjson.dumps({"errors": [error.formatted for error in errors]})
            last = b"event: next\ndata: " + told + b"\n\n" + last
        with suppress(WebSocketDisconnected):
            await self._write(last, is_last=True)

    async def cut_off(self) -> None:
        self._end_with(TOO_SLOW)

    def enter(self, follower: Follower) -> bool:  # noqa: ARG002
        """Never: what the broadcast writes are frames of WebSockets."""
        return False

    def leave(self, follower: Follower) -> list[Item]:  # noqa: ARG002
        """It has not entered."""
        return []

    # What follows is called by the connection.

    def shut_down(self) -> None:
        """What has an end may come to it; a stream goes on elsewhere."""
        if self._is_subscription:
            loop = asyncio.get_running_loop()
            loop.call_later(self._streams.connections.farewell_seconds(), self._end_with, SHUTTING_DOWN)

    def end_session(self) -> None:
        """What has an end may come to it: it may be the act that ends the session."""
        if self._is_subscription:
            self._end_with(SESSION_ENDED)

    def _end_with(self, farewell: str) -> None:
        self._farewell = farewell
        if self._alarm is not None:
            with suppress(RuntimeError):  # it is going off already
                self._alarm.reschedule(asyncio.get_running_loop().time())

    async def _watch(self, receive: Receive) -> None:
        """Until the peer is gone, everything is said, or there is a reason to end."""
        while self._farewell is None:
            try:
                async with asyncio.timeout_at(self._next_look()) as self._alarm:
                    while (await receive())["type"] != "http.disconnect":
                        pass
                return
            except TimeoutError:
                pass
            finally:
                self._alarm = None
            if self._seconds_left() <= 0:
                self._farewell = EXPIRED
            elif asyncio.get_running_loop().time() >= self._written_at + PING_SECONDS:
                await self._ping()
        await self._operation.stop()
        with suppress(WebSocketDisconnected):
            await self._write(f": {self._farewell}\n\n".encode(), is_last=True)

    def _next_look(self) -> float:
        return min(self._written_at + PING_SECONDS, asyncio.get_running_loop().time() + self._seconds_left())

    def _seconds_left(self) -> float:
        """Of the access token."""
        return float("inf") if self._ctx.expires_at is None else self._ctx.expires_at - time.time()

    def _id(self) -> bytes:
        position = self._operation.position
        return b"" if position is None else self._streams.id_line(position)

    async def _tell_beginning(self) -> None:
        """Who loses the connection before the first event goes on from here: an id without data is remembered too."""
        position = await self._operation.beginning()
        if position is not None and not self._events:
            with suppress(WebSocketDisconnected):
                await self._write(self._streams.id_line(position) + b"\n")

    async def _ping(self) -> None:
        with suppress(WebSocketDisconnected):
            await self._write(_PING)

    async def _write(self, chunk: bytes, *, is_last: bool = False) -> None:
        async with self._turn:
            self._written_at = asyncio.get_running_loop().time()
            if self._is_over:
                raise WebSocketDisconnected
            self._is_over = is_last
            message = {"type": "http.response.body", "body": chunk, "more_body": not is_last}
            try:
                if self._connection is not None and self._connection.is_writable:
                    await self._send(message)
                else:
                    async with asyncio.timeout(wire.STALL_SECONDS):
                        await self._send(message)
            except TimeoutError:
                self._give_up()
                raise WebSocketDisconnected from None
            except OSError:
                raise WebSocketDisconnected from None

    def _give_up(self) -> None:
        self._is_over = True
        if self._connection is not None:
            self._connection.abort()
        else:
            self._end_with(STALLED)
