"""Protocol: uvicorn's WebSocket connection, which outlives its application and lets the broadcast write to it."""

from __future__ import annotations

import asyncio
import logging
from typing import Any, Protocol

from uvicorn.protocols.utils import ClientDisconnected
from websockets.frames import Frame
from websockets.http11 import Request

from app.fanout import broadcast
from app.fanout.mailbox import Listener, Mailbox
from app.wire import WebSocketProtocol

logger = logging.getLogger(__name__)

EXTENSION = "nimrod.direct"
#: how long a shutdown waits for the peer's answer to the close frame
FAREWELL_SECONDS = 1.0


class Member(Protocol):
    def fall_back(self) -> None: ...


class Room:
    """asyncio.Event without its queue, which an idle socket would keep for nothing."""

    __slots__ = ("_bell", "_is_set")

    def __init__(self) -> None:
        self._is_set = True
        self._bell: asyncio.Event | None = None

    def is_set(self) -> bool:
        return self._is_set

    def set(self) -> None:
        self._is_set = True
        if self._bell is not None:
            self._bell.set()
            self._bell = None

    def clear(self) -> None:
        self._is_set = False

    async def wait(self) -> None:
        while not self._is_set:
            if self._bell is None:
                self._bell = asyncio.Event()
            await self._bell.wait()


class DirectProtocol(WebSocketProtocol):
    """`scope["extensions"]["nimrod.direct"]` of its sockets. The overridden names are uvicorn's own: the version is pinned."""

    transport: asyncio.Transport
    _has_sent_close = False

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        #: what the broadcast writes to this socket for
        self.members: dict[Member, broadcast.Seat] = {}
        super().__init__(*args, **kwargs)
        self.writable = Room()  # type: ignore[assignment]

    @property
    def is_open(self) -> bool:
        """Whether a frame may be written now."""
        return self.handshake_complete and not self._has_sent_close and self.writable.is_set() and not self.transport.is_closing()

    async def wait_until_writable(self) -> bool:
        """False when the connection is gone instead: a peer that takes nothing for too long is cut off, see `wire`."""
        await self.writable.wait()
        return not self.disconnected

    def park(self, listener: Listener) -> None:
        """From here on the listener hears what comes; the application may return, and what it used is let go."""
        earlier = self.queue
        mailbox = Mailbox(listener, self._hear_on, self.tasks)
        self.queue = mailbox  # type: ignore[assignment]
        while not earlier.empty():
            mailbox.put_nowait(earlier.get_nowait())
        self._hear_on()

    @property
    def _mailbox(self) -> Mailbox | None:
        return self.queue if isinstance(self.queue, Mailbox) else None

    def _hear_on(self) -> None:
        mailbox = self._mailbox
        if mailbox is not None and self.read_paused and not mailbox.is_full:
            self.read_paused = False
            self.transport.resume_reading()

    async def send_text(self, text: bytes) -> None:
        """Writes a message, once the peer has room for it. Raises ClientDisconnected."""
        if not self.writable.is_set():
            await self.writable.wait()
        if self.disconnected or self._has_sent_close or self.transport.is_closing():
            raise ClientDisconnected
        self.transport.write(broadcast.frame(text))

    def leave_all(self) -> None:
        members, self.members = self.members, {}
        for seat in members.values():
            seat.leave()

    @property
    def close_sent(self) -> bool:
        return self._has_sent_close

    @close_sent.setter
    def close_sent(self, value: bool) -> None:
        # A frame behind the close frame breaks the protocol.
        self._has_sent_close = value
        if value:
            self.leave_all()

    def handle_connect(self, event: Request) -> None:
        super().handle_connect(event)
        if self.response.status_code == 101:
            # The application has not started yet: its task begins with the next turn of the loop.
            self.scope["extensions"][EXTENSION] = self  # type: ignore[assignment]

    async def run_asgi(self) -> None:
        try:
            await self.app(self.scope, self.receive, self.send)
        except ClientDisconnected:
            pass
        except BaseException:
            self.logger.exception("Exception in ASGI application\n")
            self.send_500_response()
        else:
            if self._mailbox is not None:
                del self.scope, self.request, self.response
                return
            if not self.handshake_complete:
                self.send_500_response()
        if self.close_timer is None:
            self.transport.close()

    def send_receive_event_to_app(self) -> None:
        super().send_receive_event_to_app()
        self._hear_on()

    def pause_writing(self) -> None:
        super().pause_writing()
        for member in list(self.members):
            member.fall_back()

    def handle_close(self, event: Frame) -> None:
        self.leave_all()
        super().handle_close(event)

    def shutdown(self) -> None:
        mailbox = self._mailbox
        if mailbox is None or self._has_sent_close or self.transport.is_closing():
            self.leave_all()
            super().shutdown()
        else:
            self.close_timeout = FAREWELL_SECONDS
            mailbox.listener.drain()

    def connection_lost(self, exc: Exception | None) -> None:
        self.leave_all()
        super().connection_lost(exc)
