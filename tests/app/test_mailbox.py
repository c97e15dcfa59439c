"""Mailbox: messages are taken in one after another, and a client with much to say waits."""

from __future__ import annotations

import asyncio
from typing import Any

from app.fanout import mailbox
from app.fanout.mailbox import Event, Mailbox


class Heard:
    """Takes in an event whenever it is let to."""

    def __init__(self) -> None:
        self.events: list[Any] = []
        self.nexts = 0
        self.tasks: set[asyncio.Task[None]] = set()
        self.gate = asyncio.Event()
        self.mailbox = Mailbox(self, self._next, self.tasks)

    async def hear(self, event: Event) -> None:
        await self.gate.wait()
        self.events.append(event["n"])

    def drain(self) -> None:
        raise AssertionError("nobody shuts down")

    def _next(self) -> None:
        self.nexts += 1

    def put(self, *numbers: int) -> None:
        for n in numbers:
            self.mailbox.put_nowait({"n": n})

    async def settled(self) -> None:
        while self.tasks:
            await asyncio.gather(*self.tasks, return_exceptions=True)
            await asyncio.sleep(0)


async def test_messages_are_taken_in_one_after_another_by_a_task_that_ends() -> None:
    heard = Heard()
    heard.put(1, 2, 3)
    assert len(heard.tasks) == 1
    heard.gate.set()
    await heard.settled()
    assert (heard.events, heard.nexts) == ([1, 2, 3], 3)


async def test_a_message_that_comes_just_as_the_last_is_done_is_taken_in() -> None:
    heard = Heard()
    heard.gate.set()
    for n in range(50):
        heard.put(n)
        for _ in range(n % 4):
            await asyncio.sleep(0)
    await heard.settled()
    assert heard.events == list(range(50))


async def test_it_is_full_until_some_are_done() -> None:
    heard = Heard()
    heard.put(*range(mailbox.LIMIT - 1))
    assert not heard.mailbox.is_full
    heard.put(99)
    assert heard.mailbox.is_full
    heard.gate.set()
    await heard.settled()
    assert not heard.mailbox.is_full


async def test_a_failure_is_not_the_end() -> None:
    heard = Heard()
    heard.gate.set()
    heard.mailbox.put_nowait({})
    await heard.settled()
    heard.put(7)
    await heard.settled()
    assert heard.events == [7]
