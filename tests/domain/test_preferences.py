"""By which ways riders hear of what: defaults, switches, devices and phones."""

from __future__ import annotations

import random
import string
from typing import Any

import pytest
from sqlalchemy import func, select, update

from app.database import SessionFactory
from domain import deliveries, errors, notifications, preferences, push_devices, tables
from domain.channels import Category, Channel, DeliveryState, PushPlatform
from domain.preferences import Preference
from domain.values import NotificationKind
from tests import factories
from tests.conftest import FixedClock
from tests.domain.conftest import City

FACTS = {"reservationId": "-", "vehicleType": "car", "plate": "N-12", "startsAt": "2026-11-21T09:30:00+00:00"}


async def planned(sessions: SessionFactory, city: City, clock: FixedClock, kind: NotificationKind) -> dict[str, str]:
    """By channel: where the delivery stands."""
    async with sessions.begin() as session:
        told = await notifications.notify(session, kind, customer_id=city.rider.account_id, facts=FACTS, now=clock.now())
        assert told is not None
        assert await deliveries.plan_deliveries(session, told, now=clock.now())
        assert not await deliveries.plan_deliveries(session, told, now=clock.now()), "planned once"
        rows = tables.Delivery
        found = await session.execute(select(rows.channel, rows.state).where(rows.notification_id == told))
        return {row.channel: row.state for row in found}


async def switch(sessions: SessionFactory, city: City, clock: FixedClock, *changes: Preference) -> list[Preference]:
    async with sessions.begin() as session:
        return await preferences.update_preferences(session, city.rider.account_id, changes, now=clock.now())


async def test_by_default_riders_hear_of_all_but_offers_by_mail_and_on_their_devices(
    session_factory: SessionFactory, city: City
) -> None:
    async with session_factory() as session:
        found = await preferences.list_preferences(session, city.rider.account_id)
    assert len(found) == len(Category) * len(Channel)
    assert {(one.category, one.channel) for one in found if one.is_on} == {
        (category, channel)
        for category in Category
        if category is not Category.MARKETING
        for channel in (Channel.EMAIL, Channel.PUSH)
    }
    fixed = [(Category.ACCOUNT, Channel.EMAIL), (Category.PAYMENTS, Channel.EMAIL)]
    assert [(one.category, one.channel) for one in found if one.is_fixed] == fixed


async def test_a_notification_goes_by_the_ways_that_are_on_and_lead_somewhere(
    session_factory: SessionFactory, city: City, clock: FixedClock
) -> None:
    kind = NotificationKind.RESERVATION_EXPIRED
    assert await planned(session_factory, city, clock, kind) == {Channel.EMAIL: DeliveryState.QUEUED}
    async with session_factory.begin() as session:
        given = {"token": "a device", "platform": PushPlatform.WEB, "now": clock.now()}
        await push_devices.register_push_device(session, city.rider.account_id, **given)  # type: ignore[arg-type]
        await session.execute(update(tables.Customer).values(phone="+4915112345678"))
    assert set(await planned(session_factory, city, clock, kind)) == {Channel.EMAIL, Channel.PUSH}, "text messages are off"
    await switch(session_factory, city, clock, Preference(Category.RESERVATIONS, Channel.SMS, True))
    assert set(await planned(session_factory, city, clock, kind)) == set(Channel)
    off = [Preference(Category.RESERVATIONS, channel, False) for channel in Channel]
    await switch(session_factory, city, clock, *off)
    assert await planned(session_factory, city, clock, kind) == {Channel.EMAIL: DeliveryState.SKIPPED}, "the log says why not"
    assert set(await planned(session_factory, city, clock, NotificationKind.PASSWORD_CHANGED)) == {Channel.EMAIL, Channel.PUSH}
    assert set(await planned(session_factory, city, clock, NotificationKind.PASSWORD_RESET)) == {Channel.EMAIL}


