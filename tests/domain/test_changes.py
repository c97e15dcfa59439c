"""What is reserved moves to another time or vehicle, or lasts longer; what is refused stays exactly as it was."""

from __future__ import annotations

import asyncio
import contextlib
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any
from uuid import UUID

import pytest

from app.database import SessionFactory
from domain import changes, errors, fleet, reports, reservations
from domain.actor import Actor
from domain.values import ReservationState, VehicleState, VehicleType
from tests import factories
from tests.conftest import FixedClock
from tests.domain.bookings import HOUR, cancel, kinds, new_vehicle, reserve, state_of, sweep, told
from tests.domain.conftest import City

MINUTE, SECOND, DAY = timedelta(minutes=1), timedelta(seconds=1), timedelta(days=1)


async def change(
    session_factory: SessionFactory, who: Actor, reservation_id: UUID, now: datetime, *, to: UUID | None = None, **given: Any
) -> reservations.Reservation:
    async with session_factory.begin() as session:
        ref = None if to is None else fleet.VehicleRef(to, published=False)
        await changes.change_reservation(session, who, reservation_id=reservation_id, vehicle=ref, now=now, **given)
        return await reservations.get_reservation(session, who, reservation_id)


async def extend(
    session_factory: SessionFactory, who: Actor, reservation_id: UUID, ends_at: datetime, now: datetime
) -> reservations.Reservation:
    async with session_factory.begin() as session:
        await changes.extend_reservation(session, who, reservation_id=reservation_id, ends_at=ends_at, now=now)
        return await reservations.get_reservation(session, who, reservation_id)


async def shown(session_factory: SessionFactory, who: Actor, reservation_id: UUID) -> reservations.Reservation:
    async with session_factory() as session:
        return await reservations.get_reservation(session, who, reservation_id)


async def test_a_booking_moves_in_time_and_is_priced_by_the_tariff_it_was_quoted(
    session_factory: SessionFactory, city: City, clock: FixedClock
) -> None:
    car, now = await new_vehicle(session_factory, city, VehicleType.CAR), clock.now()
    booked = await reserve(session_factory, city.rider, car, now, starts_at=now + DAY, ends_at=now + DAY + HOUR)
    async with session_factory.begin() as session:
        dearer = {"version": 2, "per_minute_minor": Decimal(99), "valid_from": now}
        await factories.add_tariff(session, city.metro, VehicleType.CAR, **dearer)
    moved = await change(session_factory, city.rider, booked.id, now, starts_at=now + 2 * DAY, ends_at=now + 2 * DAY + 2 * HOUR)
    assert (moved.starts_at, moved.ends_at) == (now + 2 * DAY, now + 2 * DAY + 2 * HOUR)
    assert moved.quoted_minor == 100 + 120 * 19
    await reserve(session_factory, city.rider, car, now, starts_at=now + DAY, ends_at=now + DAY + HOUR)
    later = await change(session_factory, city.rider, booked.id, now, ends_at=now + 2 * DAY + HOUR)
    assert (later.starts_at, later.quoted_minor) == (moved.starts_at, 100 + 60 * 19), "what is not named stays"
    assert (await kinds(session_factory, city)).count("reservation.changed") == 2
    event = next(each for each in await told(session_factory, city.rider) if each.kind == "reservation.changed")
    assert (event.payload["startsAt"], event.payload["quotedMinor"]) == (moved.starts_at.isoformat(), moved.quoted_minor)


async def test_a_hold_moves_to_another_bike_and_leaves_the_first_free(
    session_factory: SessionFactory, city: City, clock: FixedClock
) -> None:
    one, other = [await new_vehicle(session_factory, city) for _ in range(2)]
    soon = clock.now() + 10 * MINUTE
    held = await reserve(session_factory, city.rider, one, clock.now(), starts_at=soon, expected_minutes=10)
    moved = await change(session_factory, city.rider, held.id, clock.now(), to=other)
    assert (moved.vehicle.id, moved.published_vehicle_id) == (other, moved.vehicle.published_id)
    assert (moved.starts_at, moved.lapses_at, moved.quoted_minor) == (soon, soon + 15 * MINUTE, 290)
    assert await state_of(session_factory, one) is VehicleState.AVAILABLE
    assert await state_of(session_factory, other) is VehicleState.RESERVED
    await reserve(session_factory, city.dispatcher, one, clock.now(), customer_id=city.rider.account_id)
    with pytest.raises(errors.VehicleUnavailable):
        await reserve(session_factory, city.rider, other, clock.now())
    await sweep(session_factory, soon + 15 * MINUTE)
    assert await state_of(session_factory, other) is VehicleState.AVAILABLE


