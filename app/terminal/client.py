"""The client: GraphQL over WebSocket (graphql-transport-ws) as a client speaks it."""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import json
from collections.abc import AsyncGenerator
from typing import Any, Literal
from urllib.parse import urlsplit, urlunsplit

from websockets import exceptions
from websockets.asyncio.client import ClientConnection, connect
from websockets.typing import Subprotocol

PROTOCOL = Subprotocol("graphql-transport-ws")
OPEN_SECONDS = 10.0
_FORBIDDEN = 4403
_LOOPBACK = ("localhost", "127.0.0.1", "::1")

Data = dict[str, Any]


class ClientError(Exception):
    """A sentence for the person at the terminal."""


class ServerAway(ClientError):
    """Nobody answers at that address."""


class ConnectionLost(ClientError):
    """The server closed the connection or went away."""


class TokenRefused(ClientError):
    """The access token is not valid, or has expired."""


class OperationFailed(ClientError):
    """The server answered with a top-level error."""

    def __init__(self, errors: list[Data]) -> None:
        extensions = errors[0].get("extensions") or {}
        self.code = str(extensions.get("code", ""))
        self.retry_after_seconds = int(extensions.get("retryAfterSeconds", 0))
        super().__init__(f"{errors[0].get('message', 'The operation failed.')}" + (f" ({self.code})" if self.code else ""))


def websocket_url(url: str) -> str:
    parts = urlsplit(url if "://" in url else f"http://{url}")
    scheme = {"http": "ws", "https": "wss"}.get(parts.scheme, parts.scheme)
    if scheme not in ("ws", "wss") or not parts.hostname:
        raise ClientError(f"{url} is not an address of a GraphQL server, such as http://127.0.0.1:8000/graphql.")
    return urlunsplit((scheme, parts.netloc, parts.path if parts.path not in ("", "/") else "/graphql", parts.query, ""))


class Socket:
    """One connection, acknowledged. Runs any number of operations at a time; when it is lost, all of them end."""

    def __init__(self, url: str, connection: ClientConnection) -> None:
        self._url = url
        self._connection = connection
        self._numbers = itertools.count(1)
        self._operations: dict[str, asyncio.Queue[Data | ClientError]] = {}
        self._reading = asyncio.create_task(self._read())
        self._lost: ClientError | None = None

    @classmethod
    async def open(cls, url: str, token: str | None) -> Socket:
        """Raises ServerAway, TokenRefused, ClientError."""
        target = websocket_url(url)
        proxy: Literal[True] | None = None if urlsplit(target).hostname in _LOOPBACK else True
        try:
            connection = await connect(
                target, subprotocols=[PROTOCOL], open_timeout=OPEN_SECONDS, proxy=proxy, compression=None, max_size=2**22
            )
        except exceptions.InvalidStatus as error:
            raise _status_error(url, error.response.status_code) from None
        except (exceptions.InvalidHandshake, exceptions.InvalidURI) as error:
            raise ClientError(f"{url} does not speak GraphQL over WebSocket: {error}") from None
        except (OSError, TimeoutError, exceptions.WebSocketException):
            raise ServerAway(f"No server answers at {url}. Start one with: nimrod serve") from None
        try:
            await cls._initialize(url, connection, token)
        except BaseException:
            await connection.close()
            raise
        return cls(url, connection)

    @staticmethod
    async def _initialize(url: str, connection: ClientConnection, token: str | None) -> None:
        if connection.subprotocol != PROTOCOL:
            raise ClientError(f"{url} does not speak {PROTOCOL}.")
        payload = {"authorization": f"Bearer {token}"} if token else {}
        try:
            await connection.send(json.dumps({"type": "connection_init", "payload": payload}))
            async with asyncio.timeout(OPEN_SECONDS):
                while json.loads(await connection.recv()).get("type") != "connection_ack":
                    pass  # a ping may come first
        except exceptions.ConnectionClosed as error:
            raise _closed(error) from None
        except TimeoutError:
            raise ServerAway(f"The server at {url} does not answer.") from None

    async def execute(self, document: str, variables: Data | None = None) -> Data:
        """The data of a query or mutation."""
        async with contextlib.aclosing(self.stream(document, variables)) as results:
            async for data in results:
                return data
        raise ConnectionLost("The server ended the operation without an answer.")

    async def stream(self, document: str, variables: Data | None = None) -> AsyncGenerator[Data, None]:
        """The data of each result. Raises ConnectionLost, TokenRefused, OperationFailed."""
        name = str(next(self._numbers))
        queue = self._operations[name] = asyncio.Queue()
        is_over = False
        try:
            await self._send({"id": name, "type": "subscribe", "payload": {"query": document, "variables": variables or {}}})
            while True:
                message = await queue.get()
                if isinstance(message, ClientError):
                    raise message
                is_over = message["type"] != "next"
                if message["type"] == "complete":
                    return
                yield _data_of(message)
        finally:
            del self._operations[name]
            if not is_over:
                with contextlib.suppress(ClientError):
                    await self._send({"id": name, "type": "complete"})

    @property
    def is_lost(self) -> bool:
        return self._lost is not None

    async def close(self) -> None:
        self._reading.cancel()
        await self._connection.close()

    async def _send(self, message: Data) -> None:
        if self._lost is not None:
            raise self._lost
        try:
            await self._connection.send(json.dumps(message))
        except exceptions.ConnectionClosed as error:
            raise _closed(error) from None

    async def _read(self) -> None:
        try:
            async for text in self._connection:
                message = json.loads(text)
                if message["type"] == "ping":
                    await self._connection.send('{"type":"pong"}')
                elif (queue := self._operations.get(message.get("id", ""))) is not None:
                    queue.put_nowait(message)
        except exceptions.ConnectionClosed as error:
            self._lose(_closed(error))
        finally:
            self._lose(ConnectionLost(f"The server at {self._url} closed the connection."))

    def _lose(self, why: ClientError) -> None:
        if self._lost is not None:
            return
        self._lost = why
        for queue in self._operations.values():
            queue.put_nowait(why)


def _data_of(message: Data) -> Data:
    payload = message["payload"]
    faults = payload if message["type"] == "error" else payload.get("errors")
    if faults:
        raise OperationFailed(faults)
    data: Data = payload["data"]
    return data


def _closed(error: exceptions.ConnectionClosed) -> ClientError:
    if error.rcvd is not None and error.rcvd.code == _FORBIDDEN:
        return TokenRefused("The access token is not valid, or has expired. Sign in again, or unset NIMROD_TOKEN.")
    reason = f" ({error.rcvd.code} {error.rcvd.reason})".replace(" )", ")") if error.rcvd is not None else ""
    return ConnectionLost(f"The connection was lost{reason}.")


def _status_error(url: str, status: int) -> ClientError:
    if status >= 500:
        return ServerAway(f"The server at {url} is not ready (HTTP {status}).")
    return ClientError(f"There is no GraphQL over WebSocket at {url} (HTTP {status}). Is the address right?")
