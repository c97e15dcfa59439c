"""A forgotten password is set anew by the link in the mail, once; and nobody learns who has an account."""

from __future__ import annotations

import asyncio
from collections import Counter
from dataclasses import replace
from uuid import UUID

import pytest
from sqlalchemy import func, select

from app.database import SessionFactory
from app.gateways.throttles import MinuteThrottle
from domain import errors, ids, letters, tables
from domain.actor import Audience
from domain.seals import Purpose
from domain.values import NotificationKind
from resolvers import accounts
from resolvers.context import Runtime
from resolvers.password_resets import request_password_reset, reset_password
from tests import factories
from tests.conftest import FixedClock
from tests.resolvers.front import PASSWORD, asking, runtime_of, statements, told

ADA, NEW = "ada@example.org", "a new password"
RIDERS, STAFF = Audience.CUSTOMER, Audience.OPS


@pytest.fixture
async def runtime(session_factory: SessionFactory, clock: FixedClock) -> Runtime:
    """Ada rides and works here; both passwords are the same."""
    made = runtime_of(session_factory, clock)
    hashed = await made.hasher.hash(PASSWORD)
    async with made.transaction() as session:
        await factories.add_customer(session, email=ADA, password_hash=hashed, language="it")
        await factories.add_staff(session, email=ADA, password_hash=hashed)
    return made


async def links(runtime: Runtime) -> list[str]:
    """Of the mails so far, oldest first."""
    mails = await told(runtime, NotificationKind.PASSWORD_RESET)
    return [runtime.seals.seal(Purpose.PASSWORD_RESET, UUID(mail.facts["resetId"])) for mail in mails]


async def link_of(runtime: Runtime, audience: Audience = RIDERS) -> str:
    await request_password_reset(asking(runtime), audience, email=" Ada@Example.org")
    return (await links(runtime))[-1]


async def sign_in(runtime: Runtime, password: str, audience: Audience = RIDERS) -> accounts.SignedIn:
    return await accounts.sign_in(asking(runtime), audience, email=ADA, password=password)


@pytest.mark.parametrize(("audience", "other", "language"), [(RIDERS, STAFF, "it"), (STAFF, RIDERS, "en")])
async def test_a_new_password_ends_all_sessions_of_that_account_and_is_told(
    runtime: Runtime, clock: FixedClock, audience: Audience, other: Audience, language: str
) -> None:
    opened = [await sign_in(runtime, PASSWORD, audience) for _ in range(2)]
    beside = await sign_in(runtime, PASSWORD, other)
    link = await link_of(runtime, audience)
    (mail,) = await told(runtime, NotificationKind.PASSWORD_RESET)
    page = "reset-password" if audience is RIDERS else "ops/reset-password"
    assert letters.Links("https://nimrod.example", runtime.seals).link(mail.kind, mail.facts) == (
        f"https://nimrod.example/{page}?token={link}"
    )
    assert (mail.email, mail.language, mail.facts["audience"]) == (ADA, language, audience)
    await reset_password(asking(runtime), audience, token=link, new_password=NEW)
    for one in opened:
        with pytest.raises(errors.SessionEnded):
            await accounts.refresh_session(asking(runtime), audience, refresh_token=one.refresh_token)
    with pytest.raises(errors.InvalidCredentials):
        await sign_in(runtime, PASSWORD, audience)
    await sign_in(runtime, NEW, audience)
    await accounts.refresh_session(asking(runtime), other, refresh_token=beside.refresh_token)
    (news,) = await told(runtime, NotificationKind.PASSWORD_CHANGED)
    assert (news.customer_id, news.email) == ((opened[0].actor.account_id, None) if audience is RIDERS else (None, ADA))


async def test_a_link_works_once_and_ends_those_before_it_whoever_comes_first(runtime: Runtime) -> None:
    tokens = [await link_of(runtime) for _ in range(3)]
    acts = [
        reset_password(asking(runtime), RIDERS, token=token, new_password=f"{NEW} {number}")
        for number, token in enumerate(tokens * 2)
    ]
    outcomes = await asyncio.gather(*acts, return_exceptions=True)
    assert Counter(map(type, outcomes)) == {type(None): 1, errors.LinkExpired: 5}
    await sign_in(runtime, f"{NEW} {outcomes.index(None)}")
    assert len(await told(runtime, NotificationKind.PASSWORD_CHANGED)) == 1


