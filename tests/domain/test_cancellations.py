"""Giving up is free until a limit, then costs exactly what was shown and accepted."""

from __future__ import annotations

import asyncio
from datetime import datetime, timedelta
from uuid import UUID

import pytest
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncSession

from app.database import SessionFactory
from domain import cancellations, changes, errors, receipts, refunds, reservations
from domain.actor import Actor
from domain.values import CancelCause, FeeSettlement, Money, NotificationKind, ReservationState, VehicleType
from tests import factories
from tests.conftest import FixedClock
from tests.domain.bookings import HOUR, cancel, new_vehicle, notified, reserve, sweep
from tests.domain.conftest import City
from tests.journeys import waiting

MINUTE, SECOND, DAY = timedelta(minutes=1), timedelta(seconds=1), timedelta(days=1)
FEE = Money(500, "EUR")


@pytest.fixture
async def car(session_factory: SessionFactory, city: City) -> UUID:
    """Whose bookings cost something when they are given up late."""
    async with session_factory.begin() as session:
        await factories.add_tariff(session, city.metro, VehicleType.CAR, version=2, cancel_fee_minor=500)
    return await new_vehicle(session_factory, city, VehicleType.CAR)


async def settle(
    session_factory: SessionFactory, who: Actor, reservation_id: UUID, now: datetime, settlement: FeeSettlement
) -> reservations.Reservation:
    async with session_factory.begin() as session:
        await cancellations.settle_cancellation_fee(session, who, reservation_id=reservation_id, settlement=settlement, now=now)
        return await reservations.get_reservation(session, who, reservation_id)


async def test_a_booking_is_given_up_for_nothing_until_an_hour_before_to_the_second(
    session_factory: SessionFactory, city: City, clock: FixedClock, car: UUID
) -> None:
    now, start = clock.now(), clock.now() + 5 * HOUR
    booked = await reserve(session_factory, city.rider, car, now, starts_at=start, ends_at=start + HOUR)
    assert booked.cancel_free_until == start - HOUR
    assert cancellations.terms_of(booked, start - HOUR) == cancellations.Terms(start - HOUR, Money(0, "EUR"))
    assert cancellations.terms_of(booked, start - HOUR + SECOND) == cancellations.Terms(start - HOUR, FEE)
    given_up = await cancel(session_factory, city.rider, booked.id, start - HOUR)
    assert (given_up.cancel_cause, given_up.cancel_fee, given_up.state) == (CancelCause.RIDER, None, ReservationState.CANCELLED)
    assert cancellations.terms_of(given_up, now) is None
    assert await notified(session_factory, city.rider) == [], "who does it knows it"


async def test_after_the_limit_it_takes_exactly_the_fee_and_leaves_a_debt(
    session_factory: SessionFactory, city: City, clock: FixedClock, car: UUID
) -> None:
    start = clock.now() + 5 * HOUR
    late = start - HOUR + SECOND
    booked = await reserve(session_factory, city.rider, car, clock.now(), starts_at=start, ends_at=start + HOUR)
    for accepted, words in ((None, "not free any more"), (Money(499, "EUR"), "another"), (Money(500, "CHF"), "another")):
        with pytest.raises(errors.CancellationFee, match=words) as refusal:
            await cancel(session_factory, city.rider, booked.id, late, accepted_fee=accepted)
        assert (refusal.value.fee, refusal.value.free_until, refusal.value.path) == (FEE, start - HOUR, ["acceptedFee"])
    async with session_factory() as session:
        assert await reservations.get_reservation(session, city.rider, booked.id) == booked, "nothing was done"
    given_up = await cancel(session_factory, city.rider, booked.id, late, accepted_fee=FEE)
    assert (given_up.cancel_fee, given_up.fee_settled_at) == (FEE, None)


