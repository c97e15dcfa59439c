"""Mailbox: what a client says, taken in one message after another by a task that lives only while there is something."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from typing import Any, Protocol

#: messages that wait; then the client has to, until some are done
LIMIT = 32

Event = Mapping[str, Any]


class Listener(Protocol):
    async def hear(self, event: Event) -> None:
        """Takes in `websocket.receive` or, once or twice at the end, `websocket.disconnect`. Raises nothing."""

    def drain(self) -> None:
        """Ends what it does and closes the socket, soon."""


class Mailbox:
    """Stands where uvicorn keeps the queue of a running application, for a connection whose application has returned."""

    __slots__ = ("_next", "_task", "_tasks", "_waiting", "listener")

    def __init__(self, listener: Listener, next_: Callable[[], None], tasks: set[asyncio.Task[None]]) -> None:
        """`next_` is called after each event; `tasks`: those that a shutdown waits for."""
        self.listener = listener
        self._next = next_
        self._tasks = tasks
        self._task: asyncio.Task[None] | None = None
        self._waiting: list[Event] = []

    @property
    def is_full(self) -> bool:
        return len(self._waiting) >= LIMIT

    def put_nowait(self, event: Event) -> None:
        self._waiting.append(event)
        if self._task is None:
            self._task = asyncio.get_running_loop().create_task(self._empty())
            self._tasks.add(self._task)
            self._task.add_done_callback(self._tasks.discard)

    async def _empty(self) -> None:
        try:
            while self._waiting:
                await self.listener.hear(self._waiting.pop(0))
                self._next()
        finally:
            self._task = None