async def test_mail_about_the_account_cannot_be_switched_off_and_then_nothing_is(
    session_factory: SessionFactory, city: City, clock: FixedClock
) -> None:
    fixed = Preference(Category.ACCOUNT, Channel.EMAIL, False)
    other = Preference(Category.COMMUTES, Channel.EMAIL, False)
    for changes in ([other, fixed], [other, other]):
        with pytest.raises(errors.InvalidInput) as refused:
            await switch(session_factory, city, clock, *changes)
        assert refused.value.issues[0].path == "changes.1"
    found = await switch(session_factory, city, clock)
    assert {one.is_on for one in found if one.category is Category.COMMUTES and one.channel is Channel.EMAIL} == {True}
    async with session_factory.begin() as session:
        assert not await preferences.unsubscribe(session, city.rider.account_id, Category.ACCOUNT, now=clock.now())


async def test_a_rider_has_ten_devices_and_a_device_one_rider(
    session_factory: SessionFactory, city: City, clock: FixedClock
) -> None:
    rows = tables.PushDevice
    async with session_factory.begin() as session:
        other = await factories.add_rider(session)
        for number in range(12):
            clock.advance(seconds=1)
            count = await push_devices.register_push_device(
                session, city.rider.account_id, token=f"device {number}", platform=PushPlatform.IOS, now=clock.now()
            )
        assert count == push_devices.MOST
        kept = (await session.execute(select(rows.token).order_by(rows.registered_at))).scalars().all()
        assert kept == [f"device {number}" for number in range(2, 12)]
        await push_devices.register_push_device(
            session, other.account_id, token="device 5", platform=PushPlatform.IOS, now=clock.now()
        )
        await push_devices.forget_push_device(session, city.rider.account_id, token="device 5")
        owner = (await session.execute(select(rows.customer_id).where(rows.token == "device 5"))).scalar_one()
        assert owner == other.account_id, "who no longer has it cannot take it away"
        assert (await session.execute(select(func.count()).select_from(rows))).scalar_one() == 10
        for token in ("short", "x" * 4097, "with\nnewline", "half \ud800 of a pair"):
            with pytest.raises(errors.InvalidInput):
                await push_devices.forget_push_device(session, city.rider.account_id, token=token)


async def test_staff_of_some_metros_see_what_was_told_about_these_alone(
    session_factory: SessionFactory, city: City, clock: FixedClock
) -> None:
    async with session_factory.begin() as session:
        elsewhere = await factories.add_metro(session)
        local = await factories.add_member(session, city.dispatcher.role, elsewhere)
        kind = NotificationKind.PASSWORD_CHANGED
        for metro_id in (city.metro.id, elsewhere.id, None):
            row = await factories.add_notification(session, kind=kind, customer_id=city.rider.account_id, metro_id=metro_id)
            await factories.add_delivery(session, row)
        for who, expected in ((city.dispatcher, 3), (local, 1)):
            found = await deliveries.list_deliveries(session, who, customer_id=None, state=None, before=None, limit=10)
            assert len(found) == expected
            seen = [await deliveries.find_delivery(session, who, one.id) for one in found]
            assert None not in seen
        hidden = await deliveries.list_deliveries(session, city.dispatcher, customer_id=None, state=None, before=None, limit=10)
        seen = [await deliveries.find_delivery(session, local, one.id) for one in hidden]
        assert [one.notice.id for one in seen if one is not None] == [found[0].notice.id]


async def test_a_token_of_any_length_that_is_taken_can_be_kept(
    session_factory: SessionFactory, city: City, clock: FixedClock
) -> None:
    longest = "".join(random.Random(1).choices(string.printable[:94], k=push_devices.LONGEST_TOKEN))
    given: dict[str, Any] = {"platform": PushPlatform.WEB, "now": clock.now()}
    async with session_factory.begin() as session:
        assert await push_devices.register_push_device(session, city.rider.account_id, token=longest, **given) == 1
        for refused in (longest + "x", "ü" * 8):
            with pytest.raises(errors.InvalidInput):
                await push_devices.register_push_device(session, city.rider.account_id, token=refused, **given)
