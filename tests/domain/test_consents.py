"""Consents: what was said last is in force, and what was said before is kept."""

from __future__ import annotations

import pytest

from app.database import SessionFactory
from domain import consents, errors
from domain.actor import Actor
from domain.consents import Given
from domain.tables import ConsentPurpose
from tests import factories
from tests.conftest import FixedClock


@pytest.fixture
async def who(session_factory: SessionFactory) -> Actor:
    async with session_factory.begin() as session:
        return await factories.add_rider(session)


async def record(
    session_factory: SessionFactory, clock: FixedClock, who: Actor, *given: Given, source: str = consents.SETTINGS
) -> None:
    async with session_factory.begin() as session:
        await consents.record_consents(session, who.account_id, given, source=source, now=clock.now())
    clock.advance(minutes=1)


async def test_the_newest_of_a_purpose_is_in_force_and_the_history_keeps_all(
    session_factory: SessionFactory, clock: FixedClock, who: Actor
) -> None:
    terms, push = Given(ConsentPurpose.TERMS, "2026-01", True), Given(ConsentPurpose.PUSH, "1", True)
    await record(session_factory, clock, who, terms, push, source=consents.REGISTRATION)
    await record(session_factory, clock, who, Given(ConsentPurpose.PUSH, "1", False))
    async with session_factory() as session:
        in_force = await consents.list_consents(session, who.account_id)
        history = await consents.list_consent_history(session, who.account_id)
    assert [(one.purpose, one.is_granted) for one in in_force] == [(ConsentPurpose.PUSH, False), (ConsentPurpose.TERMS, True)]
    assert [(one.purpose, one.is_granted, one.source) for one in history] == [
        (ConsentPurpose.PUSH, False, "settings"),
        (ConsentPurpose.PUSH, True, "registration"),
        (ConsentPurpose.TERMS, True, "registration"),
    ]


async def test_consents_of_others_are_not_listed(session_factory: SessionFactory, clock: FixedClock, who: Actor) -> None:
    async with session_factory.begin() as session:
        eve = await factories.add_rider(session)
    await record(session_factory, clock, eve, Given(ConsentPurpose.MARKETING, "1", True))
    await record(session_factory, clock, who)
    async with session_factory() as session:
        assert await consents.list_consents(session, who.account_id) == []
        assert await consents.list_consent_history(session, who.account_id) == []


@pytest.mark.parametrize("purpose", sorted(consents.REQUIRED))
async def test_what_an_account_needs_is_taken_back_by_erasing_it(
    session_factory: SessionFactory, clock: FixedClock, who: Actor, purpose: ConsentPurpose
) -> None:
    with pytest.raises(errors.InvalidInput, match="erase the account"):
        await record(session_factory, clock, who, Given(purpose, "1", False))


@pytest.mark.parametrize("version", ["", "v" * 41, "1\0"])
async def test_a_consent_names_the_version_of_what_was_shown(
    session_factory: SessionFactory, clock: FixedClock, who: Actor, version: str
) -> None:
    with pytest.raises(errors.InvalidInput, match="1 to 40 characters"):
        await record(session_factory, clock, who, Given(ConsentPurpose.MARKETING, version, True))