async def test_another_type_of_vehicle_costs_by_the_tariff_in_force_and_a_hold_never_becomes_a_booking(
    session_factory: SessionFactory, city: City, clock: FixedClock
) -> None:
    now = clock.now()
    async with session_factory.begin() as session:
        dearer = {"version": 2, "per_minute_minor": Decimal(30), "valid_from": now}
        await factories.add_tariff(session, city.metro, VehicleType.VAN, **dearer)
    car, van, bike = [
        await new_vehicle(session_factory, city, kind) for kind in (VehicleType.CAR, VehicleType.VAN, VehicleType.BICYCLE)
    ]
    booked = await reserve(session_factory, city.rider, car, now, starts_at=now + DAY, ends_at=now + DAY + HOUR)
    with pytest.raises(errors.InvalidInput, match="does not become a booking"):
        await change(session_factory, city.rider, booked.id, now, to=bike)
    moved = await change(session_factory, city.rider, booked.id, now, to=van)
    assert (moved.vehicle.vehicle_type, moved.quoted_minor) == (VehicleType.VAN, 100 + 60 * 30)


async def test_a_hold_moves_no_further_than_half_an_hour_after_it_was_made(
    session_factory: SessionFactory, city: City, clock: FixedClock
) -> None:
    made = clock.now()
    held = await reserve(
        session_factory, city.rider, await new_vehicle(session_factory, city), made, starts_at=made + 20 * MINUTE
    )
    clock.advance(minutes=15)
    with pytest.raises(errors.InvalidInput, match="2026-11-21T09:00:00Z"):
        await change(session_factory, city.rider, held.id, clock.now(), starts_at=made + 30 * MINUTE + SECOND)
    moved = await change(session_factory, city.rider, held.id, clock.now(), starts_at=made + 30 * MINUTE)
    assert moved.lapses_at == made + 45 * MINUTE


async def test_what_has_begun_or_is_over_does_not_move(session_factory: SessionFactory, city: City, clock: FixedClock) -> None:
    now = clock.now()
    held = await reserve(session_factory, city.rider, await new_vehicle(session_factory, city), now, starts_at=now + MINUTE)
    await change(session_factory, city.rider, held.id, now + MINUTE - SECOND, expected_minutes=5)
    with pytest.raises(errors.ReservationClosed, match=r"has begun at 2026-11-21T08:31:00Z.*hold again"):
        await change(session_factory, city.rider, held.id, now + MINUTE, expected_minutes=5)
    await cancel(session_factory, city.rider, held.id, now)
    with pytest.raises(errors.ReservationClosed, match="cancelled"):
        await change(session_factory, city.rider, held.id, now, expected_minutes=5)


async def test_a_refused_change_leaves_everything_as_it_was(
    session_factory: SessionFactory, city: City, clock: FixedClock
) -> None:
    now = clock.now()
    car, taken, broken = [await new_vehicle(session_factory, city, VehicleType.CAR) for _ in range(3)]
    async with session_factory.begin() as session:
        other = await factories.add_rider(session)
        report = reports.Report(state=VehicleState.NON_OPERATIONAL)
        await reports.report_vehicle(session, city.dispatcher, fleet.VehicleRef(broken, published=False), report, now=now)
        abroad = (await factories.add_vehicle(session, await factories.add_metro(session), VehicleType.CAR)).id
    booked = await reserve(session_factory, city.rider, car, now, starts_at=now + DAY, ends_at=now + DAY + HOUR)
    await reserve(session_factory, other, taken, now, starts_at=now + DAY, ends_at=now + DAY + HOUR)
    await reserve(session_factory, other, car, now, starts_at=now + DAY + HOUR, ends_at=now + DAY + 2 * HOUR)
    before, told_before = await shown(session_factory, city.rider, booked.id), await told(session_factory, city.rider)
    refusals: list[tuple[dict[str, Any], type[Exception], str]] = [
        ({"to": taken}, errors.VehicleUnavailable, "Somebody has reserved"),
        ({"ends_at": now + DAY + HOUR + SECOND}, errors.VehicleUnavailable, "Somebody has reserved"),
        ({"to": broken}, errors.VehicleUnavailable, "non_operational"),
        ({"to": abroad}, errors.InvalidInput, "another metro"),
        ({"starts_at": now + 7 * DAY + SECOND, "ends_at": now + 8 * DAY}, errors.InvalidInput, "7 days ahead"),
        ({"ends_at": now + DAY + 15 * MINUTE - SECOND}, errors.InvalidInput, "15 minutes"),
        ({"starts_at": now - 2 * MINUTE}, errors.InvalidInput, "past"),
        ({"expected_minutes": 0}, errors.InvalidInput, "1 or more"),
        ({}, errors.InvalidInput, "Say what changes"),
    ]
    for given, kind, words in refusals:
        with pytest.raises(kind, match=words):
            await change(session_factory, city.rider, booked.id, now, **given)
    with pytest.raises(errors.NotFound):
        await change(session_factory, other, booked.id, now, ends_at=now + DAY + HOUR / 2)
    assert await shown(session_factory, city.rider, booked.id) == before
    assert await told(session_factory, city.rider) == told_before


