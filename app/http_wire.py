"""The wire of HTTP: uvicorn's connection, which cuts off peers that do not read and tells endless responses of a shutdown."""

from __future__ import annotations

import asyncio
import contextlib
import socket
from typing import Any, Protocol

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

EXTENSION = "nimrod.http"
#: what the kernel may hold unsent for one peer, as on a WebSocket
UNSENT_BYTES = 131_072
#: how long a peer may leave what was sent unanswered: one that has lost its power says nothing more
SILENT_SECONDS = 20.0


class Endless(Protocol):
    def shut_down(self) -> None:
        """Ends the response soon, and without waiting for it."""


class HttpProtocol(HttpToolsProtocol):
    """`scope["extensions"]["nimrod.http"]` of its requests. The overridden names are uvicorn's own: the version is pinned."""

    transport: asyncio.Transport
    _endless: Endless | None = None
    _is_shutting_down = False

    @property
    def is_writable(self) -> bool:
        """Whether a write goes out without waiting for the peer."""
        return not self.flow.write_paused

    def begin(self, response: Endless) -> None:
        """The connection carries a response without an end from here on."""
        self._endless = response
        own = self.transport.get_extra_info("socket")
        for name, value in (("TCP_NOTSENT_LOWAT", UNSENT_BYTES), ("TCP_USER_TIMEOUT", int(SILENT_SECONDS * 1000))):
            if own is not None and hasattr(socket, name):
                with contextlib.suppress(OSError):  # it may be gone already, or be none of TCP
                    own.setsockopt(socket.IPPROTO_TCP, getattr(socket, name), value)
        if self._is_shutting_down:
            response.shut_down()

    def end(self) -> None:
        self._endless = None

    def abort(self) -> None:
        """Closed politely it would stay behind data that nobody reads."""
        self.transport.abort()

    def on_message_begin(self) -> None:
        super().on_message_begin()
        extensions: dict[str, Any] = {EXTENSION: self}
        self.scope["extensions"] = extensions

    def shutdown(self) -> None:
        self._is_shutting_down = True
        super().shutdown()
        if self._endless is not None:
            self._endless.shut_down()
