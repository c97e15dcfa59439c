"""Handler: subscriptions that are the same are followed together; everything else is the library's."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from contextlib import suppress
from typing import Any, cast

import orjson
from graphql import GraphQLError
from strawberry.http.exceptions import WebSocketDisconnected
from strawberry.subscriptions.protocols.graphql_transport_ws.handlers import BaseGraphQLTransportWSHandler, Operation

from app.fanout import broadcast
from app.fanout.follower import Follower
from app.fanout.protocol import DirectProtocol
from app.fanout.streams import SharedStreams
from app.messages import CloseCode
from resolvers.context import Ctx

#: what is written at once to a socket that catches up
WRITE_BYTES = 32_768


class SharedOperation(Operation[Ctx, None]):
    """An operation that follows a shared stream: the outlet of its follower."""

    batch = 100

    __slots__ = ("_direct", "follower")

    def __init__(self, handler: FanoutHandler, id: str) -> None:
        super().__init__(handler, id, "", None, None)  # what it asks for, the stream knows
        self._direct = handler.direct()
        self.follower: Follower

    async def ready(self) -> None:
        direct = self._direct
        if direct is not None and not direct.writable.is_set() and not await direct.wait_until_writable():
            raise WebSocketDisconnected

    async def send(self, payload: bytes) -> None:
        await self.ready()
        message = {"id": self.id, "type": "next", "payload": orjson.Fragment(payload)}
        await self.send_operation_message(cast("Any", message))

    async def send_all(self, payloads: Sequence[bytes]) -> None:
        if self._direct is None:
            for payload in payloads:
                await self.send(payload)
            return
        opening, frames, size = broadcast.opening(self.id), [], 0
        for payload in payloads:
            frames.append(broadcast.frame(opening + payload + b"}"))
            size += len(frames[-1])
            if size >= WRITE_BYTES:
                await self._write(b"".join(frames), self._direct)
                frames, size = [], 0
        if frames:
            await self._write(b"".join(frames), self._direct)

    async def _write(self, frames: bytes, direct: DirectProtocol) -> None:
        await self.ready()
        if self.completed:
            return
        if not direct.is_open:
            raise WebSocketDisconnected
        direct.transport.write(frames)
        # A write that finds room waits for nothing: others have their turn.
        await asyncio.sleep(0)

    async def end(self, errors: Sequence[GraphQLError] | None) -> None:
        with suppress(KeyError):  # it was completed by the client just now
            if errors is None:
                await self.send_operation_message({"id": self.id, "type": "complete"})
            else:
                await self.send_initial_errors(list(errors))

    async def cut_off(self) -> None:
        await self.handler.websocket.close(CloseCode.TOO_SLOW, "Too slow for this stream")

    def enter(self, follower: Follower) -> bool:
        direct = self._direct
        if direct is None or not direct.is_open:
            return False
        shared = follower.stream.broadcast
        direct.members[follower] = shared.add(follower, broadcast.opening(self.id), direct.transport.write)
        return True

    def leave(self, follower: Follower) -> list[broadcast.Item]:
        seat = self._direct.members.pop(follower, None) if self._direct is not None else None
        return [] if seat is None else seat.leave()


class FanoutHandler(BaseGraphQLTransportWSHandler[Ctx, None]):
    @property
    def _streams(self) -> SharedStreams | None:
        found: SharedStreams | None = cast("Any", self.view).streams
        return found

    @property
    def protocol(self) -> DirectProtocol | None:
        """The connection below, where it is ours."""
        return getattr(self.websocket, "protocol", None)

    def direct(self) -> DirectProtocol | None:
        """The connection below, where the broadcast may write to it."""
        return self.protocol if self._streams is not None and self._streams.writes_directly else None

    async def handle_subscribe(self, message: Any) -> None:
        limit = self.max_subscriptions_per_connection
        is_refused = message["id"] in self.operations or (limit is not None and len(self.operations) >= limit)
        if is_refused or not self.connection_acknowledged or not self._follow_shared(message["id"], message["payload"]):
            await super().handle_subscribe(message)

    def _follow_shared(self, id: str, payload: dict[str, Any]) -> bool:
        who, streams = self.context.actor, self._streams
        if streams is None:
            return False
        if any("\ud800" <= letter <= "\udfff" for letter in id):  # half characters, which orjson refuses
            return False
        variables = payload.get("variables") or {}
        share = streams.schema.share(payload["query"], variables, payload.get("operationName"), who)
        if share is None:
            return False
        operation = SharedOperation(self, id)
        self.operations[id] = operation
        operation.follower = streams.follow(share, who, operation)
        goes_on = streams.schema.cursor_of(share, variables) is not None
        operation.follower.start(self.context, variables if goes_on else None)
        return True

    async def cleanup_operation(self, operation_id: str) -> None:
        operation = self.operations.get(operation_id)
        if isinstance(operation, SharedOperation):
            del self.operations[operation_id]
            operation.completed = True
            operation.follower.stop()
        else:
            await super().cleanup_operation(operation_id)
