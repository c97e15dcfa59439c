"""Followers: what one that catches up is given of a stream that says something between two events."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, cast

from graphql import GraphQLError

from app.fanout.broadcast import Item
from app.fanout.follower import Follower
from domain.eventlog import Position


def at(number: int) -> Position:
    return Position(1, 1, number)


def event(number: int) -> Item:
    return Item(at(number - 1), at(number), b"event %d" % number)


def tick(number: int) -> Item:
    """What the event of that number has become by now."""
    return Item(at(number), at(number), b"tick %d" % number)


@dataclass
class Stream:
    """Where a follower meets its stream."""

    position: Position | None
    queued: set[Follower] = field(default_factory=set)

    def service_context(self) -> None: ...

    def leave(self, follower: Follower) -> None:
        self.queued.discard(follower)


@dataclass
class Outlet:
    """One that is always queued for, as a response of server-sent events is."""

    batch: int = 1
    sent: list[bytes] = field(default_factory=list)

    async def ready(self) -> None: ...

    async def send(self, payload: bytes) -> None:
        self.sent.append(payload)

    async def send_all(self, payloads: Sequence[bytes]) -> None:
        self.sent += payloads

    async def end(self, errors: Sequence[GraphQLError] | None) -> None: ...

    async def cut_off(self) -> None: ...

    def enter(self, follower: Follower) -> bool:  # noqa: ARG002
        return False

    def leave(self, follower: Follower) -> list[Item]:  # noqa: ARG002
        return []


async def given(items: list[Item], *, begins: int, comes_from: int | None = None) -> tuple[list[bytes], Position | None]:
    outlet = Outlet()
    follower = Follower(cast("Any", Stream(at(begins))), outlet)
    if comes_from is not None:
        follower._position = at(comes_from)
    follower.start(cast("Any", None), None)
    for item in items:
        follower.give(item)
    follower.finish(None)
    assert follower._task is not None
    async with asyncio.timeout(30):
        await follower._task
    return outlet.sent, follower.position


async def test_what_the_last_event_has_become_is_given_and_events_are_not_repeated() -> None:
    sent, position = await given([tick(3), event(4), tick(4), tick(4), event(4)], begins=3)
    assert sent == [b"tick 3", b"event 4", b"tick 4", b"tick 4"]
    assert position == at(4)


async def test_who_came_with_a_later_cursor_gets_it_too_and_stays_where_they_are() -> None:
    sent, position = await given([tick(3), event(5), tick(5)], begins=3, comes_from=7)
    assert sent == [b"tick 3", b"tick 5"]
    assert position == at(7)
