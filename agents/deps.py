"""What the tools of one turn work with."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from sqlalchemy.ext.asyncio import AsyncSession, async_sessionmaker

from domain import ports, turns
from domain.actor import Actor
from domain.values import LatLng


@dataclass(frozen=True, slots=True)
class AgentDeps:
    #: the rider whose turn it is: a tool may see and do what the rider may
    actor: Actor
    clock: ports.Clock
    session_factory: async_sessionmaker[AsyncSession]
    router: ports.GeoRouter
    turn: turns.ClaimedTurn
    #: waits until everything told before this tool call is in the log, so that what the tool appends comes after it
    settle: Callable[[str | None], Awaitable[None]]

    @property
    def position(self) -> LatLng | None:
        """Where the rider was when the message was sent, if they shared it."""
        shared = self.turn.context.get("position")
        return LatLng(shared["lat"], shared["lon"]) if shared else None
