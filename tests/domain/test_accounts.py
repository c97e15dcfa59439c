"""A session is one person's: rotating tokens, ended by reuse."""

from __future__ import annotations

import asyncio
from datetime import datetime

import pytest
from sqlalchemy import update

from app.database import SessionFactory
from domain import accounts, errors, eventlog, ids, tables
from domain.actor import Audience, Role
from tests import factories
from tests.conftest import FixedClock
from tests.domain.conftest import City
from tests.log import settled_after

DAYS = 30


async def open_session(session_factory: SessionFactory, audience: Audience, email: str, now: datetime) -> accounts.OpenedSession:
    async with session_factory.begin() as session:
        found = await accounts.find_credentials(session, audience, email)
        assert found is not None
        return await accounts.open_session(session, audience, found, days=DAYS, now=now)


async def refresh(
    session_factory: SessionFactory, token: str, now: datetime, audience: Audience = Audience.CUSTOMER
) -> accounts.OpenedSession | None:
    async with session_factory.begin() as session:
        return await accounts.refresh_session(session, audience, token, days=DAYS, now=now)


@pytest.fixture
async def opened(session_factory: SessionFactory, clock: FixedClock) -> accounts.OpenedSession:
    async with session_factory.begin() as session:
        await factories.add_customer(session, email="ada@example.org")
    return await open_session(session_factory, Audience.CUSTOMER, " Ada@Example.ORG ", clock.now())


async def test_a_refresh_gives_a_new_token_and_a_longer_life(
    session_factory: SessionFactory, clock: FixedClock, opened: accounts.OpenedSession
) -> None:
    clock.advance(days=29)
    renewed = await refresh(session_factory, opened.refresh_token, clock.now())
    assert renewed is not None
    assert renewed.refresh_token != opened.refresh_token
    assert renewed.actor == opened.actor
    assert (renewed.expires_at - clock.now()).days == DAYS
    clock.advance(days=29)
    assert await refresh(session_factory, renewed.refresh_token, clock.now()) is not None


async def test_a_token_used_twice_ends_the_session_for_both_holders(
    session_factory: SessionFactory, clock: FixedClock, opened: accounts.OpenedSession
) -> None:
    renewed = await refresh(session_factory, opened.refresh_token, clock.now())
    assert renewed is not None
    assert await refresh(session_factory, opened.refresh_token, clock.now()) is None
    assert await refresh(session_factory, renewed.refresh_token, clock.now()) is None


async def test_a_token_of_long_ago_ends_the_session_too(
    session_factory: SessionFactory, clock: FixedClock, opened: accounts.OpenedSession
) -> None:
    renewed = opened
    for _ in range(5):
        clock.advance(days=1)
        found = await refresh(session_factory, renewed.refresh_token, clock.now())
        assert found is not None
        renewed = found
    assert await refresh(session_factory, opened.refresh_token, clock.now(), Audience.OPS) is None
    assert await refresh(session_factory, opened.refresh_token, clock.now()) is None
    assert await refresh(session_factory, renewed.refresh_token, clock.now()) is None


async def test_two_refreshes_at_once_are_a_reuse(
    session_factory: SessionFactory, clock: FixedClock, opened: accounts.OpenedSession
) -> None:
    outcomes = await asyncio.gather(*(refresh(session_factory, opened.refresh_token, clock.now()) for _ in range(5)))
    renewed = [one for one in outcomes if one is not None]
    assert len(renewed) == 1
    assert await refresh(session_factory, renewed[0].refresh_token, clock.now()) is None


async def test_a_session_ends_by_time_and_by_signing_out(
    session_factory: SessionFactory, clock: FixedClock, opened: accounts.OpenedSession
) -> None:
    other = await open_session(session_factory, Audience.CUSTOMER, "ada@example.org", clock.now())
    async with session_factory.begin() as session:
        await accounts.sign_out(session, other.actor, now=clock.now())
        await accounts.sign_out(session, other.actor, now=clock.now())
    assert await refresh(session_factory, other.refresh_token, clock.now()) is None
    clock.advance(days=DAYS)
    assert await refresh(session_factory, opened.refresh_token, clock.now()) is None


async def test_a_token_is_good_for_its_own_audience_only(
    session_factory: SessionFactory, clock: FixedClock, opened: accounts.OpenedSession
) -> None:
    assert await refresh(session_factory, opened.refresh_token, clock.now(), Audience.OPS) is None
    assert await refresh(session_factory, "nonsense", clock.now()) is None
    assert await refresh(session_factory, opened.refresh_token, clock.now()) is not None


async def test_one_email_may_be_a_rider_and_a_member_of_staff(session_factory: SessionFactory, clock: FixedClock) -> None:
    async with session_factory.begin() as session:
        await factories.add_customer(session, email="both@example.org")
        await factories.add_staff(session, Role.TECHNICIAN, email="both@example.org")
        assert await accounts.find_credentials(session, Audience.OPS, "nobody@example.org") is None
    rider = await open_session(session_factory, Audience.CUSTOMER, "both@example.org", clock.now())
    staff = await open_session(session_factory, Audience.OPS, "both@example.org", clock.now())
    assert (rider.actor.role, staff.actor.role) == (Role.RIDER, Role.TECHNICIAN)
    assert rider.actor.account_id != staff.actor.account_id


async def test_a_refreshed_session_has_the_role_of_today(session_factory: SessionFactory, clock: FixedClock, city: City) -> None:
    async with session_factory.begin() as session:
        staff = await factories.add_staff(session, Role.DISPATCHER, email="d@example.org")
    opened = await open_session(session_factory, Audience.OPS, "d@example.org", clock.now())
    async with session_factory.begin() as session:
        change = update(tables.Staff).where(tables.Staff.id == staff.id)
        await session.execute(change.values(role=Role.TECHNICIAN, metro_ids=[city.metro.id]))
    renewed = await refresh(session_factory, opened.refresh_token, clock.now(), Audience.OPS)
    assert renewed is not None
    assert renewed.actor.role is Role.TECHNICIAN
    assert renewed.actor.metro_ids == frozenset([city.metro.id])


async def test_a_customer_comes_with_the_place_in_the_stream_of_their_reservations(
    session_factory: SessionFactory, city: City
) -> None:
    topic = eventlog.rider_topic(city.rider.account_id)
    async with session_factory() as session:
        before = (await accounts.get_customer(session, city.rider.account_id)).position
    async with session_factory.begin() as session:
        await eventlog.append(session, topic, "reservation.confirmed", {"n": 1})
    async with session_factory() as session:
        (event,) = (await settled_after(session, topic, before)).events
        after = (await accounts.get_customer(session, city.rider.account_id)).position
    assert after == event.position


async def test_accounts_that_do_not_exist_are_not_found(session_factory: SessionFactory) -> None:
    async with session_factory() as session:
        with pytest.raises(errors.NotFound):
            await accounts.get_customer(session, ids.new())
        with pytest.raises(errors.NotFound):
            await accounts.get_staff_member(session, ids.new())
