"""Retention: of each class what is too old goes, to the second and in batches, and nothing else."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from datetime import datetime, timedelta
from uuid import UUID

import pytest
from sqlalchemy import func, select, text, update
from sqlalchemy.ext.asyncio import AsyncSession

from app.database import SessionFactory
from domain import chat, eventlog, ledger, receipts, retention, tables
from domain.channels import Channel, DeliveryState
from domain.notifications import notify
from domain.tables import ExportState
from domain.tables.reservations import NOBODY
from domain.values import NotificationKind, ReservationState
from tests import factories
from tests.conftest import FixedClock
from tests.domain import paid_rides
from tests.domain.conftest import City
from tests.domain.conversations import send

SECOND = timedelta(seconds=1)
Forget = Callable[..., Awaitable[int]]


async def forget(session_factory: SessionFactory, act: Forget, before: datetime, limit: int = 100) -> int:
    async with session_factory.begin() as session:
        return await act(session, before=before, limit=limit)


async def count(session_factory: SessionFactory, table: type[tables.Base]) -> int:
    async with session_factory() as session:
        return (await session.execute(select(func.count()).select_from(table))).scalar_one()


async def test_notifications_are_forgotten_oldest_first_and_in_batches(
    session_factory: SessionFactory, clock: FixedClock, city: City
) -> None:
    async with session_factory.begin() as session:
        for seconds in range(3):
            at = clock.now() + seconds * SECOND
            who = city.rider.account_id
            await notify(session, NotificationKind.PASSWORD_CHANGED, customer_id=who, facts={}, now=at)
    before = clock.now() + 2 * SECOND
    assert [await forget(session_factory, retention.forget_notifications, before, 1) for _ in range(3)] == [1, 1, 0]
    assert await count(session_factory, tables.Notification) == 1


async def test_where_trips_went_is_forgotten_oldest_first(session_factory: SessionFactory, clock: FixedClock, city: City) -> None:
    async with session_factory.begin() as session:
        vehicle = await factories.add_vehicle(session, city.metro)
        trip = await factories.add_trip(session, vehicle, city.tariffs[vehicle.vehicle_type], city.rider.account_id)
        for seconds in range(3):
            at = clock.now() + seconds * SECOND
            fix = {"trip_id": trip.id, "at": at, "received_at": at, "lat": 49.4, "lon": 8.7, "accuracy_meters": 5.0}
            session.add(tables.TripPosition(**fix))
    before = clock.now() + 2 * SECOND
    assert [await forget(session_factory, retention.forget_tracks, before, 1) for _ in range(3)] == [1, 1, 0]
    assert await count(session_factory, tables.TripPosition) == 1


async def test_addresses_of_people_without_an_account_are_forgotten_and_nothing_of_riders(
    session_factory: SessionFactory, clock: FixedClock, city: City
) -> None:
    async with session_factory.begin() as session:
        await notify(session, NotificationKind.ACCOUNT_ERASED, email="ada@example.org", facts={}, now=clock.now())
        who = city.rider.account_id
        await notify(session, NotificationKind.PASSWORD_CHANGED, customer_id=who, facts={}, now=clock.now())
    unsent = clock.now() + retention.SENT_WITHIN
    assert await forget(session_factory, retention.forget_addresses, unsent) == 0
    assert await forget(session_factory, retention.forget_addresses, unsent + SECOND) == 1
    async with session_factory() as session:
        assert (await session.execute(select(tables.Notification.email))).scalars().all() == [None]


@pytest.mark.parametrize("state", DeliveryState)
async def test_an_address_is_forgotten_once_its_mail_was_sent_or_given_up_and_not_while_it_waits(
    session_factory: SessionFactory, clock: FixedClock, state: DeliveryState
) -> None:
    async with session_factory.begin() as session:
        kind = NotificationKind.ACCOUNT_ERASED
        told = await notify(session, kind, email="ada@example.org", facts={}, now=clock.now())
        await session.execute(update(tables.Notification).values(planned_at=clock.now()))
        at = clock.now() + SECOND
        row = tables.Delivery(notification_id=told, channel=Channel.EMAIL, state=state, created_at=at)
        row.next_attempt_at = at if state is DeliveryState.QUEUED else None
        row.sent_at = at if state is DeliveryState.SENT else None
        session.add(row)
    assert await forget(session_factory, retention.forget_addresses, clock.now() + SECOND) == 0
    gone = await forget(session_factory, retention.forget_addresses, clock.now() + 2 * SECOND)
    assert gone == (0 if state is DeliveryState.QUEUED else 1)


async def test_that_an_archive_was_asked_for_is_forgotten_once_it_is_gone(
    session_factory: SessionFactory, clock: FixedClock, city: City
) -> None:
    async with session_factory.begin() as session:
        for state in ExportState:
            has_been = state in (ExportState.READY, ExportState.EXPIRED)
            row = tables.Export(customer_id=city.rider.account_id, state=state, requested_at=clock.now())
            row.size_bytes, row.expires_at = (1, clock.now()) if has_been else (None, None)
            session.add(row)
    assert await forget(session_factory, retention.forget_exports, clock.now()) == 0
    assert await forget(session_factory, retention.forget_exports, clock.now() + SECOND) == 2
    async with session_factory() as session:
        left = set((await session.execute(select(tables.Export.state))).scalars())
    assert left == {ExportState.REQUESTED, ExportState.READY}


async def test_unmet_demand_is_forgotten_by_the_hour_it_was_in(
    session_factory: SessionFactory, clock: FixedClock, city: City
) -> None:
    async with session_factory.begin() as session:
        for hours in range(3):
            hour = clock.now() + timedelta(hours=hours)
            session.add(tables.UnmetDemand(metro_id=city.metro.id, h3_cell=1, hour=hour, count=1))
    before = clock.now() + timedelta(hours=2)
    assert [await forget(session_factory, retention.forget_unmet_demand, before, 1) for _ in range(3)] == [1, 1, 0]
    assert await count(session_factory, tables.UnmetDemand) == 1


async def test_a_chat_in_which_nothing_is_said_is_forgotten_with_its_events(
    session_factory: SessionFactory, clock: FixedClock, city: City, conversation: UUID
) -> None:
    clock.advance(hours=1)
    await send(session_factory, city, conversation, clock)
    async with session_factory.begin() as session:
        silent = await chat.start_conversation(session, city.rider, city.metro.id, now=clock.now() - timedelta(hours=2))
    assert await forget(session_factory, retention.forget_chats, clock.now()) == 1
    async with session_factory() as session:
        assert await session.get(tables.Conversation, silent) is None
        assert await session.get(tables.Conversation, conversation) is not None
    assert await forget(session_factory, retention.forget_chats, clock.now() + SECOND) == 1
    async with session_factory() as session:
        topic = eventlog.chat_topic(conversation)
        events = select(func.count()).select_from(tables.Event).where(tables.Event.topic == topic)
        assert (await session.execute(events)).scalar_one() == 0
    assert (await count(session_factory, tables.Message), await count(session_factory, tables.Turn)) == (0, 0)


async def add_reservation(
    session: AsyncSession, city: City, state: ReservationState, closed_at: datetime | None, now: datetime
) -> UUID:
    vehicle = await factories.add_vehicle(session, city.metro)
    given = {"state": state, "closed_at": closed_at, "starts_at": now, "cancel_reason": "Ada lost the key"}
    tariff = city.tariffs[vehicle.vehicle_type]
    return (await factories.add_reservation(session, vehicle, tariff, city.rider.account_id, **given)).id


async def test_who_paid_for_a_ride_is_forgotten_with_it_and_the_books_stay(
    session_factory: SessionFactory, clock: FixedClock, city: City
) -> None:
    now = clock.now()
    old = await paid_rides.issue(session_factory, city, now, left_in_wrong_place=True)
    recent = await paid_rides.issue(session_factory, city, now, version=8)
    async with session_factory.begin() as session:
        note = await receipts.issue_credit_note(session, receipt=old, kinds=[tables.LineKind.WRONG_PLACE], now=now)
        trip = select(tables.Trip.reservation_id).where(tables.Trip.id == old.trip_id).scalar_subquery()
        rows = tables.Reservation
        await session.execute(update(rows).where(rows.id == trip).values(closed_at=now - SECOND))
        booked = await ledger.trial_balance(session, "EUR")
    assert await forget(session_factory, retention.forget_riders_of_reservations, now) == 1
    async with session_factory() as session:
        owners = {row.id: row.customer_id for row in (await session.execute(select(tables.Receipt))).scalars()}
        assert owners == {old.id: NOBODY, note.id: NOBODY, recent.id: city.rider.account_id}
        assert await ledger.trial_balance(session, "EUR") == booked
        owed = await ledger.balance(session, tables.LedgerAccount.RECEIVABLE, city.rider.account_id)
        assert owed == {"EUR": recent.total_minor}


async def test_a_closed_reservation_becomes_nobodys_and_an_open_one_never(
    session_factory: SessionFactory, clock: FixedClock, city: City
) -> None:
    async with session_factory.begin() as session:
        old = await add_reservation(session, city, ReservationState.CANCELLED, clock.now(), clock.now())
        recent = await add_reservation(session, city, ReservationState.EXPIRED, clock.now() + SECOND, clock.now())
        open_one = await add_reservation(session, city, ReservationState.CONFIRMED, None, clock.now())
    act = retention.forget_riders_of_reservations
    assert [await forget(session_factory, act, clock.now() + SECOND) for _ in range(2)] == [1, 0]
    async with session_factory() as session:
        rows = (await session.execute(select(tables.Reservation))).scalars()
        owners = {row.id: (row.customer_id, row.cancel_reason) for row in rows}
        nobody = await session.get_one(tables.Customer, NOBODY)
    rider = (city.rider.account_id, "Ada lost the key")
    assert owners == {old: (NOBODY, None), recent: rider, open_one: rider}
    assert (nobody.email, nobody.name, nobody.password_hash) == ("nobody@erased.invalid", "", None)


@pytest.mark.parametrize(
    ("act", "index"),
    [
        (retention.forget_notifications, "ix_notifications_created_at"),
        (retention.forget_riders_of_reservations, "ix_reservations_closed_at"),
        (retention.forget_chats, "ix_conversations_created_at"),
        (retention.forget_exports, "ix_exports_requested_at"),
    ],
)
async def test_what_is_due_is_found_by_an_index(
    session_factory: SessionFactory, clock: FixedClock, act: Forget, index: str
) -> None:
    used = text("select idx_scan from pg_stat_user_indexes where indexrelname = :index")
    async with session_factory.begin() as session:
        await session.execute(text("set local enable_seqscan = off"))
        await session.execute(text("set local enable_sort = off"))
        await act(session, before=clock.now(), limit=10)
        await session.execute(text("select pg_stat_force_next_flush()"))
    async with session_factory.begin() as session:
        assert (await session.execute(used, {"index": index})).scalar_one() > 0
