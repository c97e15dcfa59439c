"""Protocol: uvicorn's WebSocket connection, which lets the broadcast write to it and takes itself out in time."""

from __future__ import annotations

import asyncio
from typing import Any, Protocol

from websockets.frames import Frame
from websockets.http11 import Request

from app.wire import WebSocketProtocol

EXTENSION = "nimrod.direct"
#: how long a peer may take nothing at all
STALL_SECONDS = 10.0


class Member(Protocol):
    def fall_back(self) -> None: ...


class DirectProtocol(WebSocketProtocol):
    """`scope["extensions"]["nimrod.direct"]` of its sockets. The overridden names are uvicorn's own: the version is pinned."""

    transport: asyncio.Transport
    _has_sent_close = False

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        #: what the broadcast writes to this socket for, with a way out of each
        self.members: dict[Member, Any] = {}
        super().__init__(*args, **kwargs)

    @property
    def is_open(self) -> bool:
        """Whether a frame may be written now."""
        return self.handshake_complete and not self._has_sent_close and self.writable.is_set() and not self.transport.is_closing()

    async def wait_until_writable(self) -> bool:
        """False when the peer took nothing for too long; the connection is gone then."""
        try:
            async with asyncio.timeout(STALL_SECONDS):
                await self.writable.wait()
        except TimeoutError:
            self.transport.abort()
            return False
        return True

    def leave_all(self) -> None:
        members, self.members = self.members, {}
        for leave in members.values():
            leave()

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

    def pause_writing(self) -> None:
        super().pause_writing()
        for member in list(self.members):
            member.fall_back()

    def handle_close(self, event: Frame) -> None:
        self.leave_all()
        super().handle_close(event)

    def shutdown(self) -> None:
        self.leave_all()
        super().shutdown()

    def connection_lost(self, exc: Exception | None) -> None:
        self.leave_all()
        super().connection_lost(exc)
