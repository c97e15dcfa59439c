"""Who lets holds lapse again and again waits a while before the next one."""

from __future__ import annotations

from datetime import datetime, timedelta

import pytest

from app.database import SessionFactory
from domain import errors
from domain.values import VehicleState, VehicleType
from tests import factories
from tests.conftest import FixedClock
from tests.domain.bookings import HOUR, cancel, new_vehicle, reserve, sweep
from tests.domain.conftest import City
from tests.domain.test_withdrawals import report

MINUTE, SECOND = timedelta(minutes=1), timedelta(seconds=1)


async def lapse(session_factory: SessionFactory, city: City, clock: FixedClock, times: int) -> datetime:
    """Holds that lapse one after the other; when the last one did."""
    for _ in range(times):
        await reserve(session_factory, city.rider, await new_vehicle(session_factory, city), clock.now())
        clock.advance(minutes=15)
        await sweep(session_factory, clock.now())
    return clock.now()


async def test_after_three_unused_holds_there_is_none_for_an_hour_to_the_second(
    session_factory: SessionFactory, city: City, clock: FixedClock
) -> None:
    last = await lapse(session_factory, city, clock, 3)
    bike, car = [await new_vehicle(session_factory, city, kind) for kind in (VehicleType.BICYCLE, VehicleType.CAR)]
    with pytest.raises(errors.CoolDown, match="Your last 3 holds") as refusal:
        await reserve(session_factory, city.rider, bike, last + HOUR - SECOND)
    assert refusal.value.until == last + HOUR
    with pytest.raises(errors.CoolDown):
        await reserve(session_factory, city.dispatcher, bike, last, customer_id=city.rider.account_id)
    await reserve(session_factory, city.rider, car, last, ends_at=last + HOUR)
    async with session_factory.begin() as session:
        other = await factories.add_rider(session)
    held = await reserve(session_factory, other, bike, last)
    await cancel(session_factory, other, held.id, last)
    await reserve(session_factory, city.rider, bike, last + HOUR)


async def test_a_hold_that_lapsed_counts_before_a_sweep_has_seen_it(
    session_factory: SessionFactory, city: City, clock: FixedClock
) -> None:
    await lapse(session_factory, city, clock, 2)
    bikes = [await new_vehicle(session_factory, city) for _ in range(2)]
    await reserve(session_factory, city.rider, bikes[0], clock.now())
    clock.advance(minutes=15)
    with pytest.raises(errors.CoolDown) as refusal:
        await reserve(session_factory, city.rider, bikes[1], clock.now())
    assert refusal.value.until == clock.now() + HOUR


@pytest.mark.parametrize("between", ["cancelled by the rider", "a day"])
async def test_unused_holds_count_only_in_a_row_and_within_a_day(
    session_factory: SessionFactory, city: City, clock: FixedClock, between: str
) -> None:
    await lapse(session_factory, city, clock, 2)
    if between == "a day":
        clock.advance(hours=24)
    else:
        held = await reserve(session_factory, city.rider, await new_vehicle(session_factory, city), clock.now())
        await cancel(session_factory, city.rider, held.id, clock.now())
    await lapse(session_factory, city, clock, 1)
    await reserve(session_factory, city.rider, await new_vehicle(session_factory, city), clock.now())


async def test_what_was_not_the_riders_doing_neither_counts_nor_clears(
    session_factory: SessionFactory, city: City, clock: FixedClock
) -> None:
    await lapse(session_factory, city, clock, 2)
    for _ in range(2):
        bike = await new_vehicle(session_factory, city)
        await reserve(session_factory, city.rider, bike, clock.now())
        await report(session_factory, city, bike, VehicleState.MISSING, clock)
    held = await reserve(session_factory, city.rider, await new_vehicle(session_factory, city), clock.now())
    await cancel(session_factory, city.dispatcher, held.id, clock.now(), reason="By mistake.")
    await lapse(session_factory, city, clock, 1)
    with pytest.raises(errors.CoolDown):
        await reserve(session_factory, city.rider, await new_vehicle(session_factory, city), clock.now())
