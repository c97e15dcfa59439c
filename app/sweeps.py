"""Sweeps: what the worker does by looking, because time alone makes it due or the job that should have done it was lost."""

from __future__ import annotations

import logging
from collections.abc import Awaitable, Callable, Sequence
from datetime import timedelta
from functools import partial
from typing import NamedTuple
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncSession

from app.database import SessionFactory
from app.settings import Settings
from domain import (
    commutes,
    due_returns,
    expiry,
    gateway_notes,
    history,
    idempotency,
    licence_checks,
    locks,
    password_resets,
    ports,
    registrations,
    second_factors,
    sessions,
    trip_sweeps,
    turns,
    withdrawals,
)

logger = logging.getLogger(__name__)


class Sweep(NamedTuple):
    name: str
    seconds: float
    act: Callable[[], Awaitable[None]]


class Sweeps:
    """Those that need nothing but the database and the clock."""

    def __init__(self, settings: Settings, sessions: SessionFactory, clock: ports.Clock) -> None:
        self._settings = settings
        self._sessions = sessions
        self._clock = clock

    def all(self) -> tuple[Sweep, ...]:
        return (
            Sweep("reservations", 2, self._sweep_reservations),
            Sweep("trips", 2, self._sweep_trips),
            Sweep("silent locks", 10, self._sweep_locks),
            Sweep("due returns", 10, self._warn_riders),
            Sweep("lost vehicles", 60, self._give_up_lost),
            Sweep("withdrawn vehicles", 10, self._sweep_withdrawn),
            Sweep("abandoned turns", 30, self._fail_abandoned_turns),
            Sweep("driving licences", 10, self._ask_for_licences_again),
            Sweep("commute reminders", 5, self._remind_riders),
            Sweep("idempotency keys", 3600, self._forget_keys),
            Sweep("history", 60, self._forget_history),
            Sweep("sessions", 3600, self._forget_sessions),
            Sweep("gateway notes", 3600, self._forget_notes),
        )

    async def _sweep_reservations(self) -> None:
        async with self._sessions.begin() as session:
            await expiry.sweep_reservations(session, now=self._clock.now())

    async def _sweep_trips(self) -> None:
        now = self._clock.now()
        await self._one_by_one(trip_sweeps.list_waiting_too_long, partial(trip_sweeps.settle, now=now))

    async def _sweep_locks(self) -> None:
        await self._one_by_one(locks.list_silent, partial(locks.give_up, now=self._clock.now()))

    async def _warn_riders(self) -> None:
        await self._in_batches(partial(due_returns.warn_riders, now=self._clock.now()), due_returns.BATCH)

    async def _give_up_lost(self) -> None:
        await self._one_by_one(due_returns.list_lost, partial(due_returns.give_up_lost, now=self._clock.now()))

    async def _sweep_withdrawn(self) -> None:
        async with self._sessions.begin() as session:
            await withdrawals.sweep_withdrawn(session, now=self._clock.now())

    async def _fail_abandoned_turns(self) -> None:
        async with self._sessions.begin() as session:
            await turns.fail_abandoned_turns(session, now=self._clock.now())

    async def _ask_for_licences_again(self) -> None:
        async with self._sessions.begin() as session:
            await licence_checks.ask_again(session, now=self._clock.now())

    async def _remind_riders(self) -> None:
        await self._in_batches(partial(commutes.remind_riders, now=self._clock.now()), commutes.BATCH)

    async def _forget_keys(self) -> None:
        async with self._sessions.begin() as session:
            await idempotency.forget_old_keys(session, now=self._clock.now())

    async def _forget_history(self) -> None:
        """In short transactions, however much there is."""
        kept = {**history.KEPT, "dispatch": timedelta(days=self._settings.dispatch_history_days)}
        for topic_class, age in kept.items():
            if age is not None:
                await self._in_batches(partial(history.forget_events, topic_class=topic_class, before=self._clock.now() - age))
        await self._in_batches(partial(turns.forget_deltas, now=self._clock.now()))

    async def _forget_notes(self) -> None:
        await self._in_batches(partial(gateway_notes.forget_notes, now=self._clock.now()))

    async def _forget_sessions(self) -> None:
        await self._in_batches(partial(sessions.forget_sessions, now=self._clock.now()))
        await self._in_batches(partial(registrations.forget_registrations, now=self._clock.now()))
        await self._in_batches(partial(password_resets.forget_password_resets, now=self._clock.now()))
        await self._in_batches(partial(second_factors.forget_enrolments, now=self._clock.now()))

    async def _one_by_one(self, look: Callable[..., Awaitable[Sequence[UUID]]], act: Callable[..., Awaitable[None]]) -> None:
        """Each in a transaction of its own, so that one that fails keeps none of the others from it."""
        async with self._sessions() as session:
            found = await look(session, now=self._clock.now())
        for each in found:
            try:
                async with self._sessions.begin() as session:
                    await act(session, each)
            except Exception as error:  # whatever is wrong with one, the next round tries it again
                logger.warning("one of a sweep failed", extra={"act": getattr(act, "func", act).__name__, "error": repr(error)})

    async def _in_batches(self, act: Callable[[AsyncSession], Awaitable[int]], batch: int = history.BATCH) -> None:
        count = batch
        while count == batch:
            async with self._sessions.begin() as session:
                count = await act(session)
