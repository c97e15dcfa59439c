"""GraphQL over WebSocket: graphql-transport-ws, with one actor per socket and a fresh context per operation."""

from __future__ import annotations

import json
from typing import Any

from starlette.requests import Request
from starlette.responses import Response
from starlette.websockets import WebSocket
from strawberry.asgi import GraphQL
from strawberry.exceptions import ConnectionRejectionError
from strawberry.subscriptions import GRAPHQL_TRANSPORT_WS_PROTOCOL

from app import adapters, telemetry
from app.auth import AccessTokens, InvalidToken, bearer_of
from app.connections import Connections
from app.dialogue import INIT_WAIT, Dialogue
from app.fanout.streams import SharedStreams
from resolvers.context import Ctx, Runtime
from schema.build import NimrodSchema


class SocketEndpoint(GraphQL[Ctx, None]):
    """ASGI app for `/graphql` over WebSocket."""

    websocket_adapter_class = staticmethod(adapters.adapter_of)  # type: ignore[assignment]
    graphql_transport_ws_handler_class = Dialogue

    def __init__(
        self,
        schema: NimrodSchema,
        runtime: Runtime,
        tokens: AccessTokens,
        *,
        allowed_origins: list[str],
        max_operations: int,
        connections: Connections,
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
        self.connections = connections
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
        """The same `authorization` as over HTTP, in the payload of `connection_init`; or the header of the handshake.

        An actor in the context is one that has been let in. Raises ConnectionRejectionError, TooManyConnections."""
        given = (context.connection_params or {}).get("authorization", context.authorization)
        try:
            token = bearer_of(str(given)) if given is not None else None
            if token is not None:
                who, expires_at = self._tokens.actor_of(token)
                self.connections.enter(who.account_id)
                context.actor, context.expires_at = who, expires_at
        except InvalidToken:
            raise ConnectionRejectionError from None
        # Not kept for as long as the socket lives.
        context.connection_params = context.authorization = None
        return await super().on_ws_connect(context)
