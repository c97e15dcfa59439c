"""The wire: uvicorn's WebSocket protocol, which gives up peers that do not read instead of waiting for them for ever."""

from __future__ import annotations

import contextlib
import socket
from asyncio import BaseTransport, TimerHandle
from typing import Any

from uvicorn.protocols.websockets.websockets_sansio_impl import WebSocketsSansIOProtocol
from websockets.frames import Frame

#: how long a peer may take nothing: a full buffer wait for it, and a closing one for the last bytes to leave
STALL_SECONDS = 10.0
#: what the kernel may hold unsent for one peer: it would take megabytes, and hide for as long whether the peer reads
UNSENT_BYTES = 131_072


class WebSocketProtocol(WebSocketsSansIOProtocol):
    """A socket's memory is its transport's buffer: writers wait while it is full, and a peer that lets them wait too
    long is cut off. The library closes politely, behind data that nobody reads, and so never.

    The overridden methods are not public API: the version is pinned and `tests/app/test_wire.py` holds each.
    """

    _deadline: TimerHandle | None = None

    def connection_made(self, transport: BaseTransport) -> None:
        super().connection_made(transport)
        if hasattr(socket, "TCP_NOTSENT_LOWAT") and (own := transport.get_extra_info("socket")) is not None:
            with contextlib.suppress(OSError):  # it may be gone already, or be none of TCP
                own.setsockopt(socket.IPPROTO_TCP, socket.TCP_NOTSENT_LOWAT, UNSENT_BYTES)

    def pause_writing(self) -> None:
        super().pause_writing()
        self._abort_later()

    def resume_writing(self) -> None:
        super().resume_writing()
        if not (self.close_sent or self.transport.is_closing()):
            self._keep()

    async def send(self, message: Any) -> None:
        await super().send(message)
        if message["type"] == "websocket.close":
            self._abort_later()

    def handle_ping(self) -> None:
        if self.writable.is_set() and not self.close_sent:
            super().handle_ping()
        else:
            self.conn.data_to_send()  # forgotten: pongs would pile up behind what the peer does not read

    def handle_close(self, event: Frame) -> None:
        super().handle_close(event)
        self._abort_later()

    def handle_parser_exception(self) -> None:
        """Says why and hangs up on one side, then lets the peer finish its sentence: closed with bytes unread, the
        connection would be reset, and the reason lost on the way."""
        said = self.conn.close_sent
        if self.close_sent or said is None:
            return
        self.queue.put_nowait({"type": "websocket.disconnect", "code": said.code, "reason": said.reason})
        self.transport.write(b"".join(self.conn.data_to_send()))
        self.close_sent = True
        if self.transport.can_write_eof():
            self.transport.write_eof()
        if self.read_paused:
            self.read_paused = False
            self.transport.resume_reading()
        self.close_timer = self.loop.call_later(self.close_timeout, self.transport.close)
        self._abort_later()

    def shutdown(self) -> None:
        super().shutdown()
        self._abort_later()

    def keepalive_timeout(self) -> None:
        super().keepalive_timeout()
        self.transport.abort()

    def connection_lost(self, exc: Exception | None) -> None:
        self._keep()
        super().connection_lost(exc)

    def _abort_later(self) -> None:
        if self._deadline is None:
            self._deadline = self.loop.call_later(STALL_SECONDS, self.transport.abort)

    def _keep(self) -> None:
        if self._deadline is not None:
            self._deadline.cancel()
            self._deadline = None
