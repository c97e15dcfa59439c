"""A rider's commutes: twenty, each with a name, and each told once when it is time to leave."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from datetime import UTC, datetime, time, timedelta
from uuid import UUID

import pytest
from sqlalchemy import select, update

from app.database import SessionFactory
from domain import commutes, errors, ids, saved_places, tables
from domain.actor import Actor
from domain.commutes import Commute, Draft, End
from domain.values import LatLng, NotificationKind, SavedPlaceKind, VehicleType
from tests import factories
from tests.conftest import FixedClock
from tests.domain.conftest import City

ZOO, LAB = LatLng(49.41, 8.66), LatLng(49.42, 8.69)
MONDAY = datetime(2026, 11, 23, tzinfo=UTC)


def draft(city: City, **given: object) -> Draft:
    usual = Draft(
        name="To work",
        metro_id=city.metro.id,
        origin=End(None, "Zoo", ZOO),
        destination=End(None, "Lab", LAB),
        days=[1, 2, 3, 4, 5],
        arrive_by=time(8, 30),
        modes=[VehicleType.CAR, VehicleType.BICYCLE],
        reminder_minutes=15,
        is_paused=False,
    )
    return replace(usual, **given)  # type: ignore[arg-type]


async def save(
    sessions: SessionFactory, who: Actor, wanted: Draft, commute_id: UUID | None = None, *, now: datetime | None = None
) -> Commute:
    async with sessions.begin() as session:
        return await commutes.save_commute(session, who, wanted, commute_id=commute_id, now=now or FixedClock().now())


async def listed(sessions: SessionFactory, who: Actor) -> list[Commute]:
    async with sessions() as session:
        return await commutes.list_commutes(session, who)


async def remind(sessions: SessionFactory, now: datetime, limit: int = 100) -> int:
    async with sessions.begin() as session:
        return await commutes.remind_riders(session, now=now, limit=limit)


async def told(sessions: SessionFactory) -> list[str]:
    async with sessions() as session:
        notifications = tables.Notification
        facts = select(notifications.facts).where(notifications.kind == NotificationKind.COMMUTE_REMINDER)
        return [each["leaveAt"] for each in await session.scalars(facts.order_by(notifications.id))]


async def test_the_slowest_mode_decides_when_to_leave(session_factory: SessionFactory, city: City) -> None:
    saved = await save(session_factory, city.rider, draft(city))
    by_car = await save(session_factory, city.rider, draft(city, name="By car", modes=[VehicleType.CAR]))
    meters = ZOO.meters_to(LAB)
    assert saved.travel_seconds == round(meters * 1.5 / 16 * 3.6)
    assert by_car.travel_seconds == round(meters * 1.8 / 28 * 3.6) < saved.travel_seconds
    departure = saved.next_departure(FixedClock().now())
    assert departure is not None
    assert departure.arrive_by == datetime(2026, 11, 23, 7, 30, tzinfo=UTC), "half past eight in Berlin, on Monday"
    assert departure.leave_at == departure.arrive_by - timedelta(seconds=saved.travel_seconds)
    assert [each.name for each in await listed(session_factory, city.rider)] == ["By car", "To work"]


async def test_a_name_is_one_commute_and_twenty_are_all(session_factory: SessionFactory, city: City) -> None:
    first = await save(session_factory, city.rider, draft(city))
    again = await save(session_factory, city.rider, draft(city, name=" To work ", days=[7]))
    assert (again.id, again.days) == (first.id, [7])
    for number in range(17):
        await save(session_factory, city.rider, draft(city, name=f"Way {number}"))
    late = (save(session_factory, city.rider, draft(city, name=f"Late {number}")) for number in range(4))
    outcomes = await asyncio.gather(*late, return_exceptions=True)
    assert [type(one) for one in outcomes if isinstance(one, BaseException)] == [errors.InvalidInput] * 2
    assert len(await listed(session_factory, city.rider)) == commutes.MAX_COMMUTES
    with pytest.raises(errors.InvalidInput, match="of that name"):
        await save(session_factory, city.rider, draft(city, name="Way 1"), first.id)
    renamed = await save(session_factory, city.rider, draft(city, name="Home"), first.id)
    assert renamed.id == first.id


async def test_every_fault_is_named(session_factory: SessionFactory, city: City) -> None:
    bad = draft(city, name=" ", origin=End(None, "", ZOO), days=[], modes=[], reminder_minutes=4)
    with pytest.raises(errors.InvalidInput) as refusal:
        await save(session_factory, city.rider, bad)
    paths = [issue.path for issue in refusal.value.issues]
    assert paths == ["name", "origin.point.label", "days", "modes", "reminderMinutes"]
    for wanted, path in (
        (draft(city, days=[0]), "days"),
        (draft(city, reminder_minutes=181), "reminderMinutes"),
        (draft(city, destination=End(None, "Sea", LatLng(54.0, 8.0))), "destination"),
    ):
        with pytest.raises(errors.InvalidInput) as refusal:
            await save(session_factory, city.rider, wanted)
        assert [issue.path for issue in refusal.value.issues] == [path]


async def test_what_is_anothers_does_not_exist(session_factory: SessionFactory, city: City) -> None:
    async with session_factory.begin() as session:
        stranger = await factories.add_rider(session)
        place = await factories.add_saved_place(session, city.rider.account_id)
    own = await save(session_factory, city.rider, draft(city))
    for wanted, commute_id in ((draft(city), own.id), (draft(city, origin=place.id), None), (draft(city, metro_id=own.id), None)):
        with pytest.raises(errors.NotFound):
            await save(session_factory, stranger, wanted, commute_id)
    async with session_factory() as session:
        for act in (commutes.get_commute(session, stranger, own.id), commutes.get_commute(session, city.rider, ids.new())):
            with pytest.raises(errors.NotFound):
                await act
        with pytest.raises(errors.NotFound):
            await commutes.forget_commute(session, stranger, commute_id=own.id)
    async with session_factory.begin() as session:
        await commutes.forget_commute(session, city.rider, commute_id=own.id)
    assert await listed(session_factory, city.rider) == []


async def test_a_commute_follows_a_saved_place_and_stays_when_it_is_forgotten(
    session_factory: SessionFactory, city: City
) -> None:
    async def save_home(at: LatLng) -> saved_places.SavedPlace:
        async with session_factory.begin() as session:
            return await saved_places.save_place(
                session, city.rider, place_id=None, kind=SavedPlaceKind.HOME, name="Home", position=at, now=FixedClock().now()
            )

    home = await save_home(ZOO)
    near = await save(session_factory, city.rider, draft(city, origin=home.id))
    await save_home(LatLng(49.35, 8.62))
    [moved] = await listed(session_factory, city.rider)
    assert moved.origin == End(home.id, "Home", LatLng(49.35, 8.62))
    assert moved.travel_seconds > near.travel_seconds
    await save_home(LatLng(48.0, 8.0))
    assert await listed(session_factory, city.rider) == [moved], "the commute's metro has no such place"
    async with session_factory.begin() as session:
        await saved_places.forget_saved_place(session, city.rider, place_id=home.id)
    [kept] = await listed(session_factory, city.rider)
    assert kept.origin == End(None, "Home", LatLng(49.35, 8.62))


async def test_a_reminder_is_told_once_by_many_workers_and_again_the_next_day(
    session_factory: SessionFactory, city: City
) -> None:
    saved = await save(session_factory, city.rider, draft(city))
    departure = saved.next_departure(MONDAY)
    assert departure is not None
    remind_at = departure.leave_at - timedelta(minutes=15)
    assert await remind(session_factory, remind_at - timedelta(seconds=1)) == 0
    assert sorted(await asyncio.gather(*(remind(session_factory, remind_at) for _ in range(3)))) == [0, 0, 1]
    async with session_factory.begin() as session:  # as a clock does that jumps back, or a rider who saves it again
        await session.execute(update(tables.Commute).values(next_reminder_at=remind_at))
    assert await remind(session_factory, remind_at) == 1
    assert await told(session_factory) == [departure.leave_at.isoformat()]
    assert await remind(session_factory, remind_at + timedelta(days=1)) == 1
    assert len(await told(session_factory)) == 2


async def test_a_worker_that_dies_before_its_commit_has_told_nothing(session_factory: SessionFactory, city: City) -> None:
    await save(session_factory, city.rider, draft(city))
    due = datetime(2026, 11, 23, 7, 10, tzinfo=UTC)
    async with session_factory() as session:
        assert await commutes.remind_riders(session, now=due) == 1
    assert await told(session_factory) == []
    assert await remind(session_factory, due) == 1
    assert len(await told(session_factory)) == 1


async def test_after_an_outage_reminders_of_the_past_are_passed_over(session_factory: SessionFactory, city: City) -> None:
    saved = await save(session_factory, city.rider, draft(city))
    departure = saved.next_departure(MONDAY)
    assert departure is not None
    assert await remind(session_factory, departure.leave_at + timedelta(days=2, seconds=1)) == 1
    assert await told(session_factory) == []
    async with session_factory() as session:
        due = (await session.execute(select(tables.Commute.next_reminder_at))).scalar_one()
    assert due == departure.leave_at + timedelta(days=3) - timedelta(minutes=15)
    assert await remind(session_factory, departure.leave_at + timedelta(days=3)) == 1, "the last second is not past"
    assert len(await told(session_factory)) == 1


async def test_a_paused_commute_and_one_without_reminder_stay_silent(session_factory: SessionFactory, city: City) -> None:
    await save(session_factory, city.rider, draft(city, reminder_minutes=None))
    paused = await save(session_factory, city.rider, draft(city, name="Paused", is_paused=True))
    assert paused.next_departure(MONDAY) is None
    assert await remind(session_factory, MONDAY + timedelta(days=30)) == 0


async def test_the_night_of_the_change_moves_the_departure_with_the_clock(session_factory: SessionFactory, city: City) -> None:
    night = datetime(2027, 3, 27, 20, tzinfo=UTC)
    saved = await save(session_factory, city.rider, draft(city, days=[7], arrive_by=time(2, 30)), now=night)
    departure = saved.next_departure(night)
    assert departure is not None
    assert departure.arrive_by == datetime(2027, 3, 28, 1, tzinfo=UTC), "there is no half past two: three o'clock"
    assert await remind(session_factory, departure.leave_at) == 1
    assert await told(session_factory) == [departure.leave_at.isoformat()]
