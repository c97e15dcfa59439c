"""Clients: GraphQL over HTTP, over WebSocket (graphql-transport-ws) and as server-sent events, as front ends speak them."""

from __future__ import annotations

import asyncio
import itertools
import json
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any, TypeVar

import httpx
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed
from websockets.typing import Origin, Subprotocol

#: longer than anything may take on a busy machine; what should be faster asserts its own figure
PATIENCE_SECONDS = 40.0


@dataclass
class Api:
    """GraphQL over HTTP with one token, or none."""

    url: str
    token: str | None = None
    http: httpx.AsyncClient = field(
        default_factory=lambda: httpx.AsyncClient(
            trust_env=False, timeout=30, limits=httpx.Limits(max_connections=None, max_keepalive_connections=0)
        )
    )

    async def post(self, document: str, headers: dict[str, str] | None = None, /, **variables: Any) -> httpx.Response:
        identity = {"Authorization": f"Bearer {self.token}"} if self.token else {}
        body = {"query": document, "variables": variables}
        return await self.http.post(self.url, json=body, headers={**identity, **(headers or {})})

    async def answer(self, document: str, /, **variables: Any) -> dict[str, Any]:
        """The whole response: `data` and `errors`."""
        found: dict[str, Any] = (await self.post(document, **variables)).json()
        return found

    async def run(self, document: str, /, **variables: Any) -> Any:
        """What the innermost single field answers: `{ customer { viewer { … } } }` gives the viewer."""
        answer = await self.answer(document, **variables)
        assert "errors" not in answer, answer["errors"]
        (namespace,) = answer["data"].values()
        (found,) = namespace.values()
        return found

    async def code(self, document: str, /, **variables: Any) -> str:
        """`extensions.code` of the first error."""
        code: str = (await self.answer(document, **variables))["errors"][0]["extensions"]["code"]
        return code


class StreamEnded(Exception):
    """The server completed the operation, or refused it with these errors."""


@dataclass
class Stream:
    """One operation."""

    #: ends it from here
    complete: Callable[[], Awaitable[None]]
    waiting: asyncio.Queue[dict[str, Any] | Exception] = field(default_factory=asyncio.Queue)
    #: everything that came, in order
    seen: list[dict[str, Any]] = field(default_factory=list)

    async def next(self, seconds: float = PATIENCE_SECONDS) -> dict[str, Any]:
        """The next event, with the instant it came as `arrivedAt`. Raises StreamEnded, ConnectionClosed, TimeoutError."""
        async with asyncio.timeout(seconds):
            item = await self.waiting.get()
        if isinstance(item, Exception):
            raise item
        self.seen.append(item)
        return item

    async def until(
        self, typename: str, seconds: float = PATIENCE_SECONDS, *, where: Callable[[dict[str, Any]], bool] | None = None
    ) -> dict[str, Any]:
        async with asyncio.timeout(seconds):
            while True:
                event = await self.next(seconds)
                if event["__typename"] == typename and (where is None or where(event)):
                    return event

    def named(self, typename: str) -> list[dict[str, Any]]:
        return [event for event in self.seen if event["__typename"] == typename]

    @property
    def cursor(self) -> str:
        cursor: str = self.seen[-1]["cursor"]
        return cursor


class Socket:
    """A WebSocket after connection_ack, with any number of operations."""

    def __init__(self, connection: ClientConnection) -> None:
        self.connection = connection
        self._numbers = itertools.count(1)
        self._streams: dict[str, Stream] = {}
        self._reader = asyncio.create_task(self._read())

    async def send(self, message: object) -> None:
        await self.connection.send(json.dumps(message))

    async def follow(self, document: str, /, **variables: Any) -> Stream:
        number = str(next(self._numbers))

        async def complete() -> None:
            await self.send({"id": number, "type": "complete"})

        stream = self._streams[number] = Stream(complete)
        payload = {"query": document, "variables": variables}
        await self.send({"id": number, "type": "subscribe", "payload": payload})
        return stream

    async def close(self) -> None:
        await self.connection.close()
        self._reader.cancel()
        await asyncio.gather(self._reader, return_exceptions=True)

    async def _read(self) -> None:
        try:
            async for frame in self.connection:
                message = json.loads(frame)
                if (stream := self._streams.get(message.get("id", ""))) is not None:
                    stream.waiting.put_nowait(_item(message))
            self._end(ConnectionClosed(None, None))
        except ConnectionClosed as error:
            self._end(error)

    def _end(self, error: Exception) -> None:
        for stream in self._streams.values():
            stream.waiting.put_nowait(error)


AnySocket = TypeVar("AnySocket", bound=Socket)


def _item(message: dict[str, Any]) -> dict[str, Any] | Exception:
    return item_of(message["payload"]) if message["type"] == "next" else StreamEnded(message.get("payload"))


def item_of(payload: dict[str, Any]) -> dict[str, Any] | Exception:
    """What a `next` brings."""
    if payload.get("errors"):
        return StreamEnded(payload["errors"])
    (event,) = payload["data"].values()
    return {**event, "arrivedAt": time.time()} if isinstance(event, dict) else {"__typename": "value", "value": event}


@asynccontextmanager
async def connected(
    url: str, *, origin: str | None = None, headers: dict[str, str] | None = None
) -> AsyncIterator[ClientConnection]:
    """A bare WebSocket, before connection_init."""
    async with connect(
        url,
        subprotocols=[Subprotocol("graphql-transport-ws")],
        origin=Origin(origin) if origin else None,
        additional_headers=headers or {},
        proxy=None,
        close_timeout=2,
    ) as connection:
        yield connection


async def receive(connection: ClientConnection) -> dict[str, Any]:
    async with asyncio.timeout(PATIENCE_SECONDS):
        frame = await connection.recv()
    assert isinstance(frame, str), "messages travel in text frames"
    message: dict[str, Any] = json.loads(frame)
    return message


async def closing(connection: ClientConnection, seconds: float = PATIENCE_SECONDS) -> tuple[int, str]:
    """Waits for the server to close; the code and the reason."""
    async with asyncio.timeout(seconds):
        await connection.wait_closed()
    return connection.close_code or 0, connection.close_reason or ""


@asynccontextmanager
async def opened(url: str, token: str | None = None) -> AsyncIterator[Socket]:
    """A socket that the server has acknowledged."""
    async with opened_as(Socket, url, token) as socket:
        yield socket


@asynccontextmanager
async def opened_as(kind: type[AnySocket], url: str, token: str | None) -> AsyncIterator[AnySocket]:
    async with connected(url) as connection:
        payload = {"authorization": f"Bearer {token}"} if token else {}
        await connection.send(json.dumps({"type": "connection_init", "payload": payload}))
        assert (await receive(connection))["type"] == "connection_ack"
        socket = kind(connection)
        try:
            yield socket
        finally:
            await socket.close()
