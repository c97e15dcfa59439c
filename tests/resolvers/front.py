"""What stands behind the front door, without transports: a runtime, requests of strangers and of riders, what they were told."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from typing import Any

from pwdlib import PasswordHash
from pwdlib.hashers import argon2
from sqlalchemy import event, select

from app.auth import AccessTokens
from app.database import SessionFactory
from app.gateways.passwords import Argon2Hasher
from app.gateways.throttles import MinuteThrottle
from app.main import build_runtime
from app.settings import Settings
from domain import tables
from domain.actor import Actor
from domain.values import NotificationKind
from resolvers.context import Ctx, Runtime
from resolvers.streams import Feed
from tests.conftest import FixedClock
from tests.resolvers.doorbells import HandBell

PASSWORD = "correct horse"
ADDRESS = "192.0.2.1"


class CountedHasher(Argon2Hasher):
    """The same, cheaply."""

    def __init__(self) -> None:
        super().__init__()
        self._hash = PasswordHash([argon2.Argon2Hasher(time_cost=1, memory_cost=64, parallelism=1)])
        self.hashes = self.checks = 0

    async def hash(self, password: str) -> str:
        self.hashes += 1
        return await super().hash(password)

    async def verify(self, password: str, hashed: str | None) -> bool:
        self.checks += 1
        return await super().verify(password, hashed)


def runtime_of(session_factory: SessionFactory, clock: FixedClock, *, tries: int = 1000) -> Runtime:
    settings = Settings(signing_key="k" * 32)
    tokens = AccessTokens(settings.secret(), clock, minutes=15)
    made = build_runtime(settings, session_factory, tokens, Feed(session_factory, HandBell()), clock)
    return replace(made, hasher=CountedHasher(), throttle=MinuteThrottle(tries))


def asking(runtime: Runtime, who: Actor | None = None, *, address: str = ADDRESS) -> Ctx:
    return Ctx(runtime, who, address, "test")


async def told(runtime: Runtime, kind: NotificationKind) -> list[tables.Notification]:
    """Oldest first."""
    async with runtime.reading() as session:
        rows = tables.Notification
        return list((await session.execute(select(rows).where(rows.kind == kind).order_by(rows.id))).scalars())


@contextmanager
def statements(runtime: Runtime) -> Iterator[list[str]]:
    sent: list[str] = []

    def note(*given: Any) -> None:
        sent.append(given[2])

    engine = runtime.sessions.kw["bind"].sync_engine
    event.listen(engine, "before_cursor_execute", note)
    yield sent
    event.remove(engine, "before_cursor_execute", note)
