"""The simulator of locks: it goes wrong as it is told, and alike each time."""

from __future__ import annotations

import asyncio
from collections import Counter
from datetime import timedelta
from typing import Any
from uuid import UUID, uuid4

import pytest

from app.gateways.locks import Faults, NoLocks, SimulatedLocks
from domain import errors
from domain.ports import LockAnswer, LockOrder, VehicleStatus
from tests.conftest import FixedClock


def order_for(clock: FixedClock, number: int = 1, action: str = "unlock") -> LockOrder:
    return LockOrder(UUID(int=number), UUID(int=1000 + number), action, clock.now() + timedelta(seconds=30))


async def heard(locks: SimulatedLocks, count: int) -> list[LockAnswer]:
    answers = locks.answers()
    async with asyncio.timeout(30):
        return [await anext(answers) for _ in range(count)]


def is_silent(locks: SimulatedLocks) -> bool:
    return locks._answers.empty()


async def test_a_lock_does_what_it_is_asked_and_a_car_that_is_locked_is_at_the_cable(clock: FixedClock) -> None:
    locks = SimulatedLocks(clock, latency_seconds=0)
    for number, action in ((1, "unlock"), (2, "lock"), (3, "lock")):
        locks.unplugged = {UUID(int=1003)}
        await locks.send(order_for(clock, number, action))
    answers = await heard(locks, 3)
    assert [(answer.is_done, answer.is_plugged_in) for answer in answers] == [(True, None), (True, True), (True, False)]


async def test_an_order_that_is_heard_too_late_is_not_done(clock: FixedClock) -> None:
    locks = SimulatedLocks(clock, latency_seconds=0)
    order = order_for(clock)
    clock.advance(seconds=30)
    await locks.send(order)
    assert is_silent(locks)


async def _run(clock: FixedClock, faults: Faults, orders: int) -> Counter[tuple[UUID, bool]]:
    locks = SimulatedLocks(clock, latency_seconds=0, faults=faults)
    for number in range(orders):
        await locks.send(order_for(clock, number))
    return Counter((answer.command_id, answer.is_done) for answer in await heard(locks, locks._answers.qsize()))


async def test_faults_befall_their_share_and_the_same_orders_each_time(clock: FixedClock) -> None:
    given: dict[str, Any] = {"failing": 0.2, "lost": 0.3, "doubled": 0.25, "late": 0.1, "late_seconds": 3600}
    first, again = [await _run(clock, Faults(seed=1, **given), 500) for _ in range(2)]
    assert first == again
    assert first != await _run(clock, Faults(seed=2, **given), 500)
    said = len(first)
    assert 500 * 0.55 < said < 500 * 0.70, "neither lost nor late"
    assert said * 0.12 < sum(not is_done for _, is_done in first) < said * 0.28
    assert said * 0.17 < sum(times == 2 for times in first.values()) < said * 0.33


async def test_an_order_that_is_said_again_gets_another_chance_to_be_answered_alike(clock: FixedClock) -> None:
    locks = SimulatedLocks(clock, latency_seconds=0, faults=Faults(lost=0.5, failing=0.5))
    for number in range(50):
        for _ in range(10):
            await locks.send(order_for(clock, number))
    words = Counter((answer.command_id, answer.is_done) for answer in await heard(locks, locks._answers.qsize()))
    assert len({command_id for command_id, _ in words}) == len(words) == 50


async def test_driven_by_hand_a_vehicle_says_only_what_it_is_made_to(clock: FixedClock) -> None:
    locks = SimulatedLocks(clock, answers_alone=False)
    await locks.send(order_for(clock, 1, "lock"))
    await locks.send(order_for(clock, 2))
    assert is_silent(locks)
    clock.advance(hours=1)
    said = locks.answer(UUID(int=1), battery_percent=7)
    locks.answer(UUID(int=1))
    locks.answer(UUID(int=2), is_done=False, failure="jammed")
    first, second, third = await heard(locks, 3)
    assert first == said == LockAnswer(UUID(int=1), UUID(int=1001), True, battery_percent=7, is_plugged_in=True)
    assert (second.battery_percent, third.is_done, third.failure) == (None, False, "jammed")
    locks.lose(UUID(int=2))
    with pytest.raises(KeyError):
        locks.answer(UUID(int=2))
    status = VehicleStatus(uuid4(), clock.now())
    locks.report(status)
    assert await anext(locks.statuses()) == status


async def test_an_answer_takes_its_time(clock: FixedClock) -> None:
    locks = SimulatedLocks(clock, latency_seconds=0.01)
    await locks.send(order_for(clock))
    assert is_silent(locks)
    assert [answer.is_done for answer in await heard(locks, 1)] == [True]


async def test_vehicles_out_of_reach_hear_nothing(clock: FixedClock) -> None:
    locks = SimulatedLocks(clock)
    locks.is_reachable = False
    with pytest.raises(errors.OutOfReach):
        await locks.send(order_for(clock))
    assert not locks.heard
    with pytest.raises(errors.OutOfReach):
        await NoLocks().send(order_for(clock))
