"""A gate in front of PostgreSQL: a TCP relay that can be shut, so that the database is away without touching it."""

from __future__ import annotations

import asyncio
import contextlib
import gc
import socket
import threading
from collections.abc import Coroutine
from typing import Any

from psycopg.conninfo import conninfo_to_dict


class Gate:
    """Relays to the server behind a URL, from a thread of its own: tests may block while processes start behind it."""

    def __init__(self, database_url: str) -> None:
        self._to = conninfo_to_dict(database_url)
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, daemon=True)
        self._door: socket.socket | None = None
        self._relays: set[asyncio.Task[None]] = set()
        self._writers: list[asyncio.StreamWriter] = []
        self._flows = asyncio.Event()
        self.port = 0

    def open(self) -> Gate:
        self._thread.start()
        self._loop.call_soon_threadsafe(self._flows.set)
        self._run(self._open())
        return self

    @property
    def url(self) -> str:
        """The same database through the gate."""
        user, password = self._to.get("user", "postgres"), self._to.get("password") or ""
        return f"postgresql://{user}:{password}@127.0.0.1:{self.port}/{self._to['dbname']}"

    def shut(self) -> None:
        """As if the server were stopped: what is connected breaks off, who comes is refused."""
        self._run(self._shut())

    def mute(self) -> None:
        """As if a cable were pulled: nothing arrives any more, and nobody is told."""
        self._loop.call_soon_threadsafe(self._flows.clear)

    def reopen(self) -> None:
        self._loop.call_soon_threadsafe(self._flows.set)
        self._run(self._open())

    def close(self) -> None:
        self._run(self._shut())
        self._run(self._settle())
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()
        self._writers.clear()
        gc.collect()

    def _run(self, work: Coroutine[Any, Any, None]) -> None:
        asyncio.run_coroutine_threadsafe(work, self._loop).result(10)

    async def _open(self) -> None:
        if self._door is None:
            self._door = socket.create_server(("127.0.0.1", self.port), backlog=100)
            self._door.setblocking(False)
            self.port = self._door.getsockname()[1]
            self._loop.add_reader(self._door, self._let_in, self._door)

    async def _shut(self) -> None:
        if self._door is not None:
            self._loop.remove_reader(self._door)
            self._door.close()
            self._door = None
        for relay in list(self._relays):
            relay.cancel()
        await asyncio.gather(*self._relays, return_exceptions=True)

    async def _settle(self) -> None:
        """Aborted transports close in the loop's next rounds; a relay that just began ends there too."""
        while others := asyncio.all_tasks() - {asyncio.current_task()}:
            for task in others:
                task.cancel()
            await asyncio.wait(others)
        for writer in self._writers:
            writer.transport.abort()
        for _ in range(3):
            await asyncio.sleep(0)

    def _let_in(self, door: socket.socket) -> None:
        """At once: `asyncio.Server` would forget whom it had accepted when it is closed in the same moment."""
        near, _ = door.accept()
        near.setblocking(False)
        relay = self._loop.create_task(self._accept(near))
        self._relays.add(relay)
        relay.add_done_callback(self._relays.discard)
        # A task that is cancelled before its first step never reaches its `finally`.
        relay.add_done_callback(lambda _: near.close())

    async def _accept(self, near: socket.socket) -> None:
        reader, writer = await asyncio.open_connection(sock=near)
        self._writers.append(writer)
        try:
            await self._relay(reader, writer)
        finally:
            writer.transport.abort()

    async def _relay(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        connecting = asyncio.create_task(self._connect())
        try:
            far_reader, far_writer = await asyncio.shield(connecting)
        except asyncio.CancelledError:
            (await connecting)[1].transport.abort()
            raise
        ways = [asyncio.create_task(self._pour(*way)) for way in ((reader, far_writer), (far_reader, writer))]
        try:
            await asyncio.wait(ways, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for way in ways:
                way.cancel()
            await asyncio.gather(*ways, return_exceptions=True)
            far_writer.transport.abort()

    async def _connect(self) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        host, port = str(self._to.get("host") or "127.0.0.1"), int(self._to.get("port") or 5432)
        if host.startswith("/"):
            far = await asyncio.open_unix_connection(f"{host}/.s.PGSQL.{port}")
        else:
            far = await asyncio.open_connection(host, port)
        self._writers.append(far[1])
        return far

    async def _pour(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(OSError):
            while data := await reader.read(65536):
                await self._flows.wait()
                writer.write(data)
                await writer.drain()
