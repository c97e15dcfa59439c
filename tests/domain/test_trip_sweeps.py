"""Every state that waits for somebody else is ended by a sweep, if they are silent."""

from __future__ import annotations

from datetime import timedelta

from app.database import SessionFactory
from domain import trip_sweeps
from domain.tables import TripEnd, TripState
from domain.values import ReservationState, VehicleState
from tests.conftest import FixedClock
from tests.domain import rides
from tests.domain.bookings import new_vehicle, reserve, state_of
from tests.domain.conftest import City

MINUTE, SECOND = timedelta(minutes=1), timedelta(seconds=1)


async def test_a_lock_that_does_not_answer_never_charges_the_rider(
    session_factory: SessionFactory, city: City, clock: FixedClock
) -> None:
    now, bike = clock.now(), await new_vehicle(session_factory, city)
    held = await reserve(session_factory, city.rider, bike, now)
    asked = await rides.unlock(session_factory, city.rider, bike, now)
    await rides.sweep(session_factory, now + 29 * SECOND)
    assert (await rides.read(session_factory, city.rider, asked.id)).state is TripState.PREPARING
    await rides.sweep(session_factory, now + 30 * SECOND)
    over = await rides.read(session_factory, city.rider, asked.id)
    assert (over.state, over.end_cause, over.receipt_id) == (TripState.CANCELLED, TripEnd.UNLOCK_TIMED_OUT, None)
    assert (await rides.reservation_row(session_factory, held.id)).state is ReservationState.CONFIRMED
    assert await state_of(session_factory, bike) is VehicleState.RESERVED


async def test_an_answer_that_comes_before_the_sweep_counts(
    session_factory: SessionFactory, city: City, clock: FixedClock
) -> None:
    now, bike = clock.now(), await new_vehicle(session_factory, city)
    asked = await rides.unlock(session_factory, city.rider, bike, now)
    async with session_factory() as session:
        assert await trip_sweeps.list_waiting_too_long(session, now=now + MINUTE) == [asked.id]
    await rides.answer(session_factory, bike, now + MINUTE)
    async with session_factory.begin() as session:
        await trip_sweeps.settle(session, asked.id, now=now + MINUTE)
    assert (await rides.read(session_factory, city.rider, asked.id)).state is TripState.IN_USE
