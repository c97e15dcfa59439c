"""Mailbox: what a client says, taken in one message after another by a task that lives only while there is something."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from typing import Any

#: messages that wait; then the client has to, until some are done
LIMIT = 32

Event = Mapping[str, Any]


class Mailbox:
    """Stands where uvicorn keeps the queue of a running application, for a connection whose application has returned."""

    __slots__ = ("_hear", "_next", "_task", "_tasks", "_waiting")

    def __init__(
        self, hear: Callable[[Event], Awaitable[None]], next_: Callable[[], None], tasks: set[asyncio.Task[None]]
    ) -> None:
        """`hear` takes in one event, `next_` is called after each; `tasks`: those that a shutdown waits for."""
        self._hear = hear
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
                await self._hear(self._waiting.pop(0))
                self._next()
        finally:
            self._task = None
