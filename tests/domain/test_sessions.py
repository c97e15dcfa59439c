"""Sessions of an account: listed, ended from afar, seen to have ended, and forgotten."""

from __future__ import annotations

import asyncio
from datetime import timedelta

import pytest
from sqlalchemy import func, select

from app.database import SessionFactory
from domain import accounts, errors, ids, push_devices, sessions, tables
from domain.actor import Actor, Audience, Role
from domain.channels import PushPlatform
from tests import factories
from tests.conftest import FixedClock
from tests.domain.test_accounts import DAYS, open_session, refresh

ADA = "ada@example.org"


@pytest.fixture
async def three(session_factory: SessionFactory, clock: FixedClock) -> list[accounts.OpenedSession]:
    """Sessions of one rider, a minute apart."""
    async with session_factory.begin() as session:
        await factories.add_customer(session, email=ADA, password_hash="old")
    found = []
    for _ in range(3):
        found.append(await open_session(session_factory, Audience.CUSTOMER, ADA, clock.now()))
        clock.advance(minutes=1)
    return found


async def listed(session_factory: SessionFactory, clock: FixedClock, who: Actor) -> list[object]:
    async with session_factory() as session:
        return [one.id for one in await sessions.list_sessions(session, who, now=clock.now())]


async def end(session_factory: SessionFactory, clock: FixedClock, who: Actor, target: Actor) -> None:
    async with session_factory.begin() as session:
        await sessions.end_session(session, who, session_id=target.session_id, now=clock.now())


async def end_all(session_factory: SessionFactory, clock: FixedClock, who: Actor, *, is_current_kept: bool) -> int:
    async with session_factory.begin() as session:
        return await sessions.end_all_sessions(session, who, is_current_kept=is_current_kept, now=clock.now())


async def change(session_factory: SessionFactory, clock: FixedClock, who: Actor, old: str, new: str) -> int:
    async with session_factory.begin() as session:
        return await accounts.change_password(session, who, old_hash=old, new_hash=new, now=clock.now())


async def ended(session_factory: SessionFactory, clock: FixedClock, *among: Actor, minutes: float = 0) -> set[object]:
    async with session_factory() as session:
        since = clock.now() - timedelta(minutes=minutes)
        return set(await sessions.find_ended_sessions(session, since=since, among=[one.session_id for one in among]))


async def test_sessions_are_listed_latest_first_and_only_while_they_last(
    session_factory: SessionFactory, clock: FixedClock, three: list[accounts.OpenedSession]
) -> None:
    first, second, third = (one.actor for one in three)
    assert await refresh(session_factory, three[0].refresh_token, clock.now()) is not None
    assert await listed(session_factory, clock, first) == [first.session_id, third.session_id, second.session_id]
    await end(session_factory, clock, first, third)
    assert await listed(session_factory, clock, first) == [first.session_id, second.session_id]
    clock.advance(days=DAYS, seconds=-60)
    assert await listed(session_factory, clock, first) == [first.session_id]


async def test_of_very_many_sessions_the_latest_are_listed(
    session_factory: SessionFactory, clock: FixedClock, three: list[accounts.OpenedSession]
) -> None:
    for _ in range(sessions.LISTED):
        clock.advance(seconds=1)
        latest = await open_session(session_factory, Audience.CUSTOMER, ADA, clock.now())
    found = await listed(session_factory, clock, latest.actor)
    assert (len(found), found[0]) == (sessions.LISTED, latest.actor.session_id)
    assert three[0].actor.session_id not in found


async def test_a_session_is_ended_once_and_stays_so(
    session_factory: SessionFactory, clock: FixedClock, three: list[accounts.OpenedSession]
) -> None:
    await end(session_factory, clock, three[0].actor, three[1].actor)
    await end(session_factory, clock, three[0].actor, three[1].actor)
    assert await refresh(session_factory, three[1].refresh_token, clock.now()) is None
    assert await refresh(session_factory, three[2].refresh_token, clock.now()) is not None


async def test_nobody_elses_session_can_be_ended_or_found(
    session_factory: SessionFactory, clock: FixedClock, three: list[accounts.OpenedSession]
) -> None:
    async with session_factory.begin() as session:
        await factories.add_customer(session, email="eve@example.org")
        await factories.add_staff(session, Role.ADMIN, email="boss@example.org")
    eve = await open_session(session_factory, Audience.CUSTOMER, "eve@example.org", clock.now())
    boss = await open_session(session_factory, Audience.OPS, "boss@example.org", clock.now())
    for who in (eve.actor, boss.actor):
        with pytest.raises(errors.NotFound, match="no session"):
            await end(session_factory, clock, who, three[0].actor)
        async with session_factory() as session:
            assert await sessions.find_session(session, who, three[0].actor.session_id, now=clock.now()) is None
            assert await sessions.find_session(session, who, who.session_id, now=clock.now()) is not None
        assert await listed(session_factory, clock, who) == [who.session_id]
    assert await refresh(session_factory, three[0].refresh_token, clock.now()) is not None


