"""The locksmith: orders go out until they are answered, answers are written down once, whatever fails in between."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import timedelta
from pathlib import Path
from uuid import UUID

import pytest
from sqlalchemy import func, select, text

from app import database
from app.database import SessionFactory
from app.gateways.clock import SystemClock
from app.gateways.locks import Faults, NoLocks, SimulatedLocks
from app.gateways.mqtt_locks import MqttLocks
from app.locksmith import Locksmith, lock_gateway
from app.settings import Environment, Settings
from app.worker import Worker
from domain import ids, lock_commands, ports, tables, trips
from domain.ports import LockAnswer, LockOrder, VehicleStatus
from domain.tables import TripEnd, TripState, TripStep
from domain.values import VehicleState, VehicleType
from tests import factories
from tests.app.brokers import Broker, serving
from tests.app.vehicles import Vehicle, driving
from tests.conftest import FixedClock
from tests.domain import rides
from tests.domain.bookings import new_vehicle, state_of
from tests.domain.conftest import City
from tests.journeys import waiting
from tests.journeys.gate import Gate


@pytest.fixture
async def city(session_factory: SessionFactory) -> City:
    async with session_factory.begin() as session:
        metro = await factories.add_metro(session, is_default=True)
        tariffs = {VehicleType.BICYCLE: await factories.add_tariff(session, metro)}
        return City(metro, tariffs, await factories.add_rider(session), await factories.add_member(session))


class Street:
    """A rider who has asked for a bicycle to be unlocked."""

    def __init__(self, sessions: SessionFactory, clock: FixedClock, city: City, bike: UUID, trip: trips.Trip) -> None:
        self.sessions, self.clock, self.city, self.bike, self.trip = sessions, clock, city, bike, trip
        self.locks = SimulatedLocks(clock, answers_alone=False)
        self.locksmith = Locksmith(sessions, clock, self.locks)

    async def state(self) -> TripState:
        return (await rides.read(self.sessions, self.city.rider, self.trip.id)).state

    async def is_ridden(self) -> bool:
        return await self.state() is TripState.IN_USE

    async def command(self) -> tables.LockCommand:
        return (await rides.commands(self.sessions, self.bike))[-1]


@pytest.fixture
async def street(session_factory: SessionFactory, clock: FixedClock, city: City) -> Street:
    bike = await new_vehicle(session_factory, city)
    trip = await rides.unlock(session_factory, city.rider, bike, clock.now())
    return Street(session_factory, clock, city, bike, trip)


@asynccontextmanager
async def working(locksmith: Locksmith) -> AsyncIterator[None]:
    tasks = [asyncio.ensure_future(act()) for act, _ in locksmith.parts()]
    try:
        yield
        assert not any(task.done() for task in tasks), "none of it ends by itself"
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


async def test_an_order_goes_out_and_the_answer_begins_the_ride(street: Street) -> None:
    assert await street.locksmith.send_due() == 1
    assert await street.state() is TripState.PREPARING
    ((command_id, order),) = street.locks.heard.items()
    assert order == LockOrder(command_id, street.bike, "unlock", street.trip.requested_at + 30 * rides.SECOND)
    street.clock.advance(seconds=2)
    await street.locksmith.record(street.locks.answer(command_id, battery_percent=55))
    begun = await rides.read(street.sessions, street.city.rider, street.trip.id)
    assert (begun.state, begun.started_at) == (TripState.IN_USE, street.clock.now())
    assert (await rides.vehicle_row(street.sessions, street.bike)).battery_percent == 55


async def test_of_many_workers_one_sends_an_order(street: Street) -> None:
    workers = [Locksmith(street.sessions, street.clock, street.locks) for _ in range(4)]
    assert sum(await asyncio.gather(*(worker.send_due() for worker in workers))) == 1


async def test_an_order_that_nobody_answers_is_said_again_as_the_same_order(street: Street) -> None:
    await street.locksmith.send_due()
    (first,) = street.locks.heard.values()
    assert await street.locksmith.send_due() == 0
    street.clock.advance(seconds=3)
    assert await street.locksmith.send_due() == 1
    assert list(street.locks.heard.values()) == [first]
    await street.locksmith.record(street.locks.answer(first.command_id))
    street.clock.advance(seconds=3)
    assert await street.locksmith.send_due() == 0


async def test_intermediate_state_an_order_whose_worker_died_is_said_by_another(street: Street) -> None:
    """`sent`, an attempt, but nobody has heard of it."""
    street.locks.is_reachable = False
    await street.locksmith.send_due()
    assert (await street.command()).state is tables.LockCommandState.SENT
    assert not street.locks.heard
    street.locks.is_reachable = True
    street.clock.advance(seconds=3)
    await Locksmith(street.sessions, street.clock, street.locks).send_due()
    assert list(street.locks.heard) == [(await street.command()).id]


async def test_intermediate_state_an_order_whose_job_was_lost_is_found_by_looking(street: Street) -> None:
    """`queued`, and no job is there."""
    async with street.sessions.begin() as session:
        await session.execute(text("delete from procrastinate_jobs"))
    locks = SimulatedLocks(street.clock, latency_seconds=0)
    async with working(Locksmith(street.sessions, street.clock, locks)):
        await waiting.until(street.is_ridden)


async def test_an_order_is_rung_for(street: Street, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("app.locksmith.POLL_SECONDS", 3600)
    locks = SimulatedLocks(street.clock, latency_seconds=0)
    locks.is_reachable = False
    locksmith = Locksmith(street.sessions, street.clock, locks)
    async with working(locksmith):
        await waiting.until(lambda: _is_sent(street))
        locks.is_reachable = True
        street.clock.advance(seconds=3)
        locksmith.ring()
        await waiting.until(street.is_ridden)


async def _is_sent(street: Street) -> bool:
    return (await street.command()).state is tables.LockCommandState.SENT


async def test_a_lock_that_loses_doubles_and_delays_its_answers_begins_each_ride_once(
    session_factory: SessionFactory, city: City, clock: FixedClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Its clock runs ahead of how fast this machine works.
    monkeypatch.setitem(lock_commands.PATIENCE, TripStep.UNLOCK, timedelta(hours=1))
    locks = SimulatedLocks(clock, latency_seconds=0.01, faults=Faults(lost=0.4, doubled=0.5, late=0.3, late_seconds=0.2, seed=7))
    riders, begun = [], []
    for _ in range(4):
        async with session_factory.begin() as session:
            riders.append(await factories.add_rider(session))
        bike = await new_vehicle(session_factory, city)
        begun.append(await rides.unlock(session_factory, riders[-1], bike, clock.now()))

    async def are_ridden() -> bool:
        clock.advance(seconds=0.5)
        found = [await rides.read(session_factory, who, trip.id) for who, trip in zip(riders, begun, strict=True)]
        return all(trip.state is TripState.IN_USE for trip in found)

    async with working(Locksmith(session_factory, clock, locks)):
        await waiting.until(are_ridden)


async def test_an_order_that_hangs_holds_up_no_other_and_is_let_go_with_the_worker(street: Street) -> None:
    class Hanging(SimulatedLocks):
        async def send(self, order: LockOrder) -> None:
            await super().send(order)
            await asyncio.Event().wait()

    hanging = Hanging(street.clock, answers_alone=False)
    locksmith = Locksmith(street.sessions, street.clock, hanging)
    async with working(locksmith):
        await waiting.until(lambda: bool(hanging.heard))
        (command_id,) = hanging.heard
        hanging.answer(command_id)
        await waiting.until(street.is_ridden)


async def test_an_answer_waits_for_a_database_that_is_away(
    street: Street, database_url: str, caplog: pytest.LogCaptureFixture
) -> None:
    await street.locksmith.send_due()
    (command_id,) = street.locks.heard
    gate = Gate(database_url).open()
    try:
        async with database.opened(Settings(database_timeout_seconds=1), gate.url) as sessions:
            locksmith = Locksmith(sessions, street.clock, street.locks)
            gate.shut()
            recording = asyncio.create_task(locksmith.record(street.locks.answer(command_id)))
            await waiting.until(lambda: "the database is away" in caplog.text)
            assert not recording.done()
            gate.reopen()
            async with asyncio.timeout(60):
                await recording
        assert await street.is_ridden()
    finally:
        gate.close()


async def test_what_the_database_refuses_is_given_up_and_what_follows_is_recorded(street: Street) -> None:
    await street.locksmith.send_due()
    (command_id,) = street.locks.heard
    async with working(street.locksmith):
        street.locks.answer(command_id, is_done=False, failure="no text: \x00")
        street.locks.answer(command_id)
        await waiting.until(street.is_ridden)


async def test_what_vehicles_tell_is_recorded_and_one_that_nobody_knows_is_not(street: Street) -> None:
    street.clock.advance(seconds=1)
    async with working(street.locksmith):
        street.locks.report(VehicleStatus(ids.new(), street.clock.now(), battery_percent=1))
        street.locks.report(VehicleStatus(street.bike, street.clock.now(), battery_percent=41))

        async def is_told() -> bool:
            return (await rides.vehicle_row(street.sessions, street.bike)).battery_percent == 41

        await waiting.until(is_told)


class OnTheAir:
    """A worker and a bicycle at a broker."""

    def __init__(self, street: Street, broker: Broker, vehicle: Vehicle) -> None:
        self.street, self.vehicle = street, vehicle
        self.gateway = MqttLocks(broker.address, street.clock)
        self.locksmith = Locksmith(street.sessions, street.clock, self.gateway)

    async def say_again(self) -> None:
        """As soon as everybody is there, and enough time has passed."""
        await waiting.until(lambda: self.gateway.is_connected and self.vehicle.is_connected.is_set())
        self.street.clock.advance(seconds=3)
        self.locksmith.ring()


@pytest.fixture
async def on_the_air(street: Street, tmp_path: Path) -> AsyncIterator[tuple[OnTheAir, Broker]]:
    async with serving(tmp_path) as broker, driving(broker.address, street.bike) as vehicle:
        vehicle.may_answer.clear()
        made = OnTheAir(street, broker, vehicle)
        async with working(made.locksmith):
            await made.say_again()
            await waiting.until(lambda: bool(vehicle.orders))
            yield made, broker


async def test_a_broker_that_is_restarted_in_the_middle_of_an_unlock_delays_it_and_no_more(
    on_the_air: tuple[OnTheAir, Broker],
) -> None:
    """The bicycle is open, and says so to a broker that is not there."""
    air, broker = on_the_air
    broker.kill()
    air.vehicle.may_answer.set()
    await waiting.until(lambda: not air.vehicle.is_connected.is_set() and not air.gateway.is_connected)
    assert await air.street.state() is TripState.PREPARING
    await broker.start()
    await air.say_again()
    await waiting.until(air.street.is_ridden)
    assert air.vehicle.done == ["unlock"]
    assert await rides.asked(air.street.sessions, air.street.bike) == [("unlock", "succeeded")]


async def test_answers_that_come_twice_begin_one_ride(on_the_air: tuple[OnTheAir, Broker]) -> None:
    air, _ = on_the_air
    air.vehicle.copies = 3
    air.vehicle.may_answer.set()
    await waiting.until(air.street.is_ridden)
    begun = await rides.read(air.street.sessions, air.street.city.rider, air.street.trip.id)
    await air.vehicle.say("status", {"at": air.street.clock.now().isoformat()})
    assert await rides.read(air.street.sessions, air.street.city.rider, air.street.trip.id) == begun


async def test_a_vehicle_that_answers_after_the_time_out_is_locked_again_and_nothing_is_charged(
    on_the_air: tuple[OnTheAir, Broker],
) -> None:
    air, _ = on_the_air
    street = air.street
    street.clock.advance(seconds=31)
    await rides.sweep(street.sessions, street.clock.now())
    assert await street.state() is TripState.CANCELLED
    air.vehicle.may_answer.set()

    async def is_locked() -> bool:
        air.locksmith.ring()
        return ("relock", "succeeded") in await rides.asked(street.sessions, street.bike)

    await waiting.until(is_locked)
    over = await rides.read(street.sessions, street.city.rider, street.trip.id)
    assert (over.state, over.end_cause, over.started_at) == (TripState.CANCELLED, TripEnd.UNLOCK_TIMED_OUT, None)
    assert air.vehicle.done == ["unlock", "lock"]
    assert await state_of(street.sessions, street.bike) is VehicleState.AVAILABLE
    async with street.sessions() as session:
        assert (await session.execute(select(func.count()).select_from(tables.Receipt))).scalar_one() == 0


async def test_a_worker_unlocks_what_is_ordered_while_it_runs(
    session_factory: SessionFactory, database_url: str, city: City, tmp_path: Path
) -> None:
    """By the job, through the simulator, to its answer."""
    clock = SystemClock()
    settings = Settings(data_dir=tmp_path, signing_key="k" * 32)
    at_work = asyncio.create_task(Worker(settings, database_url, session_factory, clock).run())
    bike = await new_vehicle(session_factory, city)
    trip = await rides.unlock(session_factory, city.rider, bike, clock.now())

    async def is_ridden() -> bool:
        return (await rides.read(session_factory, city.rider, trip.id)).state is TripState.IN_USE

    async def are_jobs_done() -> bool:
        async with session_factory() as session:
            left = select(func.count()).select_from(text("procrastinate_jobs")).where(text("task_name = 'send_lock_command'"))
            return (await session.execute(left)).scalar_one() == 0

    await waiting.until(is_ridden)
    await waiting.until(are_jobs_done)
    at_work.cancel()
    await asyncio.gather(at_work, return_exceptions=True)


def test_locks_are_simulated_in_development_alone(clock: ports.Clock, caplog: pytest.LogCaptureFixture) -> None:
    assert isinstance(lock_gateway(Settings(), clock, ""), SimulatedLocks)
    production = Settings(env=Environment.PRODUCTION, signing_key="k" * 32)
    assert isinstance(lock_gateway(production, clock, ""), NoLocks)
    assert "no vehicle can be unlocked" in caplog.text
    assert isinstance(lock_gateway(Settings(lock_url="mqtt://broker"), clock, ""), MqttLocks)
    with pytest.raises(ValueError, match="lock_url"):
        Settings(lock_url="http://broker")


async def test_an_answer_to_what_nobody_asked_changes_nothing(street: Street) -> None:
    await street.locksmith.record(LockAnswer(ids.new(), street.bike, True))
    assert await street.state() is TripState.PREPARING
