"""The wire of HTTP: what a connection promises to a response without an end."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, nullcontext
from typing import Any

import pytest
import uvicorn

from app import http_wire
from app.http_wire import HttpProtocol
from tests.app import ways
from tests.journeys import clients

REQUEST = b"GET / HTTP/1.1\r\nHost: x\r\n\r\n"
HEAD = {"type": "http.response.start", "status": 200, "headers": []}
App = Callable[[HttpProtocol, Callable[[Any], Awaitable[None]]], Awaitable[None]]


class Endless:
    """A response that ends when the connection says so."""

    def __init__(self) -> None:
        self.told = asyncio.Event()

    def shut_down(self) -> None:
        self.told.set()


@asynccontextmanager
async def listening(app: App) -> AsyncIterator[tuple[uvicorn.Server, str]]:
    """A server of our protocol that answers every request by `app(connection, send)`; and its address."""

    async def asgi(scope: Any, receive: Any, send: Any) -> None:
        await receive()
        await send(HEAD)
        await app(scope["extensions"][http_wire.EXTENSION], send)

    server = uvicorn.Server(uvicorn.Config(asgi, http=HttpProtocol, lifespan="off", log_config=None, timeout_graceful_shutdown=1))
    server.capture_signals = nullcontext  # type: ignore[method-assign, assignment]
    with socket.create_server(("127.0.0.1", 0)) as listener:
        running = asyncio.create_task(server.serve([listener]))
        try:
            yield server, f"http://127.0.0.1:{listener.getsockname()[1]}"
        finally:
            server.should_exit = True
            async with asyncio.timeout(clients.PATIENCE_SECONDS):
                await running


async def ask(url: str) -> socket.socket:
    peer = await ways.small_socket(url)
    await asyncio.get_running_loop().sock_sendall(peer, REQUEST)
    return peer


async def finish(send: Any) -> None:
    await send({"type": "http.response.body", "body": b"", "more_body": False})


async def test_the_kernel_holds_little_for_a_peer_and_gives_up_one_that_is_silent() -> None:
    options: list[int] = []

    async def app(connection: HttpProtocol, send: Any) -> None:
        connection.begin(Endless())
        own = connection.transport.get_extra_info("socket")
        options.extend(
            own.getsockopt(socket.IPPROTO_TCP, getattr(socket, name)) for name in ("TCP_NOTSENT_LOWAT", "TCP_USER_TIMEOUT")
        )
        connection.end()
        await finish(send)

    if not hasattr(socket, "TCP_USER_TIMEOUT"):
        pytest.skip("not on this system")
    async with listening(app) as (_, url):
        with await ask(url) as peer:
            assert await asyncio.get_running_loop().sock_recv(peer, 1000)
    assert options == [http_wire.UNSENT_BYTES, int(http_wire.SILENT_SECONDS * 1000)]


async def test_a_shutdown_is_told_to_a_response_that_runs_and_to_one_that_begins_too_late() -> None:
    for late in (False, True):
        response, begun = Endless(), asyncio.Event()

        async def app(
            connection: HttpProtocol, send: Any, *, response: Endless = response, begun: asyncio.Event = begun, late: bool = late
        ) -> None:
            begun.set()
            if late:
                while not connection._is_shutting_down:
                    await asyncio.sleep(0)
            connection.begin(response)
            await response.told.wait()
            await finish(send)

        async with listening(app) as (server, url):
            with await ask(url):
                await begun.wait()
                server.should_exit = True
                async with asyncio.timeout(clients.PATIENCE_SECONDS):
                    await response.told.wait()


async def test_who_reads_nothing_is_gone_when_it_is_cut_off() -> None:
    gone = asyncio.Event()

    async def app(connection: HttpProtocol, send: Any) -> None:
        connection.begin(Endless())
        while connection.is_writable:
            await send({"type": "http.response.body", "body": b"x" * 100_000, "more_body": True})
        connection.abort()
        # A write to who is gone waits for nothing.
        await send({"type": "http.response.body", "body": b"x", "more_body": True})
        gone.set()

    async with listening(app) as (server, url):
        with await ask(url):
            async with asyncio.timeout(clients.PATIENCE_SECONDS):
                await gone.wait()
                while server.server_state.connections:
                    await asyncio.sleep(0.01)
