"""A fuse: a gate before the database at which a process is killed when the n-th piece of its talk comes by."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable

from tests.journeys.gate import Gate


class Fuse(Gate):
    #: pieces that came by since it was armed
    passed = 0
    _left = 0
    _blow: Callable[[], None] | None = None

    def arm(self, pieces: int, blow: Callable[[], None]) -> None:
        """Calls `blow` once, from the gate's thread, when that many pieces have come by; the last one is not let through."""
        self.passed, self._left, self._blow = 0, pieces, blow

    def disarm(self) -> None:
        self._blow = None

    async def _pour(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(OSError):
            while data := await reader.read(65536):
                self.passed += 1
                self._left -= 1
                if self._left <= 0 and (blow := self._blow) is not None:
                    self._blow = None
                    blow()
                    return
                writer.write(data)
                await writer.drain()
