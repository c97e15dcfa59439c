"""What the rules need from outside, as Protocols. Implemented in `app/gateways/`, handed in from above."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

from domain.values import LatLng, LegMode


class Clock(Protocol):
    def now(self) -> datetime:
        """The current instant, aware, in UTC."""


@dataclass(frozen=True, slots=True)
class Route:
    mode: LegMode
    distance_meters: int
    duration_seconds: int
    #: True when no street network answered: great circle times a detour factor, at a typical speed
    estimated: bool
    #: polyline of the way, start to end; empty when estimated
    geometry: tuple[LatLng, ...] = ()
    #: turn-by-turn instructions in the language asked for; empty when estimated
    instructions: tuple[str, ...] = ()


class GeoRouter(Protocol):
    async def route(self, map_digest: str, mode: LegMode, start: LatLng, end: LatLng, *, language: str = "en") -> Route | None:
        """The fastest way on the map of that digest, or None where the street network does not connect the two points."""


class Doorbell(Protocol):
    """Tells every process that a topic of the event log has grown. A hint: it may be lost, doubled or early."""

    async def ring(self, topics: Sequence[str]) -> None: ...

    def rings(self) -> AsyncIterator[str]:
        """Topics that have grown. An empty string asks to look at every topic (after a reconnect)."""


class PasswordHasher(Protocol):
    async def hash(self, password: str) -> str: ...

    async def verify(self, password: str, hashed: str | None) -> bool:
        """False for a wrong password and, after the same work, for an account without one."""


class Throttle(Protocol):
    async def hit(self, *keys: str) -> int:
        """Counts one try on every key; the seconds to wait if any of them is over its limit, else 0."""