async def test_nobody_pays_for_what_is_free(session_factory: SessionFactory, city: City, clock: FixedClock, car: UUID) -> None:
    start = clock.now() + 5 * HOUR
    booked = await reserve(session_factory, city.rider, car, clock.now(), starts_at=start, ends_at=start + HOUR)
    with pytest.raises(errors.CancellationFee, match="free now: leave acceptedFee out") as refusal:
        await cancel(session_factory, city.rider, booked.id, clock.now(), accepted_fee=FEE)
    assert refusal.value.fee == Money(0, "EUR")
    assert (await cancel(session_factory, city.rider, booked.id, clock.now(), accepted_fee=Money(0, "EUR"))).cancel_fee is None


async def test_a_mistaken_booking_is_free_for_five_minutes_also_while_it_runs(
    session_factory: SessionFactory, city: City, clock: FixedClock, car: UUID
) -> None:
    now = clock.now()
    booked = await reserve(session_factory, city.rider, car, now, ends_at=now + HOUR)
    assert booked.cancel_free_until == now + 5 * MINUTE
    with pytest.raises(errors.CancellationFee):
        await cancel(session_factory, city.rider, booked.id, now + 5 * MINUTE + SECOND)
    await cancel(session_factory, city.rider, booked.id, now + 5 * MINUTE)


async def test_a_hold_is_free_until_it_lapses_and_over_then_whether_a_sweep_came_or_not(
    session_factory: SessionFactory, city: City, clock: FixedClock
) -> None:
    held = await reserve(session_factory, city.rider, await new_vehicle(session_factory, city), clock.now())
    lapse = clock.now() + 15 * MINUTE
    terms = cancellations.terms_of(held, lapse - SECOND)
    assert terms == cancellations.Terms(lapse, Money(0, "EUR"))
    assert cancellations.terms_of(held, lapse) is None
    with pytest.raises(errors.ReservationClosed, match="over and cannot be cancelled"):
        await cancel(session_factory, city.rider, held.id, lapse)
    await cancel(session_factory, city.rider, held.id, lapse - SECOND)


async def test_who_is_late_does_not_escape_the_fee_by_moving_the_booking(
    session_factory: SessionFactory, city: City, clock: FixedClock, car: UUID
) -> None:
    start = clock.now() + 5 * HOUR
    booked = await reserve(session_factory, city.rider, car, clock.now(), starts_at=start, ends_at=start + HOUR)

    async def moved(to: datetime, now: datetime) -> datetime | None:
        async with session_factory.begin() as session:
            await changes.change_reservation(
                session, city.rider, reservation_id=booked.id, starts_at=to, ends_at=to + HOUR, now=now
            )
            return (await reservations.get_reservation(session, city.rider, booked.id)).cancel_free_until

    assert await moved(start + HOUR, clock.now()) == start
    assert await moved(start + 5 * DAY, start + SECOND) == start, "as it was"
    with pytest.raises(errors.CancellationFee):
        await cancel(session_factory, city.rider, booked.id, start + HOUR)


async def test_what_staff_cancel_costs_the_rider_nothing_and_is_told_with_the_reason(
    session_factory: SessionFactory, city: City, clock: FixedClock, car: UUID
) -> None:
    now = clock.now()
    booked = await reserve(session_factory, city.rider, car, now, ends_at=now + HOUR)
    given_up = await cancel(session_factory, city.dispatcher, booked.id, now + 30 * MINUTE, reason="Road works.")
    assert (given_up.cancel_cause, given_up.cancel_reason, given_up.cancel_fee) == (CancelCause.OPERATOR, "Road works.", None)
    (told,) = await notified(session_factory, city.rider)
    assert (told.kind, told.metro_id) == (NotificationKind.RESERVATION_CANCELLED, city.metro.id)
    assert told.facts == {
        "reservationId": str(booked.id),
        "vehicleType": "car",
        "plate": booked.vehicle.plate,
        "startsAt": now.isoformat(),
        "reason": "Road works.",
    }