async def test_two_who_change_places_at_once_never_lock_each_other_out(
    session_factory: SessionFactory, city: City, clock: FixedClock
) -> None:
    """Both want what the other has: a deadlock would be an error of the database, after a second."""
    now, later = clock.now(), clock.now() + DAY
    cars = [await new_vehicle(session_factory, city, VehicleType.CAR) for _ in range(2)]
    held = [await reserve(session_factory, city.rider, car, now, starts_at=later, ends_at=later + HOUR) for car in cars]

    async def move(number: int) -> None:
        target = cars[(number + number // 2) % 2]
        start = later + number % 3 * HOUR
        with contextlib.suppress(errors.VehicleUnavailable):
            await change(session_factory, city.rider, held[number % 2].id, now, to=target, starts_at=start, ends_at=start + HOUR)

    async with asyncio.timeout(30):
        await asyncio.gather(*(move(number) for number in range(40)))


async def test_a_booking_lasts_longer_also_while_it_runs_and_until_the_next_one_begins(
    session_factory: SessionFactory, city: City, clock: FixedClock
) -> None:
    car, now = await new_vehicle(session_factory, city, VehicleType.CAR), clock.now()
    booked = await reserve(session_factory, city.rider, car, now, starts_at=now + HOUR, ends_at=now + 2 * HOUR)
    next_one = now + 4 * HOUR
    await reserve(session_factory, city.rider, car, now, starts_at=next_one, ends_at=next_one + HOUR)
    running = now + 1.5 * HOUR
    with pytest.raises(errors.VehicleUnavailable) as refusal:
        await extend(session_factory, city.rider, booked.id, next_one + SECOND, running)
    assert (refusal.value.free_until, refusal.value.path) == (next_one, ["endsAt"])
    longer = await extend(session_factory, city.rider, booked.id, next_one, running)
    assert (longer.ends_at, longer.quoted_minor) == (next_one, 100 + 180 * 19)
    with pytest.raises(errors.VehicleUnavailable) as again:
        await extend(session_factory, city.rider, booked.id, next_one + HOUR, running)
    assert again.value.free_until == next_one, "nothing more is free"
    assert (await told(session_factory, city.rider))[-1].payload["endsAt"] == next_one.isoformat()


async def test_an_extension_ends_later_within_seven_days_and_before_it_is_over(
    session_factory: SessionFactory, city: City, clock: FixedClock
) -> None:
    car, bike, now = (
        await new_vehicle(session_factory, city, VehicleType.CAR),
        await new_vehicle(session_factory, city),
        clock.now(),
    )
    booked = await reserve(session_factory, city.rider, car, now, ends_at=now + HOUR)
    held = await reserve(session_factory, city.rider, bike, now)
    for ends_at, words in ((now + HOUR, "ends later"), (now + 7 * DAY + SECOND, "7 days at most: .*2026-11-28T08:30:00Z")):
        with pytest.raises(errors.InvalidInput, match=words):
            await extend(session_factory, city.rider, booked.id, ends_at, now)
    with pytest.raises(errors.InvalidInput, match="no end to extend"):
        await extend(session_factory, city.rider, held.id, now + HOUR, now)
    last = await extend(session_factory, city.rider, booked.id, now + 2 * HOUR, now + HOUR - SECOND)
    assert last.state is ReservationState.CONFIRMED
    with pytest.raises(errors.ReservationClosed, match="over"):
        await extend(session_factory, city.rider, booked.id, now + 3 * HOUR, now + 2 * HOUR)
    assert (await extend(session_factory, city.rider, booked.id, now + 7 * DAY, now)).ends_at == now + 7 * DAY
