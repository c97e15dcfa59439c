"""Retention: how long the settings keep what is known about riders, enforced in short transactions."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from datetime import timedelta

from app.database import SessionFactory
from app.settings import Settings
from domain import erasure, history, ports, retention

#: rows of one class that one transaction takes at most
BATCHES: dict[Callable[..., Awaitable[int]], int] = {
    retention.forget_notifications: history.BATCH,
    retention.forget_addresses: history.BATCH,
    retention.forget_exports: history.BATCH,
    retention.forget_tracks: history.BATCH,
    retention.forget_unmet_demand: history.BATCH,
    retention.forget_chats: retention.CHATS,
    retention.forget_riders_of_reservations: history.BATCH,
}


class Retention:
    def __init__(self, settings: Settings, sessions: SessionFactory, clock: ports.Clock) -> None:
        self._sessions = sessions
        self._clock = clock
        self.kept: dict[Callable[..., Awaitable[int]], timedelta] = {
            retention.forget_notifications: timedelta(days=settings.notification_days),
            retention.forget_addresses: retention.ADDRESSES_KEPT,
            retention.forget_exports: timedelta(days=settings.export_record_days),
            retention.forget_tracks: timedelta(days=settings.track_days),
            retention.forget_unmet_demand: timedelta(days=settings.unmet_demand_days),
            retention.forget_chats: timedelta(days=settings.idle_chat_days),
            retention.forget_riders_of_reservations: timedelta(days=settings.reservation_rider_days),
        }

    async def enforce(self) -> None:
        """However much there is."""
        for forget, age in self.kept.items():
            limit = count = BATCHES[forget]
            while count == limit:
                async with self._sessions.begin() as session:
                    count = await forget(session, before=self._clock.now() - age, limit=limit)

    async def erase_leftovers(self) -> None:
        """Of accounts that were erased lately, each in a transaction of its own."""
        async with self._sessions() as session:
            erased = await erasure.list_lately_erased(session, now=self._clock.now())
        for customer_id in erased:
            async with self._sessions.begin() as session:
                await erasure.erase_leftovers(session, customer_id, now=self._clock.now())
