"""Races: riders who reserve, change, extend and give up the same few vehicles at once, while sweeps and reports pass by."""

from __future__ import annotations

import asyncio
from collections import defaultdict
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from random import Random
from uuid import UUID

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncSession

from app.database import SessionFactory
from domain import cancellations, changes, errors, eventlog, expiry, fleet, reports, reservations, tables, withdrawals
from domain.actor import Actor
from domain.values import VehicleState, VehicleType
from tests import factories
from tests.conftest import FixedClock
from tests.log import settled_after

#: what somebody who comes too late, or asks for too much, is told; anything else is a fault of ours
EXPECTED = (errors.VehicleUnavailable, errors.ReservationClosed, errors.InvalidInput, errors.CoolDown)
QUARTER = timedelta(minutes=15)
KINDS = (VehicleType.BICYCLE, VehicleType.SCOOTER_STANDING, VehicleType.CAR, VehicleType.VAN)

#: each finds rows that must not be, after a round and its sweeps
FAULTS = {
    "two active reservations of a vehicle overlap": """
        select a.id from reservations a join reservations b on a.vehicle_id = b.vehicle_id and a.id < b.id
        where a.state in ('confirmed', 'started') and b.state in ('confirmed', 'started') and a.blocked && b.blocked""",
    "a window that no rule allows": """
        select id from reservations where case when vehicle_type in ('bicycle', 'scooter_standing')
          then ends_at is not null or lapses_at <> starts_at + interval '15 min' or starts_at > created_at + interval '30 min'
          else lapses_at is not null or ends_at - starts_at not between interval '15 min' and interval '168 h' end""",
    "an active reservation that does not block exactly its window": """
        select id from reservations where state in ('confirmed', 'started')
        and blocked <> tstzrange(starts_at, coalesce(ends_at, lapses_at + interval '12 h'))""",
    "a closed reservation that blocks what is to come": """
        select id from reservations where state not in ('confirmed', 'started')
        and not isempty(blocked) and upper(blocked) > closed_at""",
    "a reservation that time has overtaken": """
        select id from reservations where state = 'confirmed' and (lapses_at <= :now or ends_at <= :now)""",
    "a reservation that has outlived its vehicle's service": """
        select r.id from reservations r join vehicles v on v.id = r.vehicle_id
        where r.state = 'confirmed' and v.state = 'non_operational'""",
    "a vehicle that is reserved for nobody, or free though it is held": """
        select v.id from vehicles v where v.state in ('available', 'reserved') and (v.state = 'reserved') <> exists (
          select 1 from reservations r where r.vehicle_id = v.id and r.state = 'confirmed'
          and (r.starts_at <= :now or r.lapses_at is not null))""",
    "a reservation of another metro or type than its vehicle": """
        select r.id from reservations r join vehicles v on v.id = r.vehicle_id
        where r.metro_id <> v.metro_id or r.vehicle_type <> v.vehicle_type""",
    "a fee for what was free, or that was not that of the tariff": """
        select r.id from reservations r join tariffs t on t.id = r.tariff_id where r.cancel_fee_minor is not null
        and (r.state <> 'cancelled' or r.cancel_cause <> 'rider' or r.closed_at <= r.cancel_free_until
          or r.cancel_fee_minor <> t.cancel_fee_minor)""",
    "an end that the rider was not told of, or twice": """
        select r.id from reservations r left join notifications n on n.facts ->> 'reservationId' = r.id::text
        where r.state = 'expired' or r.cancel_cause = 'vehicle_withdrawn' group by r.id having count(n.id) <> 1""",
}


@dataclass
class Race:
    sessions: SessionFactory
    clock: FixedClock
    metro_id: UUID
    dispatcher: Actor
    riders: list[Actor]
    vehicles: list[UUID]
    random: Random
    #: every reservation that anybody made, and whose it is
    made: list[tuple[Actor, UUID]] = field(default_factory=list)
    done: dict[str, int] = field(default_factory=dict)

    async def round(self, acts: int) -> None:
        """All at once and at one instant; then time passes, sweeps come by, and everything must be in order."""
        await asyncio.gather(*(self._rider(who, Random(self.random.random()), acts) for who in self.riders))
        self.clock.advance(seconds=self.random.choice((1, 299, 900, 901, 1800, 3600)))
        while await self._swept(self.clock.now()):
            pass
        await self.check()

    async def _rider(self, who: Actor, random: Random, acts: int) -> None:
        for _ in range(acts):
            act = random.choices(ACTS, weights=WEIGHTS)[0]
            try:
                await act(self, who, random)
            except EXPECTED:
                self.done["refused"] = self.done.get("refused", 0) + 1
            else:
                self.done[act.__name__] = self.done.get(act.__name__, 0) + 1

    async def _swept(self, now: datetime) -> int:
        async with self.sessions.begin() as session:
            gone = await withdrawals.sweep_withdrawn(session, now=now)
        async with self.sessions.begin() as session:
            return gone + await expiry.sweep_reservations(session, now=now)

    def window(self, random: Random) -> tuple[datetime, datetime]:
        start = self.clock.now() + random.choice((0, 1, 2, 4, 8)) * QUARTER
        return start, start + random.choice((1, 2, 4)) * QUARTER

    def own(self, who: Actor, random: Random) -> UUID:
        found = [reservation_id for each, reservation_id in self.made if each is who]
        if not found:
            raise errors.ReservationClosed
        return random.choice(found[-4:])

    async def check(self) -> None:
        async with self.sessions() as session:
            for fault, query in FAULTS.items():
                statement = text(query)
                given = {"now": self.clock.now()} if ":now" in query else {}
                assert (await session.execute(statement, given)).all() == [], f"{fault} ({self.done})"
            await self._check_log(session)

    async def _check_log(self, session: AsyncSession) -> None:
        """Every reservation was told of as it is now, and so was every vehicle. Not always last: an act that waited for
        another may have begun before it, and the log goes by that."""
        told: dict[str, list[dict[str, object]]] = defaultdict(list)
        after, topic = eventlog.Position(1, 0, 0), eventlog.dispatch_topic(self.metro_id)
        while events := (await settled_after(session, topic, after)).events:
            after = events[-1].position
            for event in events:
                told[event.payload.get("reservationId") or event.payload["vehicleId"]].append(event.payload)
        rows = (await session.execute(text("select id, state, vehicle_id, starts_at, ends_at from reservations"))).all()
        assert len(rows) == sum("reservationId" in payloads[0] for payloads in told.values())
        for row in rows:
            shown = (row.state, str(row.vehicle_id), row.starts_at.isoformat(), row.ends_at and row.ends_at.isoformat())
            names = ("state", "vehicleId", "startsAt", "endsAt")
            assert shown in [tuple(payload[name] for name in names) for payload in told[str(row.id)]]
        for row in (await session.execute(text("select id, state from vehicles"))).all():
            assert row.state in ["available", *(payload["state"] for payload in told[str(row.id)])]