async def test_who_was_sent_away_ends_no_session_and_changes_no_password(
    session_factory: SessionFactory, clock: FixedClock, three: list[accounts.OpenedSession]
) -> None:
    thief, owner = three[0].actor, three[1].actor
    await end(session_factory, clock, owner, thief)
    await end(session_factory, clock, thief, thief)
    with pytest.raises(errors.SessionEnded):
        await end(session_factory, clock, thief, owner)
    for is_current_kept in (True, False):
        with pytest.raises(errors.SessionEnded):
            await end_all(session_factory, clock, thief, is_current_kept=is_current_kept)
    with pytest.raises(errors.SessionEnded):
        await change(session_factory, clock, thief, "old", "new")
    assert await change(session_factory, clock, owner, "old", "new") == 1


async def test_signing_out_everywhere_keeps_the_session_that_asks_or_not_and_may_be_repeated(
    session_factory: SessionFactory, clock: FixedClock, three: list[accounts.OpenedSession]
) -> None:
    who = three[0].actor
    assert await end_all(session_factory, clock, who, is_current_kept=True) == 2
    assert await end_all(session_factory, clock, who, is_current_kept=True) == 0
    assert await listed(session_factory, clock, who) == [who.session_id]
    assert await end_all(session_factory, clock, who, is_current_kept=False) == 1
    assert await end_all(session_factory, clock, who, is_current_kept=False) == 0
    assert await listed(session_factory, clock, who) == []


async def test_a_changed_password_ends_all_other_sessions_and_the_old_one_is_good_for_nothing(
    session_factory: SessionFactory, clock: FixedClock, three: list[accounts.OpenedSession]
) -> None:
    who = three[2].actor
    async with session_factory() as session:
        checked = await accounts.find_credentials(session, Audience.CUSTOMER, ADA)
        assert checked is not None
        assert await accounts.find_password_hash(session, who) == "old"
    assert await change(session_factory, clock, who, "old", "new") == 2
    assert await listed(session_factory, clock, who) == [who.session_id]
    with pytest.raises(errors.InvalidCredentials, match="current password"):
        await change(session_factory, clock, who, "old", "newer")
    with pytest.raises(errors.InvalidCredentials):
        async with session_factory.begin() as session:
            await accounts.open_session(session, Audience.CUSTOMER, checked, days=DAYS, now=clock.now())


async def test_a_phone_is_told_nothing_once_nobody_is_signed_in(
    session_factory: SessionFactory, clock: FixedClock, three: list[accounts.OpenedSession]
) -> None:
    who = three[0].actor

    async def has_device() -> bool:
        async with session_factory() as session:
            return (await session.execute(select(tables.PushDevice.id))).first() is not None

    async with session_factory.begin() as session:
        await push_devices.register_push_device(
            session, who.account_id, token="fcm:a phone", platform=PushPlatform.IOS, now=clock.now()
        )
    await end_all(session_factory, clock, who, is_current_kept=True)
    assert await has_device()
    await end_all(session_factory, clock, who, is_current_kept=False)
    assert not await has_device()


async def test_of_two_who_sign_out_everywhere_at_once_neither_waits_for_the_other_for_ever(
    session_factory: SessionFactory, clock: FixedClock, three: list[accounts.OpenedSession]
) -> None:
    outcomes = await asyncio.gather(
        *(end_all(session_factory, clock, one.actor, is_current_kept=True) for one in three), return_exceptions=True
    )
    assert sorted(str(one) for one in outcomes if not isinstance(one, errors.SessionEnded)) == ["2"]


async def test_ended_sessions_are_found_by_the_instant_of_their_end_or_by_their_id(
    session_factory: SessionFactory, clock: FixedClock, three: list[accounts.OpenedSession]
) -> None:
    first, second, third = (one.actor for one in three)
    await end(session_factory, clock, third, first)
    assert await ended(session_factory, clock, second) == {first.session_id}
    clock.advance(minutes=5)
    await end(session_factory, clock, third, second)
    assert await ended(session_factory, clock) == {second.session_id}
    assert await ended(session_factory, clock, minutes=5) == {first.session_id, second.session_id}
    assert await ended(session_factory, clock, first, third) == {first.session_id, second.session_id}


async def test_rotated_tokens_go_with_their_session_once_it_has_expired_and_in_batches(
    session_factory: SessionFactory, clock: FixedClock, three: list[accounts.OpenedSession]
) -> None:
    token = three[0].refresh_token
    for _ in range(5):
        renewed = await refresh(session_factory, token, clock.now())
        assert renewed is not None
        token = renewed.refresh_token

    async def forget() -> int:
        async with session_factory.begin() as session:
            return await sessions.forget_sessions(session, now=clock.now(), limit=2)

    async def kept() -> tuple[int, int]:
        async with session_factory() as session:
            count = select(func.count())
            return (
                (await session.execute(count.select_from(tables.SignInSession))).scalar_one(),
                (await session.execute(count.select_from(tables.RotatedRefreshToken))).scalar_one(),
            )

    assert (await forget(), await kept()) == (0, (3, 5))
    clock.advance(days=DAYS, seconds=-1)
    assert (await forget(), await kept()) == (2, (1, 5))
    clock.advance(seconds=1)
    assert [await forget() for _ in range(4)] == [2, 2, 1, 0]
    assert await kept() == (0, 0)


async def test_a_session_that_does_not_exist_is_not_found(
    session_factory: SessionFactory, clock: FixedClock, three: list[accounts.OpenedSession]
) -> None:
    async with session_factory.begin() as session:
        with pytest.raises(errors.NotFound):
            await sessions.end_session(session, three[0].actor, session_id=ids.new(), now=clock.now())
