"""A licence is decided once, by a check or by staff; one that nobody decides is asked about again."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from datetime import date, datetime, timedelta
from itertools import pairwise
from uuid import UUID

import pytest
from sqlalchemy import select

from app.database import SessionFactory
from domain import errors, licence_checks, licences, tables
from domain.actor import Actor
from domain.ciphers import Cipher
from domain.ports import LicenceClaim, LicenceVerdict
from domain.values import LicenceState, NotificationKind
from tests import factories
from tests.conftest import FixedClock
from tests.domain.test_licences import CIPHER, GOOD, count_jobs, licence_row, submit

ACCEPTED, REFUSED = LicenceVerdict(True), LicenceVerdict(False, "Unknown there.")


@pytest.fixture
async def rider(session_factory: SessionFactory) -> Actor:
    async with session_factory.begin() as session:
        return factories.rider(await factories.add_customer(session, has_licence=False))


@pytest.fixture
async def dispatcher(session_factory: SessionFactory) -> Actor:
    async with session_factory.begin() as session:
        return await factories.add_member(session)


async def open_check(
    session_factory: SessionFactory, licence_id: UUID, now: datetime, cipher: Cipher = CIPHER
) -> LicenceClaim | None:
    async with session_factory.begin() as session:
        return await licence_checks.open_check(session, licence_id, cipher=cipher, now=now)


async def settle(session_factory: SessionFactory, licence_id: UUID, verdict: LicenceVerdict, now: datetime) -> bool:
    async with session_factory.begin() as session:
        return await licence_checks.settle_check(session, licence_id, verdict, now=now)


async def decide(
    session_factory: SessionFactory,
    who: Actor,
    customer: Actor,
    now: datetime,
    *,
    is_accepted: bool = True,
    submitted_at: datetime | None = None,
) -> licences.Licence:
    async with session_factory.begin() as session:
        return await licence_checks.decide_driving_licence(
            session,
            who,
            customer_id=customer.account_id,
            is_accepted=is_accepted,
            reason=None if is_accepted else "Blurred.",
            submitted_at=submitted_at,
            now=now,
        )


async def told(session_factory: SessionFactory) -> list[dict[str, str]]:
    async with session_factory() as session:
        notifications = tables.Notification
        decided = select(notifications.facts).where(notifications.kind == NotificationKind.LICENCE_DECIDED)
        return list(await session.scalars(decided.order_by(notifications.id)))


async def test_a_check_decides_once_and_the_number_is_gone(
    session_factory: SessionFactory, rider: Actor, clock: FixedClock
) -> None:
    await submit(session_factory, rider, clock.now())
    licence_id = (await licence_row(session_factory, rider)).id
    claim = await open_check(session_factory, licence_id, clock.now())
    assert claim == LicenceClaim("DE", "B072RRE2I55", GOOD.expires_on, ("AM", "B"))
    outcomes = await asyncio.gather(*(settle(session_factory, licence_id, each, clock.now()) for each in (ACCEPTED, REFUSED)))
    assert sorted(outcomes) == [False, True]
    row = await licence_row(session_factory, rider)
    assert (row.number_sealed, row.check_at, row.decided_at) == (None, None, clock.now())
    assert len(await told(session_factory)) == 1
    assert await open_check(session_factory, licence_id, clock.now()) is None


async def test_an_answer_about_the_licence_before_decides_nothing(
    session_factory: SessionFactory, rider: Actor, clock: FixedClock
) -> None:
    await submit(session_factory, rider, clock.now())
    before = (await licence_row(session_factory, rider)).id
    await submit(session_factory, rider, clock.now(), replace(GOOD, number="Z99887766"))
    assert await settle(session_factory, before, ACCEPTED, clock.now()) is False
    assert await open_check(session_factory, before, clock.now()) is None
    assert (await licence_row(session_factory, rider)).state is LicenceState.PENDING


async def test_a_pending_licence_whose_job_is_lost_is_asked_about_again_ever_more_seldom(
    session_factory: SessionFactory, rider: Actor, clock: FixedClock
) -> None:
    async def sweep() -> int:
        async with session_factory.begin() as session:
            return await licence_checks.ask_again(session, now=clock.now())

    await submit(session_factory, rider, clock.now())
    assert await sweep() == 0
    pauses = [(await licence_row(session_factory, rider)).check_at]
    while pauses[-1] is not None:
        clock.instant = pauses[-1]
        assert sorted(await asyncio.gather(sweep(), sweep())) == [0, 1]
        pauses.append((await licence_row(session_factory, rider)).check_at)
    waits = [later - earlier for earlier, later in pairwise(pauses) if earlier and later]
    assert waits[:3] == [timedelta(minutes=2), timedelta(minutes=4), timedelta(minutes=8)]
    assert max(waits) == licence_checks.MAX_PAUSE
    assert await count_jobs(session_factory) == licence_checks.MAX_CHECKS
    clock.advance(days=30)
    assert await sweep() == 0


async def test_a_number_that_another_rider_has_is_left_to_staff(
    session_factory: SessionFactory, rider: Actor, dispatcher: Actor, clock: FixedClock
) -> None:
    async with session_factory.begin() as session:
        other = factories.rider(await factories.add_customer(session, has_licence=False, name="Twin"))
    await submit(session_factory, other, clock.now())
    assert await settle(session_factory, (await licence_row(session_factory, other)).id, ACCEPTED, clock.now())
    await submit(session_factory, rider, clock.now())
    assert await open_check(session_factory, (await licence_row(session_factory, rider)).id, clock.now()) is None
    row = await licence_row(session_factory, rider)
    assert (row.state, row.check_at) == (LicenceState.PENDING, None)
    async with session_factory() as session:
        [waiting] = await licence_checks.list_pending_licences(session)
    assert (waiting.licence.customer_id, waiting.is_number_known) == (rider.account_id, True)
    assert (await decide(session_factory, dispatcher, rider, clock.now())).state is LicenceState.VERIFIED


async def test_one_that_expires_or_becomes_unreadable_while_it_waits_is_rejected(
    session_factory: SessionFactory, rider: Actor, clock: FixedClock
) -> None:
    await submit(session_factory, rider, clock.now(), replace(GOOD, expires_on=clock.now().date()))
    licence_id = (await licence_row(session_factory, rider)).id
    assert await open_check(session_factory, licence_id, clock.now() + timedelta(days=1)) is None
    await submit(session_factory, rider, clock.now())
    licence_id = (await licence_row(session_factory, rider)).id
    assert await open_check(session_factory, licence_id, clock.now(), Cipher(b"new key", licences.PURPOSE)) is None
    assert [(facts["state"], facts["reason"].split()[-1]) for facts in await told(session_factory)] == [
        ("rejected", "expired."),
        ("rejected", "again."),
    ]


async def test_staff_decide_what_is_pending_and_what_they_looked_at(
    session_factory: SessionFactory, rider: Actor, dispatcher: Actor, clock: FixedClock
) -> None:
    with pytest.raises(errors.NotFound):
        await decide(session_factory, dispatcher, rider, clock.now())
    first = await submit(session_factory, rider, clock.now())
    clock.advance(minutes=1)
    second = await submit(session_factory, rider, clock.now(), replace(GOOD, expires_on=date(2031, 1, 1)))
    with pytest.raises(errors.DrivingLicenceDecided, match="another licence"):
        await decide(session_factory, dispatcher, rider, clock.now(), submitted_at=first.submitted_at)
    decided = await decide(session_factory, dispatcher, rider, clock.now(), is_accepted=False, submitted_at=second.submitted_at)
    assert (decided.state, decided.reason) == (LicenceState.REJECTED, "Blurred.")
    assert await decide(session_factory, dispatcher, rider, clock.now(), is_accepted=False) == decided
    with pytest.raises(errors.DrivingLicenceDecided) as refusal:
        await decide(session_factory, dispatcher, rider, clock.now())
    assert refusal.value.state == LicenceState.REJECTED
    assert await told(session_factory) == [{"state": "rejected", "reason": "Blurred."}]
    again = await submit(session_factory, rider, clock.now(), replace(GOOD, expires_on=date(2031, 1, 1)))
    assert again.state is LicenceState.PENDING


async def test_a_refusal_says_why(session_factory: SessionFactory, rider: Actor, dispatcher: Actor, clock: FixedClock) -> None:
    await submit(session_factory, rider, clock.now())
    for reason in (None, " ", "x" * 501, "a\0b"):
        async with session_factory() as session:
            with pytest.raises(errors.InvalidInput) as refusal:
                await licence_checks.decide_driving_licence(
                    session,
                    dispatcher,
                    customer_id=rider.account_id,
                    is_accepted=False,
                    reason=reason,
                    submitted_at=None,
                    now=clock.now(),
                )
            assert [issue.path for issue in refusal.value.issues] == ["reason"]
