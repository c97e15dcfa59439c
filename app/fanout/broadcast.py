"""Broadcast: writes one event to many sockets, a frame for each operation id, without a task or a queue per socket."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

import orjson

Write = Callable[[bytes], object]


def opening(operation_id: str) -> bytes:
    """What stands before the payload in every `next` of an operation."""
    return b'{"id":' + orjson.dumps(operation_id) + b',"type":"next","payload":'


def frame(text: bytes) -> bytes:
    """A whole, unmasked, uncompressed text frame (RFC 6455, section 5.2)."""
    size = len(text)
    if size < 126:
        return b"\x81" + size.to_bytes(1) + text
    if size < 65536:
        return b"\x81\x7e" + size.to_bytes(2) + text
    return b"\x81\x7f" + size.to_bytes(8) + text


class Broadcast:
    """The sockets of one stream that keep up. Who does not is taken out by its protocol, see `protocol`."""

    def __init__(self, window_seconds: float) -> None:
        self._window = window_seconds
        self._groups: dict[bytes, dict[Any, Write]] = {}
        self._flat: list[tuple[bytes, list[Write]]] | None = []
        self._waiting: list[bytes] = []
        self._timer: asyncio.TimerHandle | None = None

    def __bool__(self) -> bool:
        return bool(self._groups)

    def members(self) -> list[Any]:
        return [member for group in self._groups.values() for member in group]

    def add(self, member: Any, opening: bytes, write: Write) -> None:
        self.flush()
        self._groups.setdefault(opening, {})[member] = write
        self._flat = None

    def discard(self, member: Any, opening: bytes) -> None:
        group = self._groups.get(opening)
        if group is None or group.pop(member, None) is None:
            return
        self._flat = None
        if not group:
            del self._groups[opening]

    def send(self, payload: bytes) -> None:
        if not self._window:
            self._write([payload])
            return
        self._waiting.append(payload)
        if self._timer is None:
            self._timer = asyncio.get_running_loop().call_later(self._window, self.flush)

    def flush(self) -> None:
        """Writes what waits for the end of the window."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        if self._waiting:
            payloads, self._waiting = self._waiting, []
            self._write(payloads)

    def _write(self, payloads: list[bytes]) -> None:
        if self._flat is None:
            self._flat = [(opening, list(group.values())) for opening, group in self._groups.items()]
        for opening, writes in self._flat:
            frames = b"".join([frame(opening + payload + b"}") for payload in payloads])
            for write in writes:
                write(frames)
