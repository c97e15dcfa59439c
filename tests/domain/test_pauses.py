"""A pause begins and ends with the word of the lock."""

from __future__ import annotations

from datetime import timedelta

import pytest

from app.database import SessionFactory
from domain import errors, meters
from domain.tables import LockPurpose, TripState, TripStep
from domain.values import VehicleState, VehicleType
from tests import factories
from tests.conftest import FixedClock
from tests.domain import rides
from tests.domain.bookings import new_vehicle, state_of
from tests.domain.conftest import City

MINUTE, SECOND = timedelta(minutes=1), timedelta(seconds=1)


@pytest.mark.parametrize("kind", list(VehicleType))
async def test_a_pause_lasts_from_one_answer_to_the_next(
    session_factory: SessionFactory, city: City, clock: FixedClock, kind: VehicleType
) -> None:
    now, vehicle = clock.now(), await new_vehicle(session_factory, city, kind)
    begun = await rides.ride(session_factory, city.rider, vehicle, now, ends_at=rides.until(kind, now))
    await rides.pause(session_factory, city.rider, begun.id, now + MINUTE)
    assert (await rides.read(session_factory, city.rider, begun.id)).awaits is TripStep.PAUSE
    await rides.answer(session_factory, vehicle, now + MINUTE + SECOND)
    paused = await rides.read(session_factory, city.rider, begun.id)
    assert (paused.state, paused.paused_at, paused.awaits) == (TripState.PAUSED, now + MINUTE + SECOND, None)
    standing = VehicleState.ON_TRIP if kind.is_micromobility else VehicleState.STOPPED
    assert await state_of(session_factory, vehicle) is standing
    await rides.resume(session_factory, city.rider, begun.id, now + 5 * MINUTE)
    await rides.answer(session_factory, vehicle, now + 5 * MINUTE)
    going = await rides.read(session_factory, city.rider, begun.id)
    assert (going.state, going.paused_at) == (TripState.IN_USE, None)
    assert going.pauses == (meters.Pause(now + MINUTE + SECOND, now + 5 * MINUTE),)
    assert await state_of(session_factory, vehicle) is VehicleState.ON_TRIP


async def test_one_thing_at_a_time_is_asked_of_a_lock(session_factory: SessionFactory, city: City, clock: FixedClock) -> None:
    bike = await new_vehicle(session_factory, city)
    begun = await rides.ride(session_factory, city.rider, bike, clock.now())
    await rides.pause(session_factory, city.rider, begun.id, clock.now())
    for act in (rides.pause, rides.resume):
        with pytest.raises(errors.VehicleBusy):
            await act(session_factory, city.rider, begun.id, clock.now())


async def test_a_pause_needs_a_ride_and_a_resumption_a_pause(
    session_factory: SessionFactory, city: City, clock: FixedClock
) -> None:
    bike = await new_vehicle(session_factory, city)
    asked = await rides.unlock(session_factory, city.rider, bike, clock.now())
    with pytest.raises(errors.VehicleBusy):
        await rides.pause(session_factory, city.rider, asked.id, clock.now())
    await rides.answer(session_factory, bike, clock.now())
    with pytest.raises(errors.TripClosed, match="only one that is paused can resume"):
        await rides.resume(session_factory, city.rider, asked.id, clock.now())
    async with session_factory.begin() as session:
        other = await factories.add_rider(session)
    with pytest.raises(errors.NotFound):
        await rides.pause(session_factory, other, asked.id, clock.now())


@pytest.mark.parametrize("is_silent", [True, False])
async def test_a_lock_that_does_not_close_or_open_leaves_the_ride_as_it_was(
    session_factory: SessionFactory, city: City, clock: FixedClock, is_silent: bool
) -> None:
    now, bike = clock.now(), await new_vehicle(session_factory, city)
    begun = await rides.ride(session_factory, city.rider, bike, now)
    for act, state in ((rides.pause, TripState.IN_USE), (rides.resume, TripState.PAUSED)):
        await act(session_factory, city.rider, begun.id, now)
        if is_silent:
            await rides.sweep(session_factory, now + 30 * SECOND)
        else:
            await rides.answer(session_factory, bike, now, is_done=False)
        after = await rides.read(session_factory, city.rider, begun.id)
        assert (after.state, after.awaits) == (state, None)
        now += MINUTE
        if act is rides.pause:
            await rides.pause(session_factory, city.rider, begun.id, now)
            await rides.answer(session_factory, bike, now)


async def test_a_lock_that_closes_after_all_has_begun_the_pause(
    session_factory: SessionFactory, city: City, clock: FixedClock
) -> None:
    now, bike = clock.now(), await new_vehicle(session_factory, city)
    begun = await rides.ride(session_factory, city.rider, bike, now)
    await rides.pause(session_factory, city.rider, begun.id, now)
    await rides.sweep(session_factory, now + 30 * SECOND)
    await rides.answer(session_factory, bike, now + MINUTE, purpose=LockPurpose.PAUSE)
    paused = await rides.read(session_factory, city.rider, begun.id)
    assert (paused.state, paused.paused_at) == (TripState.PAUSED, now + MINUTE)
