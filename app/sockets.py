"""GraphQL over WebSocket: graphql-transport-ws, with one actor per socket and a fresh context per operation."""

from __future__ import annotations

import asyncio
import contextlib
import copy
import json
import time
from collections.abc import Mapping
from datetime import timedelta
from enum import IntEnum
from typing import Any

import orjson
from graphql import GraphQLError
from starlette.requests import Request
from starlette.responses import Response
from starlette.websockets import WebSocket, WebSocketDisconnect
from strawberry.asgi import ASGIWebSocketAdapter, GraphQL
from strawberry.exceptions import ConnectionRejectionError
from strawberry.http.exceptions import WebSocketDisconnected
from strawberry.subscriptions import GRAPHQL_TRANSPORT_WS_PROTOCOL
from strawberry.subscriptions.protocols.graphql_transport_ws.handlers import BaseGraphQLTransportWSHandler, Operation
from strawberry.subscriptions.protocols.graphql_transport_ws.types import PingMessage, SubscribeMessage

from app import telemetry
from app.auth import AccessTokens, InvalidToken, bearer_of
from app.fanout.handler import FanoutHandler
from app.fanout.streams import SharedStreams
from resolvers.context import Ctx, Runtime
from schema.build import NimrodSchema

INIT_WAIT = timedelta(seconds=5)
#: messages of one socket in a row, before everybody else's turn
MESSAGES_PER_TURN = 16
#: what a close frame holds beside its code
MAX_REASON_BYTES = 123


class CloseCode(IntEnum):
    """Close codes of ours, beside those of the protocol."""

    TOKEN_EXPIRED = 4403


class TextAdapter(ASGIWebSocketAdapter):
    """orjson's bytes go out as text frames, which is what browsers' clients expect."""

    _sent = 0

    async def send_json(self, message: Mapping[str, object]) -> None:
        try:
            await self.ws.send_text(_text_of(message))
        except (WebSocketDisconnect, RuntimeError) as error:
            raise WebSocketDisconnected from error
        self._sent += 1
        if self._sent % MESSAGES_PER_TURN == 0:
            # A write that finds room waits for nothing: a stream with much to say would keep the process to itself.
            await asyncio.sleep(0)

    async def close(self, code: int, reason: str) -> None:
        # A reason may quote the client, whatever that sent; a socket may be closed from two sides at once.
        fitting = reason.encode(errors="replace")[:MAX_REASON_BYTES].decode(errors="ignore")
        with contextlib.suppress(WebSocketDisconnect, RuntimeError):
            await self.ws.close(code=code, reason=fitting)


def _text_of(message: Mapping[str, object]) -> str:
    try:
        return orjson.dumps(message).decode()
    except TypeError:
        # Half characters and huge numbers of a client, on their way back: JSON knows them, orjson does not.
        return json.dumps(message)


class Handler(FanoutHandler):
    _expiry: asyncio.TimerHandle | None = None

    async def handle_message(self, message: Any) -> None:
        if fault := _fault_of(message):
            await self.handle_invalid_message(fault)
        else:
            await super().handle_message(message)

    async def handle_connection_init(self, message: Any) -> None:
        if message.get("payload", {}) is None:
            # The protocol allows null for "nothing to say"; the library takes it for malformed.
            message = {**message, "payload": {}}
        await super().handle_connection_init(message)
        if self.connection_acknowledged and self.context.expires_at is not None:
            self._close_at(self.context.expires_at)

    def _close_at(self, instant: float) -> None:
        loop = asyncio.get_running_loop()
        closing: set[asyncio.Task[None]] = set()

        def close() -> None:
            task = loop.create_task(self._close_expired())
            closing.add(task)
            task.add_done_callback(closing.discard)

        self._expiry = loop.call_later(max(0.0, instant - time.time()), close)

    async def _close_expired(self) -> None:
        await self.websocket.close(CloseCode.TOKEN_EXPIRED, "Access token expired")

    async def handle_ping(self, message: PingMessage) -> None:
        payload = message.get("payload")
        await self.send_message({"type": "pong"} if payload is None else {"type": "pong", "payload": payload})

    async def shutdown(self) -> None:
        if self._expiry is not None:
            self._expiry.cancel()
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

    websocket_adapter_class = TextAdapter
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
            metros=self._runtime.metro_loader(self._runtime),
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
        return await super().on_ws_connect(context)