async def reserve(race: Race, who: Actor, random: Random) -> None:
    vehicle_id, (start, end) = random.choice(race.vehicles), race.window(random)
    async with race.sessions.begin() as session:
        found = await fleet.get_vehicle(session, fleet.VehicleRef(vehicle_id, published=False))
        is_hold = found.vehicle_type.is_micromobility
        reserved = await reservations.reserve_vehicle(
            session,
            who,
            customer_id=who.account_id,
            vehicle=fleet.VehicleRef(vehicle_id, published=False),
            starts_at=start,
            ends_at=None if is_hold else end,
            now=race.clock.now(),
        )
    race.made.append((who, reserved.reservation.id))


async def change(race: Race, who: Actor, random: Random) -> None:
    (start, end), own = race.window(random), race.own(who, random)
    vehicle = random.choice((None, fleet.VehicleRef(random.choice(race.vehicles), published=False)))
    async with race.sessions.begin() as session:
        found = await reservations.get_reservation(session, who, own)
        await changes.change_reservation(
            session,
            who,
            reservation_id=own,
            starts_at=start,
            ends_at=end if found.ends_at else None,
            vehicle=vehicle,
            now=race.clock.now(),
        )


async def extend(race: Race, who: Actor, random: Random) -> None:
    own = race.own(who, random)
    async with race.sessions.begin() as session:
        found = await reservations.get_reservation(session, who, own)
        later = (found.ends_at or race.clock.now()) + random.choice((0, 1, 2)) * QUARTER
        await changes.extend_reservation(session, who, reservation_id=own, ends_at=later, now=race.clock.now())


async def cancel(race: Race, who: Actor, random: Random) -> None:
    own, fee = race.own(who, random), None
    for _ in range(2):
        try:
            async with race.sessions.begin() as session:
                await cancellations.cancel_reservation(session, who, reservation_id=own, accepted_fee=fee, now=race.clock.now())
        except errors.CancellationFee as refusal:
            assert fee is None, "the clock stands still: the fee shown is the fee charged"
            fee = refusal.fee
        else:
            return


async def lapse(race: Race, _: Actor, random: Random) -> None:
    """A sweep whose clock is ahead of the riders' by what the next one's will be at most."""
    async with race.sessions.begin() as session:
        await expiry.sweep_reservations(session, now=race.clock.now(), limit=random.choice((1, 100)))


async def withdraw(race: Race, _: Actor, random: Random) -> None:
    state = random.choice((VehicleState.NON_OPERATIONAL, VehicleState.AVAILABLE, VehicleState.AVAILABLE))
    ref = fleet.VehicleRef(random.choice(race.vehicles), published=False)
    async with race.sessions.begin() as session:
        await reports.report_vehicle(session, race.dispatcher, ref, reports.Report(state=state), now=race.clock.now())


Act = Callable[[Race, Actor, Random], Awaitable[None]]
ACTS: tuple[Act, ...] = (reserve, change, extend, cancel, lapse, withdraw)
WEIGHTS = (8, 6, 3, 4, 1, 1)


async def prepared(sessions: SessionFactory, clock: FixedClock, *, seed: int, riders: int = 20) -> Race:
    """Two vehicles of each type for so many riders, who all want them."""
    async with sessions.begin() as session:
        metro = await factories.add_metro(session, cool_down_minutes=15)
        for kind in KINDS:
            await factories.add_tariff(session, metro, kind, cancel_fee_minor=0 if kind.is_micromobility else 500)
        vehicles: list[tables.Vehicle] = [await factories.add_vehicle(session, metro, kind) for kind in KINDS * 2]
        people = [await factories.add_rider(session) for _ in range(riders)]
        dispatcher = await factories.add_member(session)
    return Race(sessions, clock, metro.id, dispatcher, people, [each.id for each in vehicles], Random(seed))
