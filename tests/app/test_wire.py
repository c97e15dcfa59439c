"""The wire: peers that do not read are cut off, whatever they keep the server waiting for."""

from __future__ import annotations

import asyncio
import contextlib
import socket
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Any

import psutil
import pytest
import uvicorn

from app import wire
from app.wire import WebSocketProtocol

HANDSHAKE = (
    b"GET / HTTP/1.1\r\nHost: x\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
    b"Sec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\nSec-WebSocket-Version: 13\r\n\r\n"
)
PING = b"\x89\xfd\0\0\0\0" + b"p" * 125
CLOSE = b"\x88\x80\0\0\0\0"
TEXT = "x" * 100_000
App = Callable[[Callable[[], Awaitable[Any]], Callable[[Any], Awaitable[None]]], Awaitable[None]]


@asynccontextmanager
async def listening(app: App, protocol: type[WebSocketProtocol] = WebSocketProtocol, **options: Any) -> AsyncIterator[int]:
    """A server of our protocol whose sockets run `app(receive, send)`; its port."""

    async def asgi(scope: Any, receive: Any, send: Any) -> None:
        await receive()
        await send({"type": "websocket.accept"})
        await app(receive, send)

    config = uvicorn.Config(asgi, port=0, ws=protocol, lifespan="off", log_config=None, timeout_graceful_shutdown=1, **options)
    server = uvicorn.Server(config)
    server.capture_signals = contextlib.nullcontext  # type: ignore[method-assign, assignment]
    with socket.create_server(("127.0.0.1", 0)) as listener:
        running = asyncio.create_task(server.serve([listener]))
        try:
            yield listener.getsockname()[1]
        finally:
            server.should_exit = True
            await running


@asynccontextmanager
async def silent_peer(port: int) -> AsyncIterator[socket.socket]:
    """A WebSocket that never reads."""
    loop = asyncio.get_running_loop()
    with socket.socket() as peer:
        peer.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        peer.setblocking(False)
        await loop.sock_connect(peer, ("127.0.0.1", port))
        await loop.sock_sendall(peer, HANDSHAKE)
        yield peer


async def flood(send: Any, ended: asyncio.Event) -> None:
    try:
        while True:
            await send({"type": "websocket.send", "text": TEXT})
    except OSError:
        ended.set()


@pytest.fixture(autouse=True)
def little_patience(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(wire, "STALL_SECONDS", 0.5)


async def test_a_peer_that_never_reads_is_cut_off_and_its_writer_told() -> None:
    ended = asyncio.Event()
    async with listening(lambda _, send: flood(send, ended)) as port, silent_peer(port):
        async with asyncio.timeout(30):
            await ended.wait()


async def test_a_peer_that_answers_no_ping_is_cut_off_although_bytes_wait_for_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(wire, "STALL_SECONDS", 60)
    ended = asyncio.Event()
    async with (
        listening(lambda _, send: flood(send, ended), ws_ping_interval=0.2, ws_ping_timeout=0.3) as port,
        silent_peer(port),
    ):
        async with asyncio.timeout(30):
            await ended.wait()


async def test_a_slow_reader_is_kept() -> None:
    ended = asyncio.Event()
    loop = asyncio.get_running_loop()
    async with listening(lambda _, send: flood(send, ended)) as port, silent_peer(port) as peer:
        for _ in range(20):
            for _ in range(20):
                await loop.sock_recv(peer, 100_000)
            await asyncio.sleep(0.1)
        assert not ended.is_set()


@pytest.mark.parametrize("farewell", [b"", CLOSE, b"\xff\xff"])
async def test_a_closing_socket_does_not_wait_for_ever_for_its_last_bytes(farewell: bytes) -> None:
    """Closed from here, from there, or because of nonsense, with a full buffer that counts as not full."""
    gone = asyncio.Event()

    class Watched(WebSocketProtocol):
        def connection_lost(self, exc: Exception | None) -> None:
            super().connection_lost(exc)
            gone.set()

        def connection_made(self, transport: Any) -> None:
            super().connection_made(transport)
            transport.set_write_buffer_limits(high=100_000_000)

    async def app(receive: Any, send: Any) -> None:
        for _ in range(100):
            await send({"type": "websocket.send", "text": TEXT})
        if not farewell:
            await send({"type": "websocket.close", "code": 1000})
        with contextlib.suppress(OSError):
            while (await receive())["type"] != "websocket.disconnect":
                pass

    async with listening(app, Watched) as port, silent_peer(port) as peer:
        if farewell:
            await asyncio.sleep(0.2)
            await asyncio.get_running_loop().sock_sendall(peer, farewell)
        async with asyncio.timeout(30):
            await gone.wait()


async def test_a_message_that_is_too_big_is_told_so_while_it_is_still_on_its_way() -> None:
    async def app(receive: Any, send: Any) -> None:
        while (await receive())["type"] != "websocket.disconnect":
            pass

    loop = asyncio.get_running_loop()
    async with listening(app, ws_max_size=100_000) as port, silent_peer(port) as peer:
        assert b" 101 " in await loop.sock_recv(peer, 1000)
        await loop.sock_sendall(peer, b"\x81\xff" + (20_000_000).to_bytes(8) + bytes(4))
        for _ in range(20):
            await loop.sock_sendall(peer, b"x" * 1_000_000)
            await asyncio.sleep(0.01)
        heard = b""
        while piece := await loop.sock_recv(peer, 10_000):
            heard += piece
        assert (1009).to_bytes(2) in heard


async def test_pongs_do_not_pile_up_for_a_peer_that_only_writes(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(wire, "STALL_SECONDS", 60)
    ended = asyncio.Event()
    loop = asyncio.get_running_loop()
    async with listening(lambda _, send: flood(send, ended)) as port, silent_peer(port) as peer:
        await asyncio.sleep(0.3)
        before = psutil.Process().memory_info().rss
        for _ in range(200):
            await loop.sock_sendall(peer, PING * 1000)
        await asyncio.sleep(0.1)
        assert psutil.Process().memory_info().rss - before < 10_000_000
