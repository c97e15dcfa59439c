"""A gate with weather: what goes through it takes its time, and connections are reset."""

from __future__ import annotations

import asyncio
import contextlib
import socket
import struct

from tests.journeys.gate import Gate

RESET_ON_CLOSE = struct.pack("ii", 1, 0)


class WeatherGate(Gate):
    #: a round trip through it takes so much longer
    latency_seconds = 0.0

    def reset(self) -> None:
        """Every connection breaks off at both ends; new ones are let through."""
        self._run(self._reset())

    async def _reset(self) -> None:
        for writer in self._writers:
            if not writer.transport.is_closing():
                writer.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, RESET_ON_CLOSE)
                writer.transport.abort()
        self._writers.clear()

    async def _pour(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        on_the_way: asyncio.Queue[tuple[float, bytes]] = asyncio.Queue()
        arriving = asyncio.create_task(self._arrive(on_the_way, writer))
        loop = asyncio.get_running_loop()
        try:
            with contextlib.suppress(OSError):
                while data := await reader.read(65536):
                    on_the_way.put_nowait((loop.time() + self.latency_seconds / 2, data))
            on_the_way.put_nowait((loop.time() + self.latency_seconds / 2, b""))
            await arriving
        finally:
            arriving.cancel()

    async def _arrive(self, on_the_way: asyncio.Queue[tuple[float, bytes]], writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(OSError):
            while (one := await on_the_way.get())[1]:
                await asyncio.sleep(one[0] - asyncio.get_running_loop().time())
                writer.write(one[1])
                await writer.drain()
