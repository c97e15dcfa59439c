"""A request without a process behind it: records what a field reaches for, and fails there as it is told."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from domain.actor import Actor, Audience, Role
from domain.errors import DomainError

METRO = UUID("01938a00-0000-7000-8000-000000000001")
RIDER = Actor(Audience.CUSTOMER, UUID("01938a00-0000-7000-8000-000000000002"), Role.RIDER, UUID(int=2))
TECHNICIAN = Actor(Audience.OPS, UUID("01938a00-0000-7000-8000-000000000003"), Role.TECHNICIAN, UUID(int=3), frozenset({METRO}))
DISPATCHER = Actor(Audience.OPS, UUID("01938a00-0000-7000-8000-000000000004"), Role.DISPATCHER, UUID(int=4), frozenset({METRO}))
ADMIN = Actor(Audience.OPS, UUID("01938a00-0000-7000-8000-000000000005"), Role.ADMIN, UUID(int=5))


class Reached(Exception):
    """A field has run: host=db.internal password=hunter2."""


class RecordingRuntime:
    """Stands where a process's runtime stands; whatever is asked of it is written down and answered with `failure`."""

    def __init__(self, failure: Exception) -> None:
        self._failure = failure
        self.reached: list[str] = []

    def __getattr__(self, name: str) -> Any:
        self.reached.append(name)
        raise self._failure


class RecordingContext:
    request_id = "request-1"
    address = "127.0.0.1"

    def __init__(self, actor: Actor | None = None, failure: Exception | None = None) -> None:
        self.actor = actor
        self.runtime = RecordingRuntime(failure or Reached("password=hunter2"))
        self.metros = self.runtime

    @property
    def who(self) -> Actor:
        if self.actor is None:
            raise DomainError
        return self.actor

    @property
    def has_run(self) -> bool:
        return bool(self.runtime.reached)