async def test_what_lapses_or_ends_unused_is_told_once(session_factory: SessionFactory, city: City, clock: FixedClock) -> None:
    bike = await new_vehicle(session_factory, city)
    held = await reserve(session_factory, city.rider, bike, clock.now())
    for _ in range(2):
        await sweep(session_factory, clock.now() + 15 * MINUTE)
    (told,) = await notified(session_factory, city.rider)
    assert (told.kind, told.facts["reservationId"]) == (NotificationKind.RESERVATION_EXPIRED, str(held.id))


@pytest.mark.parametrize("settlement", list(FeeSettlement))
async def test_a_fee_is_owed_until_it_is_paid_or_waived_once(
    session_factory: SessionFactory, city: City, clock: FixedClock, car: UUID, settlement: FeeSettlement
) -> None:
    now = clock.now()
    booked = await reserve(session_factory, city.rider, car, now, ends_at=now + HOUR)
    with pytest.raises(errors.InvalidInput, match="No fee is owed"):
        await settle(session_factory, city.dispatcher, booked.id, now, settlement)
    await cancel(session_factory, city.rider, booked.id, now + 30 * MINUTE, accepted_fee=FEE)
    settled = await settle(session_factory, city.dispatcher, booked.id, now + HOUR, settlement)
    assert (settled.cancel_fee, settled.fee_settled_at, settled.fee_settlement) == (FEE, now + HOUR, settlement)
    with pytest.raises(errors.ReservationClosed, match=f"was {settlement} on 2026-11-21T09:30:00Z"):
        await settle(session_factory, city.dispatcher, booked.id, now, settlement)
    async with session_factory.begin() as session:
        stranger = await factories.add_member(session, city.dispatcher.role, await factories.add_metro(session))
    with pytest.raises(errors.NotFound):
        await settle(session_factory, stranger, booked.id, now, settlement)


async def give_back(session: AsyncSession, who: Actor, receipt_id: UUID, now: datetime) -> None:
    await refunds.refund_receipt(session, who, receipt_id=receipt_id, kinds=None, amount=None, now=now)


async def test_a_fee_that_is_given_back_before_it_was_paid_is_waived(
    session_factory: SessionFactory, city: City, clock: FixedClock, car: UUID
) -> None:
    now = clock.now()
    booked = await reserve(session_factory, city.rider, car, now, ends_at=now + HOUR)
    await cancel(session_factory, city.rider, booked.id, now + 30 * MINUTE, accepted_fee=FEE)
    async with session_factory.begin() as session:
        (receipt,) = await receipts.list_receipts(session, city.dispatcher, limit=2)
        await give_back(session, city.dispatcher, receipt.id, now + HOUR)
        settled = await reservations.get_reservation(session, city.rider, booked.id)
    assert (settled.fee_settled_at, settled.fee_settlement) == (now + HOUR, FeeSettlement.WAIVED)


async def test_giving_a_fee_back_takes_its_turn_after_who_settles_it(
    session_factory: SessionFactory, city: City, clock: FixedClock, car: UUID
) -> None:
    """The reservation comes before its receipt, for all: nobody waits in a ring."""
    now = clock.now()
    booked = await reserve(session_factory, city.rider, car, now, ends_at=now + HOUR)
    await cancel(session_factory, city.rider, booked.id, now + 30 * MINUTE, accepted_fee=FEE)
    async with session_factory() as session:
        (receipt,) = await receipts.list_receipts(session, city.dispatcher, limit=2)

    async def give_all_back() -> None:
        async with session_factory.begin() as session:
            await give_back(session, city.dispatcher, receipt.id, now + HOUR)

    async with session_factory.begin() as settling:
        await reservations.lock_reservation(settling, city.dispatcher, booked.id)
        giving = asyncio.create_task(give_all_back())
        await waiting.until(lambda: waits_for_a_lock(session_factory))
        await receipts.lock_cancellation_receipt(settling, booked.id)
    await giving


async def waits_for_a_lock(session_factory: SessionFactory) -> bool:
    rows = text("select count(*) from pg_stat_activity where datname = current_database() and wait_event_type = 'Lock'")
    async with session_factory() as session:
        return bool((await session.execute(rows)).scalar_one())
