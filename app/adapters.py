"""Adapters: how the messages of a handler reach its socket, through ASGI or straight to our own protocol."""

from __future__ import annotations

import asyncio
import contextlib
import json
from collections.abc import AsyncGenerator, Mapping
from typing import Any

import orjson
from starlette.websockets import WebSocket, WebSocketDisconnect
from strawberry.asgi import ASGIWebSocketAdapter
from strawberry.http.async_base_view import AsyncWebSocketAdapter
from strawberry.http.exceptions import WebSocketDisconnected
from uvicorn.protocols.utils import ClientDisconnected

from app.fanout.protocol import EXTENSION, DirectProtocol

#: messages of one socket in a row, before everybody else's turn
MESSAGES_PER_TURN = 16
#: what a close frame holds beside its code
MAX_REASON_BYTES = 123


class TextAdapter(ASGIWebSocketAdapter):
    """For sockets of any ASGI server. orjson's bytes go out as text frames, which is what browsers' clients expect."""

    _sent = 0

    async def send_json(self, message: Mapping[str, object]) -> None:
        try:
            await self.ws.send_text(_text_of(message).decode())
        except (WebSocketDisconnect, RuntimeError) as error:
            raise WebSocketDisconnected from error
        self._sent += 1
        if self._sent % MESSAGES_PER_TURN == 0:
            # A write that finds room waits for nothing: a stream with much to say would keep the process to itself.
            await asyncio.sleep(0)

    async def close(self, code: int, reason: str) -> None:
        with contextlib.suppress(WebSocketDisconnect, RuntimeError):
            await self.ws.close(code=code, reason=_fitting(reason))


class WireAdapter(AsyncWebSocketAdapter):
    """For sockets of our protocol, which outlive the application that accepted them."""

    _sent = 0

    def __init__(self, view: Any, protocol: DirectProtocol) -> None:
        super().__init__(view)
        self.protocol = protocol

    async def iter_json(self, *, ignore_parsing_errors: bool = False) -> AsyncGenerator[object, None]:  # noqa: ARG002
        raise NotImplementedError("a parked connection is heard, not asked")
        yield

    async def send_json(self, message: Mapping[str, object]) -> None:
        try:
            await self.protocol.send_text(_text_of(message))
        except ClientDisconnected as error:
            raise WebSocketDisconnected from error
        self._sent += 1
        if self._sent % MESSAGES_PER_TURN == 0:
            await asyncio.sleep(0)

    async def close(self, code: int, reason: str) -> None:
        # A socket may be closed from two sides at once.
        with contextlib.suppress(ClientDisconnected, RuntimeError):
            await self.protocol.send({"type": "websocket.close", "code": code, "reason": _fitting(reason)})


def adapter_of(view: Any, request: WebSocket, response: WebSocket) -> AsyncWebSocketAdapter:
    protocol = request.scope.get("extensions", {}).get(EXTENSION)
    return TextAdapter(view, request, response) if protocol is None else WireAdapter(view, protocol)


def _fitting(reason: str) -> str:
    """A reason may quote the client, whatever that sent."""
    return reason.encode(errors="replace")[:MAX_REASON_BYTES].decode(errors="ignore")


def _text_of(message: Mapping[str, object]) -> bytes:
    try:
        return orjson.dumps(message)
    except TypeError:
        # Half characters and huge numbers of a client, on their way back: JSON knows them, orjson does not.
        return json.dumps(message).encode()
