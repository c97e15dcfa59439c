"""The trip machine: riders, locks, the bank, sweeps and the clock, in any order, and what must hold after every step."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine
from contextlib import AsyncExitStack
from dataclasses import dataclass, field, replace
from datetime import timedelta
from typing import Any, TypeVar
from uuid import UUID

import psycopg
from hypothesis import HealthCheck, Phase, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule, run_state_machine_as_test
from sqlalchemy import select

from app import database
from app.cashier import Cashier
from domain import (
    emergencies,
    errors,
    expiry,
    fleet,
    ids,
    locks,
    pauses,
    payment_answers,
    payments,
    ports,
    returns,
    tables,
    trips,
)
from domain.actor import Actor
from domain.tables import EmergencyKind, TripState, TripStep
from domain.values import LatLng, VehicleState, VehicleType
from tests import factories
from tests.conftest import PATIENT, FixedClock
from tests.databases import Databases
from tests.domain import bookings, rides
from tests.domain import trip_verdicts as verdicts
from tests.domain.banks import Bank, Mood

HOUR = timedelta(hours=1)
ONCE_BEGUN = (TripState.IN_USE, TripState.PAUSED, TripState.ENDED)
T = TypeVar("T")
WHO = st.sampled_from((0, 1))
WHAT = st.sampled_from((0, 1, 2))
TYPES = (VehicleType.SCOOTER_STANDING, VehicleType.BICYCLE, VehicleType.CAR)
DEPOSIT_MINOR = 5_000
#: seconds: within what a lock is waited for, beyond it, beyond a return's, beyond a hold's, a day
SECONDS = (1, 1, 5, 5, 20, 20, 45, 400, 1_200, 90_000)
FAR = LatLng(48.0, 8.7)
#: how a trip may go on, by who does something; None: there was none
GOES: dict[str, set[tuple[TripState | None, TripState]]] = {
    "unlock": {(None, TripState.PREPARING)},
    "give_up": {(TripState.PREPARING, TripState.CANCELLED)},
    "stop": {
        (TripState.PREPARING, TripState.CANCELLED),
        (TripState.IN_USE, TripState.ENDED),
        (TripState.PAUSED, TripState.ENDED),
    },
    "answer": {
        (TripState.PREPARING, TripState.IN_USE),
        (TripState.PREPARING, TripState.CANCELLED),
        (TripState.IN_USE, TripState.PAUSED),
        (TripState.PAUSED, TripState.IN_USE),
        (TripState.IN_USE, TripState.ENDED),
        (TripState.PAUSED, TripState.ENDED),
    },
    "bank": {(TripState.PREPARING, TripState.CANCELLED)},
}
NEEDS: dict[str, tuple[TripState, Any]] = {
    "pause": (TripState.IN_USE, pauses.pause_trip),
    "resume": (TripState.PAUSED, pauses.resume_trip),
}


@dataclass(frozen=True)
class Seen:
    """A trip as the last step left it."""

    state: TripState
    awaits: TripStep | None


@dataclass
class World:
    """Two riders, a scooter, a bike and a car, a faulty bank, locks that say what they are made to."""

    sessions: database.SessionFactory
    riders: list[Actor]
    dispatcher: Actor
    vehicles: list[UUID]
    clock: FixedClock = field(default_factory=FixedClock)
    bank: Bank = field(default_factory=Bank)
    #: orders that vehicles have heard
    heard: list[ports.LockOrder] = field(default_factory=list)

    @property
    def cashier(self) -> Cashier:
        return Cashier(self.sessions, self.clock, self.bank, trips.deposit_decided)

    async def sweep(self) -> None:
        await rides.sweep(self.sessions, self.clock.now())
        await self.cashier.sweep_deposits()
        async with self.sessions.begin() as session:
            await expiry.sweep_reservations(session, now=self.clock.now())

    async def hear(self) -> list[ports.LockOrder]:
        async with self.sessions.begin() as session:
            return await locks.claim_commands(session, now=self.clock.now(), limit=100)

    async def mend(self, vehicle_id: UUID) -> None:
        async with self.sessions.begin() as session:
            vehicle = await fleet.get_vehicle(session, fleet.VehicleRef(vehicle_id, published=False), lock=True)
            if vehicle.state in (VehicleState.NON_OPERATIONAL, VehicleState.NON_CONTACTABLE):
                await fleet.set_state(session, vehicle, VehicleState.AVAILABLE, now=self.clock.now())

    async def photo(self, rider: Actor) -> UUID:
        async with self.sessions.begin() as session:
            now = self.clock.now()
            return (await factories.add_photo(session, rider.account_id, stored_at=now, taken_at=now)).id


def founded(databases: Databases) -> str:
    """Template of a database with that world, but for what happens in it."""

    async def found(url: str) -> None:
        async with database.opened(PATIENT, url) as sessions, sessions.begin() as session:
            metro = await factories.add_metro(session, is_default=True)
            await factories.add_station(session, metro)
            for kind in TYPES:
                deposit = 0 if kind.is_micromobility else DEPOSIT_MINOR
                await factories.add_tariff(session, metro, kind, deposit_minor=deposit, pause_per_minute_minor=9)
                await factories.add_vehicle(session, metro, kind)
            for _ in range(2):
                rider = await factories.add_rider(session)
                await factories.add_payment_method(session, rider.account_id)
            await factories.add_member(session)

    empty = databases.template("empty", database.migrate)
    return databases.template("trip_machine", lambda url: asyncio.run(found(url)), base=empty)


async def world_at(stack: AsyncExitStack, url: str) -> World:
    sessions = await stack.enter_async_context(database.opened(PATIENT, url))
    async with sessions() as session:
        riders = (await session.execute(select(tables.Customer).order_by(tables.Customer.email))).scalars().all()
        staff = (await session.execute(select(tables.Staff))).scalars().one()
        vehicles = (await session.execute(select(tables.Vehicle.id, tables.Vehicle.vehicle_type))).all()
    by_type = {row.vehicle_type: row.id for row in vehicles}
    return World(sessions, [factories.rider(one) for one in riders], factories.member(staff), [by_type[kind] for kind in TYPES])


class TripMachine(RuleBasedStateMachine):
    """`databases` is set by whoever runs it."""

    databases: Databases

    def __init__(self) -> None:
        super().__init__()
        self.runner = asyncio.Runner()
        self.stack = AsyncExitStack()
        self.url = self.databases.clone(founded(self.databases))
        self.world = self.run(world_at(self.stack, self.url))
        self.connection = psycopg.connect(self.url, autocommit=True)
        self.seen: dict[UUID, Seen] = {}
        #: what the step that was taken may have led to
        self.goes: set[tuple[TripState | None, TripState]] = set()

    def run(self, work: Coroutine[Any, Any, T]) -> T:
        return self.runner.run(work)

    def teardown(self) -> None:
        try:
            self.settle()
        finally:
            self.connection.close()
            self.run(self.stack.aclose())
            self.runner.close()
            self.databases.drop(self.url)

    def act(
        self,
        who: str,
        work: Coroutine[Any, Any, Any],
        *,
        must: tuple[type[errors.DomainError], ...] = (),
        may: tuple[type[errors.DomainError], ...] = (),
    ) -> bool:
        """Whether it was done. `must`: it is refused so; `may`: it may be; else it is done."""
        self.goes = GOES.get(who, set())
        refusal: errors.DomainError | None = None
        try:
            self.run(work)
        except errors.DomainError as error:
            refusal = error
        if must:
            assert isinstance(refusal, must), (who, must, refusal)
        else:
            assert refusal is None or isinstance(refusal, may), (who, refusal)
        return refusal is None

    def is_any(self, *states: TripState) -> bool:
        return any(seen.state in states for seen in self.seen.values())

    def rider(self, who: int) -> Actor:
        return self.world.riders[who]

    def latest(self, who: int) -> tuple[UUID, Seen] | None:
        """The rider's trip, the open one if there is any."""
        own = verdicts.trips_of(self.connection, self.rider(who).account_id)
        return (own[-1], self.seen[own[-1]]) if own else None

    @rule(who=WHO, what=WHAT)
    def reserve(self, who: int, what: int) -> None:
        world, now = self.world, self.world.clock.now()
        ends_at = None if TYPES[what].is_micromobility else now + HOUR
        work = bookings.reserve(world.sessions, self.rider(who), world.vehicles[what], now, ends_at=ends_at)
        self.act("reserve", work, may=(errors.VehicleUnavailable, errors.CoolDown))

    @rule(who=WHO, what=WHAT)
    def unlock(self, who: int, what: int) -> None:
        world, now = self.world, self.world.clock.now()
        rider, vehicle_id = self.rider(who), world.vehicles[what]
        is_held = verdicts.is_held(self.connection, rider.account_id, vehicle_id, now)
        ends_at = None if is_held or TYPES[what].is_micromobility else now + HOUR
        latest = self.latest(who)
        must: tuple[type[errors.DomainError], ...] = ()
        if latest is not None and latest[1].state in tables.OPEN_TRIP:
            must = (errors.TripOpen,)
        elif verdicts.owes(self.connection, rider.account_id):
            must = (errors.DebtOpen, errors.VehicleUnavailable)
        may = (errors.VehicleUnavailable, errors.VehicleBusy, errors.ReservationClosed)
        self.act("unlock", rides.unlock(world.sessions, rider, vehicle_id, now, ends_at=ends_at), must=must, may=may)

    unlock_it, unlock_again = unlock, unlock

    @precondition(lambda self: self.is_any(TripState.PREPARING))
    @rule(who=WHO)
    def give_up(self, who: int) -> None:
        if (latest := self.latest(who)) is not None:
            must = () if latest[1].state is TripState.PREPARING else (errors.TripClosed,)
            self.act("give_up", self._trip(trips.cancel_trip, who, latest[0]), must=must)

    @precondition(lambda self: self.is_any(*ONCE_BEGUN))
    @rule(who=WHO, name=st.sampled_from(sorted(NEEDS)))
    def pause_or_resume(self, who: int, name: str) -> None:
        if (latest := self.latest(who)) is not None:
            must = against(latest[1]) or (() if latest[1].state is NEEDS[name][0] else (errors.TripClosed,))
            self.act(name, self._trip(NEEDS[name][1], who, latest[0]), must=must)

    async def _trip(self, act: Any, who: int, trip_id: UUID, **given: Any) -> Any:
        async with self.world.sessions.begin() as session:
            return await act(session, self.rider(who), trip_id=trip_id, now=self.world.clock.now(), **given)

    @precondition(lambda self: self.is_any(TripState.IN_USE, TripState.PAUSED))
    @rule(who=WHO, is_far=st.sampled_from((False, False, True)), has_photo=st.sampled_from((True, True, True, False)))
    def return_it(self, who: int, is_far: bool, has_photo: bool) -> None:
        if (latest := self.latest(who)) is None:
            return
        photo_id = self.run(self.world.photo(self.rider(who))) if has_photo else None
        given = {"position": FAR if is_far else factories.CENTER, "accuracy_meters": 5.0, "photo_id": photo_id}

        async def returning() -> None:
            refusal = await self._trip(returns.return_vehicle, who, latest[0], **given)
            assert (refusal is not None) is (is_far or not has_photo), refusal

        seen = latest[1]
        must = against(seen) or ((errors.TripClosed,) if seen.state is TripState.PREPARING else ())
        self.act("return", returning(), must=must)

    return_now, return_soon = return_it, return_it

    @precondition(lambda self: self.is_any(*tables.OPEN_TRIP))
    @rule(who=WHO, is_staff=st.booleans())
    def stop(self, who: int, is_staff: bool) -> None:
        """An emergency, or staff."""
        if (latest := self.latest(who)) is None:
            return
        world, is_over = self.world, latest[1].state not in tables.OPEN_TRIP

        async def stopping() -> None:
            async with world.sessions.begin() as session:
                now = world.clock.now()
                if is_staff:
                    await trips.end_trip(session, world.dispatcher, trip_id=latest[0], reason="Out of the way.", now=now)
                else:
                    await emergencies.report_emergency(
                        session, self.rider(who), trip_id=latest[0], kind=EmergencyKind.ACCIDENT, incident_id=ids.new(), now=now
                    )

        self.act("stop", stopping(), must=(errors.TripClosed,) if is_over and is_staff else ())

    @rule(is_lost=st.sampled_from((False, False, False, True)))
    def send(self, is_lost: bool) -> None:
        """Vehicles hear what they are asked, or do not."""
        orders = self.run(self.world.hear())
        if not is_lost:
            self.world.heard += orders

    @precondition(lambda self: self.world.heard)
    @rule(which=st.integers(0, 100), is_done=st.sampled_from((True, True, True, False)), is_plugged_in=st.booleans())
    def answer(self, which: int, is_done: bool, is_plugged_in: bool) -> None:
        """To one of the latest orders: in time, late, again."""
        order = self.world.heard[-1 - which % min(4, len(self.world.heard))]
        self._say(order, is_done=is_done, is_plugged_in=is_plugged_in)

    @rule()
    def do_at_once(self) -> None:
        """The bank and the locks are quick, as on most days."""
        self.ask_the_bank()
        self.all_is_in_order()
        orders = self.run(self.world.hear())
        self.world.heard += orders
        for order in orders:
            self._say(order, is_done=True, is_plugged_in=True)
            self.all_is_in_order()

    do_quickly, do_soon = do_at_once, do_at_once

    def _say(self, order: ports.LockOrder, *, is_done: bool, is_plugged_in: bool) -> None:
        said = ports.LockAnswer(order.command_id, order.vehicle_id, is_done, None if is_done else "jammed")
        if order.action == "lock":
            said = replace(said, is_plugged_in=is_plugged_in)

        async def saying() -> None:
            async with self.world.sessions.begin() as session:
                await locks.record_answer(session, said, now=self.world.clock.now())

        self.act("answer", saying())

    @rule(what=WHAT)
    def mend(self, what: int) -> None:
        """Staff have looked at what was out of service."""
        self.run(self.world.mend(self.world.vehicles[what]))

    @rule(mood=st.sampled_from(Mood))
    def bank_is(self, mood: Mood) -> None:
        self.world.bank.mood = mood

    @rule()
    def ask_the_bank(self) -> None:
        self.act("bank", self.world.cashier.ask_due())

    @precondition(lambda self: self.world.bank.intents)
    @rule(which=st.integers(0, 100))
    def bank_says_again(self, which: int) -> None:
        """What it has said of a payment, or would have."""
        known = sorted(self.world.bank.intents.items())
        payment_id, intent = known[which % len(known)]

        async def saying() -> None:
            now = self.world.clock.now()
            async with self.world.sessions.begin() as session:
                outcome = await payment_answers.record_intent(session, payment_id, intent, now)
                if outcome is not None:
                    await trips.deposit_decided(session, outcome.trip_id, outcome.is_authorized, now)

        self.act("bank", saying())

    @rule(seconds=st.sampled_from(SECONDS))
    def time_passes(self, seconds: int) -> None:
        self.world.clock.advance(seconds=seconds)

    @rule()
    def sweep(self) -> None:
        self.act("stop", self.world.sweep())

    @invariant()
    def all_is_in_order(self) -> None:
        now = {row.id: Seen(row.state, row.awaits) for row in verdicts.trips(self.connection)}
        for trip_id, seen in now.items():
            before = self.seen.get(trip_id)
            was = None if before is None else before.state
            assert was is seen.state or (was, seen.state) in self.goes, (trip_id, before, seen)
        assert self.seen.keys() <= now.keys(), "no trip is forgotten"
        self.seen, self.goes = now, set()
        verdicts.hold(self.connection)

    def settle(self) -> None:
        """Everybody answers again, and time passes: nothing is left to wait for, and all that was ridden is paid."""
        self.world.bank.mood = Mood.ANSWERS
        for _ in range(3):
            self.world.clock.advance(hours=25)
            self._everybody_answers()
        for who in (0, 1):
            latest = self.latest(who)
            if latest is not None and latest[1].state in tables.OPEN_TRIP:
                assert latest[1].awaits is None, "it waits for something for ever"
                self.stop(who, is_staff=True)
                self.all_is_in_order()
            self.run(self._pay(self.rider(who)))
        self.world.clock.advance(hours=1)
        self._everybody_answers()
        verdicts.hold_at_the_end(self.connection, self.world.bank.kept_minor)

    def _everybody_answers(self) -> None:
        async def answering() -> None:
            await self.world.sweep()
            while await self.world.cashier.ask_due():
                pass
            await self.world.sweep()

        self.run(answering())
        self.goes = GOES["stop"] | GOES["bank"]
        self.all_is_in_order()

    async def _pay(self, rider: Actor) -> None:
        """What the bank has declined for too long."""
        for receipt_id in verdicts.unpaid(self.connection, rider.account_id):
            async with self.world.sessions.begin() as session:
                await payments.pay_receipt(session, rider, receipt_id=receipt_id, now=self.world.clock.now())


def against(seen: Seen) -> tuple[type[errors.DomainError], ...]:
    """What every act on a trip that has to be idle is refused with."""
    if seen.state not in tables.OPEN_TRIP:
        return (errors.TripClosed,)
    return (errors.VehicleBusy,) if seen.awaits is not None else ()


def hold(databases: Databases, *, examples: int, steps: int, is_repeatable: bool) -> None:
    """So many stories of so many steps each."""

    class Machine(TripMachine):
        pass

    Machine.databases = databases
    run_state_machine_as_test(
        Machine,
        settings=settings(
            max_examples=examples,
            stateful_step_count=steps,
            deadline=None,
            derandomize=is_repeatable,
            database=None,
            # Who has a failure looks for a smaller one by hand: a step costs as much as a whole example elsewhere.
            phases=(Phase.generate,),
            suppress_health_check=list(HealthCheck),
        ),
    )
