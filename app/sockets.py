"""GraphQL over WebSocket: graphql-transport-ws, with one actor per socket and a fresh context per operation."""

from __future__ import annotations

import asyncio
import copy
import json
import logging
import time
from datetime import timedelta
from enum import IntEnum
from typing import Any, cast

import structlog
from graphql import GraphQLError
from starlette.requests import Request
from starlette.responses import Response
from starlette.websockets import WebSocket
from strawberry.asgi import GraphQL
from strawberry.exceptions import ConnectionRejectionError
from strawberry.http.exceptions import WebSocketDisconnected
from strawberry.subscriptions import GRAPHQL_TRANSPORT_WS_PROTOCOL
from strawberry.subscriptions.protocols.graphql_transport_ws.handlers import BaseGraphQLTransportWSHandler, Operation
from strawberry.subscriptions.protocols.graphql_transport_ws.types import PingMessage, SubscribeMessage

from app import adapters, telemetry
from app.auth import AccessTokens, InvalidToken, bearer_of
from app.fanout.handler import FanoutHandler
from app.fanout.mailbox import Event
from app.fanout.streams import SharedStreams
from resolvers.context import Ctx, Runtime
from schema.build import NimrodSchema

logger = logging.getLogger(__name__)

INIT_WAIT = timedelta(seconds=5)


class CloseCode(IntEnum):
    """Close codes that are sent from here, beside the library's."""

    INIT_TIMEOUT = 4408
    TOKEN_EXPIRED = 4403


class Handler(FanoutHandler):
    _timers: tuple[asyncio.TimerHandle, ...] = ()
    _is_over = False
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
            await self.websocket.close(1011, "Internal error")

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
        if fault := _fault_of(message):
            await self.handle_invalid_message(fault)
        else:
            await super().handle_message(message)

    async def handle_connection_init(self, message: Any) -> None:
        self._cancel_timers()
        if message.get("payload", {}) is None:
            # The protocol allows null for "nothing to say"; the library takes it for malformed.
            message = {**message, "payload": {}}
        await super().handle_connection_init(message)
        if self.connection_acknowledged and self.context.expires_at is not None:
            self._close_later(self.context.expires_at - time.time(), CloseCode.TOKEN_EXPIRED, "Access token expired")

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

    async def shutdown(self) -> None:
        self._is_over = True
        self._cancel_timers()
        await super().shutdown()

    async def handle_subscribe(self, message: SubscribeMessage) -> None:
        limit = self.max_subscriptions_per_connection
        is_new = self.connection_acknowledged and message["id"] not in self.operations
        if limit is None or not is_new or len(self.operations) < limit:
            await super().handle_subscribe(message)
            return
        text = f"{limit} operations run on this socket already; complete one, or open another socket."
        error = GraphQLError(text, extensions={"code": "TOO_MANY_OPERATIONS"})
        await self.send_message({"id": message["id"], "type": "error", "payload": [error.formatted]})

    async def handle_task_exception(self, error: Exception) -> None:
        if not isinstance(error, WebSocketDisconnected):  # who left in the middle of a stream is no error of ours
            await super().handle_task_exception(error)

    async def run_operation(self, operation: Operation[Ctx, None]) -> None:
        own = copy.copy(self)  # `operations` stays shared; loaders must not remember between operations
        own.context = self.context.fork()
        await BaseGraphQLTransportWSHandler.run_operation(own, operation)

    @staticmethod
    def _get_pre_execution_close_reason(error: GraphQLError) -> str | None:  # noqa: ARG004
        """None: a document that cannot be read is the trouble of its operation, not of its neighbours."""
        return None


def _fault_of(message: Any) -> str | None:
    """What makes it no message of the protocol; the library takes the shape of what is there on trust."""
    if not isinstance(message, dict) or not isinstance(message.get("type"), str):
        return "A message is an object with a type"
    payload = message.get("payload")
    if message["type"] in ("connection_init", "ping", "pong"):
        return None if isinstance(payload, dict | None) else f"The payload of {message['type']} is an object"
    if message["type"] in ("subscribe", "complete") and not (isinstance(message.get("id"), str) and message["id"]):
        return "An operation is named by an id, a text of its own"
    return _fault_of_request(payload) if message["type"] == "subscribe" else None


def _fault_of_request(payload: Any) -> str | None:
    if not isinstance(payload, dict) or not isinstance(payload.get("query"), str):
        return "The payload of subscribe has the text of a document as query"
    for name in ("variables", "extensions"):
        if not isinstance(payload.get(name), dict | None):
            return f"{name} is an object"
    return None if isinstance(payload.get("operationName"), str | None) else "operationName is a text"


class SocketEndpoint(GraphQL[Ctx, None]):
    """ASGI app for `/graphql` over WebSocket."""

    websocket_adapter_class = staticmethod(adapters.adapter_of)  # type: ignore[assignment]
    graphql_transport_ws_handler_class = Handler

    def __init__(
        self,
        schema: NimrodSchema,
        runtime: Runtime,
        tokens: AccessTokens,
        *,
        allowed_origins: list[str],
        max_operations: int,
        streams: SharedStreams | None = None,
    ) -> None:
        super().__init__(
            schema,
            graphql_ide=None,
            subscription_protocols=[GRAPHQL_TRANSPORT_WS_PROTOCOL],
            connection_init_wait_timeout=INIT_WAIT,
            max_subscriptions_per_connection=max_operations,
            allowed_origins=allowed_origins,
        )
        self.streams = streams
        self._runtime = runtime
        self._tokens = tokens

    def decode_json(self, data: str | bytes) -> object:
        try:
            return super().decode_json(data)
        except RecursionError:
            raise json.JSONDecodeError("Nested too deep to be read", "", 0) from None

    async def get_context(self, request: Request | WebSocket, response: Response | WebSocket) -> Ctx:  # noqa: ARG002
        return Ctx(
            runtime=self._runtime,
            actor=None,
            address=request.client.host if request.client else "",
            request_id=telemetry.request_id_of(request.scope),
            authorization=request.headers.get("authorization"),
        )

    async def on_ws_connect(self, context: Ctx) -> Any:
        """The same `authorization` as over HTTP, in the payload of `connection_init`; or the header of the handshake."""
        given = (context.connection_params or {}).get("authorization", context.authorization)
        try:
            token = bearer_of(str(given)) if given is not None else None
            if token is not None:
                context.actor, context.expires_at = self._tokens.actor_of(token)
        except InvalidToken:
            raise ConnectionRejectionError from None
        # Not kept for as long as the socket lives.
        context.connection_params = context.authorization = None
        return await super().on_ws_connect(context)
