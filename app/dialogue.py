"""Dialogue: one socket's side of graphql-transport-ws, from its first message to its last."""

from __future__ import annotations

import asyncio
import copy
import json
import logging
import time
from collections.abc import AsyncGenerator
from contextlib import aclosing
from datetime import timedelta
from typing import TYPE_CHECKING, Any, cast

import structlog
from graphql import GraphQLError
from strawberry.http.exceptions import WebSocketDisconnected
from strawberry.subscriptions.protocols.graphql_transport_ws.handlers import BaseGraphQLTransportWSHandler, Operation
from strawberry.subscriptions.protocols.graphql_transport_ws.types import PingMessage, SubscribeMessage
from strawberry.types.execution import PreExecutionError

from app import messages
from app.connections import Connections, TooManyConnections
from app.fanout import results
from app.fanout.handler import FanoutHandler, SharedOperation
from app.fanout.mailbox import Event
from app.messages import CloseCode
from resolvers.context import Ctx
from resolvers.streams import Place
from schema.build import NimrodSchema

if TYPE_CHECKING:
    from app.sockets import SocketEndpoint

logger = logging.getLogger(__name__)

INIT_WAIT = timedelta(seconds=5)


class Dialogue(FanoutHandler):
    context: Ctx
    _timers: tuple[asyncio.TimerHandle, ...] = ()
    _is_over = False
    _is_draining = False
    #: kept, or the loop might forget it
    _closing: asyncio.Task[None] | None = None

    async def handle(self) -> None:
        """Hears what comes from the connection itself where that is ours, and is done here; else reads until the end."""
        if self.protocol is None:
            await super().handle()
        else:
            self.on_request_accepted()
            self.protocol.park(self)

    async def hear(self, event: Event) -> None:
        structlog.contextvars.bind_contextvars(request_id=self.context.request_id)
        try:
            if event["type"] == "websocket.disconnect":
                await self.shutdown()
            elif not self._is_over:
                await self._hear_text(event.get("text"))
        except WebSocketDisconnected:
            pass  # it is told so by an event of its own
        except Exception:
            logger.exception("a socket failed")
            await self.websocket.close(CloseCode.INTERNAL_ERROR, "Internal error")

    async def _hear_text(self, text: str | None) -> None:
        if text is None:
            await self.handle_invalid_message("WebSocket message type must be text")
            return
        try:
            message: Any = cast("SocketEndpoint", self.view).decode_json(text)
        except json.JSONDecodeError:
            await self.handle_invalid_message("WebSocket message must be valid JSON")
            return
        await self.handle_message(message)

    def on_request_accepted(self) -> None:
        # The library keeps a sleeping task for this.
        self._close_later(INIT_WAIT.total_seconds(), CloseCode.INIT_TIMEOUT, "Connection initialisation timeout")

    async def handle_message(self, message: Any) -> None:
        if fault := messages.fault_of(message):
            await self.handle_invalid_message(fault)
        else:
            await super().handle_message(message)

    async def handle_connection_init(self, message: Any) -> None:
        self._cancel_timers()
        if message.get("payload", {}) is None:
            # The protocol allows null for "nothing to say"; the library takes it for malformed.
            message = {**message, "payload": {}}
        try:
            await super().handle_connection_init(message)
        except TooManyConnections:
            reason = f"An account has {self._connections.per_account} sockets at most"
            await self.websocket.close(CloseCode.TOO_MANY_SOCKETS, reason)
        if self.connection_acknowledged and self.context.expires_at is not None:
            self._close_later(self.context.expires_at - time.time(), CloseCode.SIGNED_OUT, "Access token expired")
        if self.connection_acknowledged and self.context.actor is not None and not self._is_over:
            self._connections.join(self.context.actor.session_id, self)

    def _close_later(self, seconds: float, code: int, reason: str) -> None:
        self._timers += (asyncio.get_running_loop().call_later(max(0.0, seconds), self._close, code, reason),)

    def _close(self, code: int, reason: str) -> None:
        self._closing = asyncio.get_running_loop().create_task(self.websocket.close(code, reason))

    def _cancel_timers(self) -> None:
        for timer in self._timers:
            timer.cancel()
        self._timers = ()

    async def handle_ping(self, message: PingMessage) -> None:
        payload = message.get("payload")
        await self.send_message({"type": "pong"} if payload is None else {"type": "pong", "payload": payload})

    @property
    def _connections(self) -> Connections:
        return cast("SocketEndpoint", self.view).connections

    def end_session(self) -> None:
        self._close(CloseCode.SIGNED_OUT, "Session ended")

    def drain(self) -> None:
        """The process shuts down: nothing begins any more, what has an end may come to it, then the socket goes."""
        self._is_draining = True
        asyncio.get_running_loop().call_later(self._connections.farewell_seconds(), self._leave_when_idle)

    def _leave_when_idle(self) -> None:
        is_subscription = cast("NimrodSchema", self.schema).is_subscription
        if not any(
            not isinstance(one, SharedOperation) and not is_subscription(one.query, one.operation_name)
            for one in self.operations.values()
        ):
            self._close(CloseCode.RESTART, "Shutting down: resume on another connection")

    def forget_id(self, id: str) -> None:
        super().forget_id(id)
        if self._is_draining:
            # Behind the last message of the operation, which follows.
            asyncio.get_running_loop().call_soon(self._leave_when_idle)

    async def cleanup_operation(self, operation_id: str) -> None:
        await super().cleanup_operation(operation_id)
        if self._is_draining and not self._is_over:
            self._leave_when_idle()

    async def shutdown(self) -> None:
        if self._is_over:
            return
        self._is_over = True
        self._cancel_timers()
        if self.context.actor is not None:
            self._connections.leave(self.context.actor.account_id)
            self._connections.part(self.context.actor.session_id, self)
        await super().shutdown()

    async def handle_subscribe(self, message: SubscribeMessage) -> None:
        limit = self.max_subscriptions_per_connection
        if not self.connection_acknowledged or message["id"] in self.operations:
            await super().handle_subscribe(message)
        elif self._is_draining:
            await self._refuse(message["id"], "UNAVAILABLE", "This process shuts down; resume on another connection.")
        elif limit is not None and len(self.operations) >= limit:
            text = f"{limit} operations run on this socket already; complete one, or open another socket."
            await self._refuse(message["id"], "TOO_MANY_OPERATIONS", text)
        else:
            await super().handle_subscribe(message)

    async def _refuse(self, operation_id: str, code: str, text: str) -> None:
        error = GraphQLError(text, extensions={"code": code})
        await self.send_message({"id": operation_id, "type": "error", "payload": [error.formatted]})

    async def handle_task_exception(self, error: Exception) -> None:
        if not isinstance(error, WebSocketDisconnected):  # who left in the middle of a stream is no error of ours
            await super().handle_task_exception(error)

    async def run_operation(self, operation: Operation[Ctx, None]) -> None:
        own = copy.copy(self)  # `operations` stays shared; loaders must not remember between operations
        own.context = self.context.fork()
        own.context.place = Place()
        await BaseGraphQLTransportWSHandler.run_operation(own, operation)

    async def _send_result_stream(self, operation: Operation[Ctx, None], result_source: Any) -> None:
        ended: list[PreExecutionError] = []

        async def going() -> AsyncGenerator[Any, None]:
            async with aclosing(results.of(result_source, self.context)) as found:
                async for result in found:
                    if isinstance(result, PreExecutionError):
                        ended.append(result)
                        return
                    yield result

        async with aclosing(going()) as source:
            await super()._send_result_stream(operation, source)
        for end in ended:
            await operation.send_initial_errors(end.errors or [])

    @staticmethod
    def _get_pre_execution_close_reason(error: GraphQLError) -> str | None:  # noqa: ARG004
        """None: a document that cannot be read is the trouble of its operation, not of its neighbours."""
        return None
