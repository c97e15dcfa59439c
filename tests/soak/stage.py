"""A stage: a server that is killed while a story is told and begins again, and what is known of the rider in the end."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Callable
from datetime import date, datetime
from decimal import Decimal
from typing import Any
from uuid import UUID

import httpx
import pytest
from sqlalchemy import text
from sqlalchemy.dialects.postgresql import Range

from app import database
from app.settings import Settings
from domain import exports, personal_data
from domain.values import NotificationKind
from tests.live import Launcher, LiveServer
from tests.soak import story as stories
from tests.soak.fuse import Fuse
from tests.soak.story import Story, Unavailable

TRIES = 20
#: One more session, and its token, for every sign-in whose answer was lost: nobody holds it, and it ends by itself.
BESIDE_THE_POINT = {"sign_in_sessions", "rotated_refresh_tokens"}
#: how often something was begun or how long it took, and what grows with that
COUNTED = {"attempt", "attempts", "seq", "size_bytes", "number", "pausedSeconds"}
TOLD_FROM_BASE = {"starts_at", "ends_at", "lapses_at", "blocked", "startsAt", "endsAt"}
_UUID = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}")
#: names at the gateway are made of ids
_HEX = re.compile(r"[0-9a-f]{32}")
_INSTANT = re.compile(r"^\d{4}-\d\d-\d\dT\d\d:\d\d")


class Stage:
    """A server behind the fuse that comes back whenever it was killed."""

    def __init__(self, serve: Launcher, fuse: Fuse, url: str) -> None:
        self._serve, self._fuse, self.url = serve, fuse, url
        self.server: LiveServer = serve(fuse.url)
        self.kills = 0

    async def _play(self, story: Story, steps: tuple[Any, ...]) -> None:
        for step in steps:
            for _ in range(TRIES):
                story.server = self._revived()
                try:
                    await step(story)
                    break
                except (httpx.TransportError, Unavailable):
                    continue
            else:
                pytest.fail(f"{step.__name__} never ended")

    async def tell(self, story: Story, steps: tuple[Any, ...], point: int) -> tuple[dict[str, list[dict[str, Any]]], int]:
        """Kills the server at that piece of its talk with the database. What is known of the rider when every job is done,
        and how many pieces went by."""
        self._fuse.arm(point, self._kill)
        await self._play(story, steps)
        self._fuse.disarm()
        passed = self._fuse.passed
        await settled(self.url, self._revived)
        return await everything(self.url, story), passed

    def _kill(self) -> None:
        self.kills += 1
        self.server.process.kill()

    def _revived(self) -> LiveServer:
        if self.server.process.poll() is not None:
            self.server = self._serve(self._fuse.url)
        return self.server


class Masks:
    """Names what differs between any two runs: ids by the rows they belong to, instants by what they are told from."""

    def __init__(self, story: Story, read: dict[str, list[dict[str, Any]]]) -> None:
        self._story = story
        self._named = {
            str(row["id"]): f"<{table} {number}>"
            for table, rows in read.items()
            for number, row in enumerate(rows)
            if "id" in row
        }

    def _id(self, found: str) -> str:
        return self._named.get(found, "<id>")

    def of(self, name: str, value: Any) -> Any:
        if value is None or name in COUNTED:
            return None if value is None else f"<{name}>"
        if isinstance(value, dict):
            return {key: self.of(key, inner) for key, inner in sorted(value.items())}
        if isinstance(value, list):
            return [self.of(name, inner) for inner in value]
        if isinstance(value, UUID):
            return self._id(str(value))
        if isinstance(value, datetime):
            return (value - self._story.base).total_seconds() if name in TOLD_FROM_BASE and self._is_given(value) else "<instant>"
        if isinstance(value, Range):
            return [value.isempty, self.of(name, value.lower), self.of(name, value.upper)]
        if isinstance(value, str):
            return self._text(value)
        if isinstance(value, date | Decimal):
            return str(value)
        return value if isinstance(value, int | float | bool) else str(type(value))

    def _is_given(self, value: datetime) -> bool:
        """By the story, rather than by the clock of the server."""
        return (value - self._story.base).total_seconds() % 60 == 0

    def _text(self, value: str) -> str:
        if _INSTANT.match(value):
            return "<instant>"
        named = value.replace(f"story-{self._story.number}", "<story>")
        return _HEX.sub("<hex>", _UUID.sub(lambda found: self._id(found[0]), named))


async def everything(url: str, story: Story) -> dict[str, list[dict[str, Any]]]:
    """Of every table: the rows that tell of the rider, as an export would show them."""
    customer_id = story.customer_id
    assert customer_id is not None
    read: dict[str, list[dict[str, Any]]] = {}
    async with database.opened(Settings(), url) as sessions, sessions() as session:
        for entry in personal_data.riders():
            if entry.table not in BESIDE_THE_POINT:
                read[entry.table] = [dict(row) async for some in exports.read_rows(session, entry, customer_id) for row in some]
    # Who asks again to be registered is sent another mail: there is no key, and the link before is good for nothing.
    mails = {row["id"] for row in read["notifications"] if row["customer_id"] is None}
    read["notifications"] = [row for row in read["notifications"] if row["id"] not in mails]
    # A sweep may come by while a vehicle is due, or not.
    read["notifications"] = [row for row in read["notifications"] if row["kind"] != NotificationKind.RETURN_DUE]
    # Workers plan them in any order.
    told = {row["id"]: row["kind"] for row in read["notifications"]}
    read["deliveries"] = [row for row in read["deliveries"] if row["notification_id"] in told]
    read["deliveries"].sort(key=lambda row: (told[row["notification_id"]], row["channel"]))
    masks = Masks(story, read)
    return {table: [{name: masks.of(name, value) for name, value in row.items()} for row in rows] for table, rows in read.items()}


def differences(expected: Any, found: Any, where: str = "") -> list[str]:
    if isinstance(expected, dict) and isinstance(found, dict):
        names = sorted({*expected, *found})
        return [one for name in names for one in differences(expected.get(name), found.get(name), f"{where}.{name}")]
    if isinstance(expected, list) and isinstance(found, list) and len(expected) == len(found):
        pairs = enumerate(zip(expected, found, strict=True))
        return [one for number, pair in pairs for one in differences(*pair, f"{where}[{number}]")]
    return [] if expected == found else [f"{where}: {expected!r} became {found!r}"]


#: a payment that is to be tried again in an hour or in days waits for nobody
OPEN = (
    "select (select count(*) from procrastinate_jobs where status in ('todo', 'doing')),"
    " (select count(*) from deliveries where state = 'queued')"
    " + (select count(*) from payments where asks is not null and (attempts > 0 or next_attempt_at <= now()))"
    " + (select count(*) from refunds where state = 'pending')"
)
#: as if the two minutes had passed in which a message or an ask is its claimant's
RELEASE = (
    "update deliveries set next_attempt_at = now() where state = 'queued'",
    "update payments set next_attempt_at = now() where asks is not null and attempts > 0",
    "update refunds set next_attempt_at = now() where state = 'pending'",
)
CLAIMANT_ROUNDS = 50


async def settled(url: str, revive: Callable[[], object]) -> None:
    """Every job is done, every message sent and every bank asked; what a killed process had claimed, by another."""
    async with database.opened(Settings(), url) as sessions:
        for number in range(600):
            revive()  # killed at the very end, the server may still look alive for a moment
            async with sessions.begin() as session:
                jobs, claims = (await session.execute(text(OPEN))).one()
                if jobs == 0 and claims == 0:
                    return
                if jobs == 0 and number % CLAIMANT_ROUNDS == CLAIMANT_ROUNDS - 1:
                    for statement in RELEASE:
                        await session.execute(text(statement))
            await asyncio.sleep(stories.LOOK_SECONDS)
    pytest.fail("jobs, deliveries or payments never ended")
