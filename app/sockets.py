"""GraphQL over WebSocket: graphql-transport-ws, with one actor per socket and a fresh context per operation."""

from __future__ import annotations

import asyncio
import contextlib
import copy
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

from app import telemetry
from app.auth import AccessTokens, InvalidToken, bearer_of
from resolvers.context import Ctx, Runtime
from schema.build import NimrodSchema

INIT_WAIT = timedelta(seconds=5)


class CloseCode(IntEnum):
    """Close codes of ours, beside those of the protocol."""

    TOKEN_EXPIRED = 4403


class TextAdapter(ASGIWebSocketAdapter):
    """orjson's bytes go out as text frames, which is what browsers' clients expect."""

    async def send_json(self, message: Mapping[str, object]) -> None:
        try:
            await self.ws.send_text(orjson.dumps(message).decode())
        except (WebSocketDisconnect, RuntimeError) as error:
            raise WebSocketDisconnected from error


class Handler(BaseGraphQLTransportWSHandler[Ctx, None]):
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
        with contextlib.suppress(RuntimeError):
            await self.websocket.close(CloseCode.TOKEN_EXPIRED, "Access token expired")

    async def shutdown(self) -> None:
        if self._expiry is not None:
            self._expiry.cancel()
        await super().shutdown()

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
    if message["type"] in ("subscribe", "complete") and not (isinstance(message.get("id"), str) and message["id"]):
        return "An operation is named by an id, a text of its own"
    if message["type"] == "subscribe":
        payload = message.get("payload")
        if not isinstance(payload, dict) or not isinstance(payload.get("query"), str):
            return "The payload of subscribe has the text of a document as query"
        if not isinstance(payload.get("variables"), dict | None) or not isinstance(payload.get("operationName"), str | None):
            return "variables is an object, operationName a text"
    return None


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
    ) -> None:
        super().__init__(
            schema,
            graphql_ide=None,
            subscription_protocols=[GRAPHQL_TRANSPORT_WS_PROTOCOL],
            connection_init_wait_timeout=INIT_WAIT,
            max_subscriptions_per_connection=max_operations,
            allowed_origins=allowed_origins,
        )
        self._runtime = runtime
        self._tokens = tokens

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