async def test_a_link_is_good_for_an_hour_to_the_second(runtime: Runtime, clock: FixedClock) -> None:
    late, in_time = await link_of(runtime, STAFF), await link_of(runtime)
    clock.advance(hours=1, seconds=-1)
    await reset_password(asking(runtime), RIDERS, token=in_time, new_password=NEW)
    clock.advance(seconds=1)
    with pytest.raises(errors.LinkExpired):
        await reset_password(asking(runtime), STAFF, token=late, new_password=NEW)


async def test_a_link_of_staff_is_none_of_riders_and_the_other_way_round(runtime: Runtime) -> None:
    for audience, other in ((RIDERS, STAFF), (STAFF, RIDERS)):
        link = await link_of(runtime, audience)
        with pytest.raises(errors.LinkExpired):
            await reset_password(asking(runtime), other, token=link, new_password=NEW)


async def test_a_password_that_was_changed_meanwhile_makes_the_link_dead(runtime: Runtime) -> None:
    link, who = await link_of(runtime), (await sign_in(runtime, PASSWORD)).actor
    await accounts.change_password(asking(runtime, who), current_password=PASSWORD, new_password=NEW)
    with pytest.raises(errors.LinkExpired):
        await reset_password(asking(runtime), RIDERS, token=link, new_password=PASSWORD)
    assert len(await told(runtime, NotificationKind.PASSWORD_CHANGED)) == 1


async def test_an_address_without_an_account_gets_the_same_answer_after_the_same_work_and_no_mail(runtime: Runtime) -> None:
    counts = []
    for email in (ADA, "nobody@example.org"):
        with statements(runtime) as sent:
            await request_password_reset(asking(runtime), RIDERS, email=email)
        counts.append([statement.split()[0].upper() for statement in sent])
    of_ada, of_nobody = counts
    assert of_ada[:-1] == of_nobody[:-1]
    assert (of_ada[-1], of_nobody[-1]) == ("RELEASE", "ROLLBACK")
    assert [mail.email for mail in await told(runtime, NotificationKind.PASSWORD_RESET)] == [ADA]
    async with runtime.reading() as session:
        assert (await session.execute(select(func.count()).select_from(tables.PasswordReset))).scalar_one() == 1


async def test_staff_who_sign_in_elsewhere_get_no_link(runtime: Runtime) -> None:
    async with runtime.transaction() as session:
        await factories.add_staff(session, email="elsewhere@example.org")
    await request_password_reset(asking(runtime), STAFF, email="elsewhere@example.org")
    assert await told(runtime, NotificationKind.PASSWORD_RESET) == []


async def test_a_bad_new_password_is_refused_and_leaves_the_link_as_it_was(runtime: Runtime) -> None:
    link = await link_of(runtime)
    for bad in ("7 chars", "x" * 1025, "nul \0 inside"):
        with pytest.raises(errors.InvalidInput) as refused:
            await reset_password(asking(runtime), RIDERS, token=link, new_password=bad)
        assert refused.value.path == ["newPassword"]
    with pytest.raises(errors.InvalidInput):
        await request_password_reset(asking(runtime), RIDERS, email="ada")
    await reset_password(asking(runtime), RIDERS, token=link, new_password=NEW)


async def test_what_is_no_link_costs_no_hash(runtime: Runtime) -> None:
    before = runtime.hasher.hashes  # type: ignore[attr-defined]
    for token in ("", "guess", runtime.seals.seal(Purpose.EMAIL_VERIFICATION, ids.new())):
        with pytest.raises(errors.LinkExpired):
            await reset_password(asking(runtime), RIDERS, token=token, new_password=NEW)
    assert runtime.hasher.hashes == before  # type: ignore[attr-defined]


async def test_tries_are_counted_per_address_and_per_account_whether_it_exists_or_not(runtime: Runtime) -> None:
    for email in (ADA, "nobody@example.org"):
        throttled = replace(runtime, throttle=MinuteThrottle(2))
        for number in range(2):
            await request_password_reset(asking(throttled, address=f"192.0.2.{number}"), RIDERS, email=email)
        with pytest.raises(errors.TooManyTries):
            await request_password_reset(asking(throttled, address="192.0.2.9"), RIDERS, email=email)
        await request_password_reset(asking(throttled, address="192.0.2.1"), RIDERS, email="other@example.org")
        with pytest.raises(errors.TooManyTries):
            await request_password_reset(asking(throttled, address="192.0.2.1"), RIDERS, email="third@example.org")
        for _ in range(2):
            with pytest.raises(errors.LinkExpired):
                await reset_password(asking(throttled), RIDERS, token="guess", new_password=NEW)
        with pytest.raises(errors.TooManyTries):
            await reset_password(asking(throttled), RIDERS, token="guess", new_password=NEW)
