"""Retention: every class has its age from the settings and is forgotten down to the last row, however many there are."""

from __future__ import annotations

import inspect
from datetime import timedelta

import pytest
from sqlalchemy import func, select, text

from app import retention as periods
from app.database import SessionFactory
from app.retention import Retention
from app.settings import Settings
from domain import retention, tables
from tests import factories
from tests.conftest import FixedClock


def test_every_class_that_can_be_forgotten_is(session_factory: SessionFactory, clock: FixedClock) -> None:
    named = {act for name, act in inspect.getmembers(retention, inspect.iscoroutinefunction) if name.startswith("forget_")}
    assert Retention(Settings(), session_factory, clock).kept.keys() == named == periods.BATCHES.keys()


def test_the_settings_say_for_how_long(session_factory: SessionFactory, clock: FixedClock) -> None:
    given = Settings(notification_days=1, export_record_days=2, unmet_demand_days=30, idle_chat_days=4, reservation_rider_days=31)
    kept = Retention(given, session_factory, clock).kept
    assert kept[retention.forget_notifications] == timedelta(days=1)
    assert kept[retention.forget_exports] == timedelta(days=2)
    assert kept[retention.forget_unmet_demand] == timedelta(days=30)
    assert kept[retention.forget_chats] == timedelta(days=4)
    assert kept[retention.forget_riders_of_reservations] == timedelta(days=31)


async def test_all_that_is_due_is_forgotten_batch_by_batch(
    session_factory: SessionFactory, clock: FixedClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(periods.BATCHES, retention.forget_notifications, 2)
    async with session_factory.begin() as session:
        who = await factories.add_rider(session)
        row = "insert into notifications (id, customer_id, kind, facts, created_at) select gen_random_uuid(), :who,"
        ages = " 'password_changed', '{}', cast(:now as timestamptz) - n * interval '1 day' from generate_series(88, 95) n"
        await session.execute(text(row + ages), {"who": who.account_id, "now": clock.now()})
    await Retention(Settings(), session_factory, clock).enforce()
    async with session_factory() as session:
        assert (await session.execute(select(func.count()).select_from(tables.Notification))).scalar_one() == 3
