"""Cars and vans go to riders whose driving licence is verified and good to the end; its number is kept nowhere."""

from __future__ import annotations

from dataclasses import replace
from datetime import date, datetime, timedelta
from typing import Any
from uuid import UUID

import pytest
from sqlalchemy import event, select, text, update

from app.database import SessionFactory
from domain import errors, licences, tables
from domain.actor import Actor
from domain.ciphers import Cipher
from domain.values import LicenceCategory, LicenceState, VehicleType
from tests import factories
from tests.conftest import FixedClock
from tests.domain.bookings import new_vehicle, reserve
from tests.domain.conftest import City

CIPHER = Cipher(b"k" * 32, licences.PURPOSE)
GOOD = licences.Submission("DE", "b072-rre2 i55", date(2030, 5, 31), (LicenceCategory.B, LicenceCategory.AM))
HOUR = timedelta(hours=1)


@pytest.fixture
async def unlicensed(session_factory: SessionFactory) -> Actor:
    async with session_factory.begin() as session:
        return factories.rider(await factories.add_customer(session, has_licence=False))


async def submit(
    session_factory: SessionFactory, who: Actor, now: datetime, submission: licences.Submission = GOOD
) -> licences.Licence:
    return await submit_with(CIPHER, session_factory, who, now, submission)


async def submit_with(
    cipher: Cipher, session_factory: SessionFactory, who: Actor, now: datetime, submission: licences.Submission
) -> licences.Licence:
    async with session_factory.begin() as session:
        return await licences.submit_driving_licence(session, who, submission, cipher=cipher, now=now)


async def licence_row(session_factory: SessionFactory, who: Actor) -> tables.DrivingLicence:
    async with session_factory() as session:
        return await session.get_one(tables.DrivingLicence, who.account_id)


async def count_jobs(session_factory: SessionFactory) -> int:
    async with session_factory() as session:
        counted = text("select count(*) from procrastinate_jobs where task_name = 'check_licence'")
        return int((await session.execute(counted)).scalar_one())


async def test_what_is_submitted_is_pending_and_its_number_unreadable(
    session_factory: SessionFactory, unlicensed: Actor, clock: FixedClock
) -> None:
    shown = await submit(session_factory, unlicensed, clock.now())
    assert (shown.state, shown.number_ending, shown.categories) == (LicenceState.PENDING, "2I55", ["AM", "B"])
    row = await licence_row(session_factory, unlicensed)
    assert row.number_sealed is not None
    assert CIPHER.decrypt(row.number_sealed, row_id=row.id) == "B072RRE2I55"
    async with session_factory() as session:
        kept = (await session.execute(text("select row_to_json(l)::text from driving_licences l"))).scalar_one()
        jobs = (await session.execute(text("select args::text from procrastinate_jobs"))).scalars().all()
    assert "RRE2" not in "".join([kept, *jobs]).upper()


async def test_the_same_again_changes_nothing_and_another_takes_its_place(
    session_factory: SessionFactory, unlicensed: Actor, clock: FixedClock
) -> None:
    first = await submit(session_factory, unlicensed, clock.now())
    clock.advance(seconds=1)
    assert await submit(session_factory, unlicensed, clock.now(), replace(GOOD, number="B072RRE2I55")) == first
    assert await count_jobs(session_factory) == 1
    renewed = await submit(session_factory, unlicensed, clock.now(), replace(GOOD, expires_on=date(2035, 1, 1)))
    assert (renewed.expires_on, renewed.submitted_at) == (date(2035, 1, 1), clock.now())
    assert await count_jobs(session_factory) == 2


async def test_every_fault_is_named() -> None:
    bad = licences.Submission("de", "12\n4", date(2020, 1, 1), (LicenceCategory.A,))
    nobody: object = None  # refused before the database is asked
    with pytest.raises(errors.InvalidInput) as refusal:
        await licences.submit_driving_licence(nobody, nobody, bad, cipher=CIPHER, now=FixedClock().now())  # type: ignore[arg-type]
    assert [issue.path for issue in refusal.value.issues] == ["countryCode", "number", "expiresOn", "categories"]


def test_a_licence_is_good_on_its_last_day_of_utc_and_expired_after_it() -> None:
    last = date(2026, 11, 21)
    for stored, day, expected in (
        (LicenceState.VERIFIED, last, LicenceState.VERIFIED),
        (LicenceState.VERIFIED, last + timedelta(days=1), LicenceState.EXPIRED),
        (LicenceState.PENDING, last + timedelta(days=1), LicenceState.EXPIRED),
        (LicenceState.REJECTED, last + timedelta(days=1), LicenceState.REJECTED),
    ):
        assert licences.state_on(stored, last, day) is expected


async def refused(
    session_factory: SessionFactory, who: Actor, car: UUID, now: datetime, ends_at: datetime, customer_id: UUID | None = None
) -> str:
    with pytest.raises(errors.DrivingLicenceRequired) as refusal:
        await reserve(session_factory, who, car, now, ends_at=ends_at, customer_id=customer_id)
    return refusal.value.state


async def test_a_car_needs_a_licence_that_is_good_until_the_booking_ends(
    session_factory: SessionFactory, city: City, unlicensed: Actor, clock: FixedClock
) -> None:
    car, now = await new_vehicle(session_factory, city, VehicleType.CAR), clock.now()
    midnight = datetime(2026, 11, 22, tzinfo=now.tzinfo)
    ask = (session_factory, unlicensed, car, now)
    assert await refused(*ask, now + HOUR) == LicenceState.NOT_SUBMITTED
    assert await refused(session_factory, city.dispatcher, car, now, now + HOUR, unlicensed.account_id) == "not_submitted"
    await submit(session_factory, unlicensed, now)
    assert await refused(*ask, now + HOUR) == LicenceState.PENDING
    for state, expected in (("rejected", LicenceState.REJECTED), ("verified", LicenceState.EXPIRED)):
        async with session_factory.begin() as session:
            values = {"state": state, "expires_on": midnight.date() - timedelta(days=1), "decided_at": now, "number_sealed": None}
            await session.execute(update(tables.DrivingLicence).values(values))
        assert await refused(*ask, midnight + timedelta(seconds=1)) == expected
    booked = await reserve(session_factory, unlicensed, car, now, ends_at=midnight)
    assert booked.ends_at == midnight


async def test_a_bike_needs_no_licence_and_asks_for_none(
    session_factory: SessionFactory, city: City, unlicensed: Actor, clock: FixedClock
) -> None:
    sent: list[str] = []
    bike = await new_vehicle(session_factory, city)
    engine = session_factory.kw["bind"].sync_engine

    def note(*given: Any) -> None:
        sent.append(given[2])

    event.listen(engine, "before_cursor_execute", note)
    await reserve(session_factory, unlicensed, bike, clock.now())
    event.remove(engine, "before_cursor_execute", note)
    assert [one for one in sent if "driving_licences" in one] == []


async def test_staff_who_name_nobody_are_told_so(session_factory: SessionFactory, city: City, clock: FixedClock) -> None:
    car = await new_vehicle(session_factory, city, VehicleType.CAR)
    async with session_factory() as session:
        metro_id = (await session.execute(select(tables.Metro.id))).scalar_one()
    with pytest.raises(errors.NotFound, match="customer"):
        await reserve(session_factory, city.dispatcher, car, clock.now(), ends_at=clock.now() + HOUR, customer_id=metro_id)
