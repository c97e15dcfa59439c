"""A yes carries out exactly what was shown, once; nothing else does."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

import pytest
from sqlalchemy import func, select

from app.database import SessionFactory
from domain import chat, errors, eventlog, ids, proposals, reservations, tables, turns
from domain.actor import Actor
from domain.proposals import Decision
from domain.tables import ProposalState, TurnKind
from domain.values import Money, ReservationState, VehicleState, VehicleType
from tests import factories
from tests.conftest import FixedClock
from tests.domain.bookings import HOUR, reserve
from tests.domain.conftest import City
from tests.log import settled_after

LIFE = timedelta(minutes=5)


@dataclass
class Scene:
    """A rider, a bike, and a turn of the agent that a worker has claimed."""

    session_factory: SessionFactory
    rider: Actor
    conversation_id: UUID
    turn_id: UUID
    bike: tables.Vehicle

    async def propose(self, now: datetime, *, attempt: int = 1, starts_at: datetime | None = None) -> proposals.Proposal:
        vehicle_id = ids.encode(ids.VEHICLE, self.bike.published_id)
        arguments = {"vehicleId": vehicle_id, "startsAt": (starts_at or now).isoformat(), "endsAt": None, "expectedMinutes": 10}
        return await self._propose(proposals.RESERVE_VEHICLE, arguments, {"plate": self.bike.plate}, attempt, now)

    async def propose_cancelling(
        self, reservation_id: UUID, now: datetime, *, fee_minor: int | None = None
    ) -> proposals.Proposal:
        """Without a fee as proposals were when nothing had one."""
        arguments: dict[str, Any] = {"reservationId": ids.encode(ids.RESERVATION, reservation_id)}
        if fee_minor is not None:
            arguments |= {"feeMinor": fee_minor, "currency": "EUR"}
        return await self._propose(proposals.CANCEL_RESERVATION, arguments, {}, 1, now)

    async def _propose(
        self, action: str, arguments: dict[str, Any], summary: dict[str, Any], attempt: int, now: datetime
    ) -> proposals.Proposal:
        async with self.session_factory.begin() as session:
            return await proposals.propose(
                session,
                turn_id=self.turn_id,
                attempt=attempt,
                conversation_id=self.conversation_id,
                action=action,
                arguments=arguments,
                summary=summary,
                now=now,
                expires_at=now + LIFE,
            )

    async def decide(
        self,
        proposal: proposals.Proposal,
        decision: Decision,
        now: datetime,
        *,
        who: Actor | None = None,
        digest: str | None = None,
    ) -> proposals.Decided:
        async with self.session_factory.begin() as session:
            return await proposals.decide_proposal(
                session,
                who or self.rider,
                proposal_id=proposal.id,
                digest=proposal.digest.hex() if digest is None else digest,
                decision=decision,
                now=now,
            )

    async def pending(self, now: datetime) -> proposals.Proposal | None:
        async with self.session_factory() as session:
            return await proposals.find_pending_proposal(session, self.conversation_id, now=now)

    async def count(self, table: type[tables.Base]) -> int:
        async with self.session_factory() as session:
            return (await session.execute(select(func.count()).select_from(table))).scalar_one()

    async def kinds(self) -> list[str]:
        async with self.session_factory() as session:
            topic = eventlog.chat_topic(self.conversation_id)
            batch = await settled_after(session, topic, eventlog.Position(1, 0, 0))
        return [event.kind for event in batch.events]


@pytest.fixture
async def scene(session_factory: SessionFactory, city: City, clock: FixedClock) -> Scene:
    async with session_factory.begin() as session:
        bike = await factories.add_vehicle(session, city.metro)
        conversation = await chat.start_conversation(session, city.rider, city.metro.id, now=clock.now())
        sent = await chat.send_message(
            session,
            city.rider,
            conversation_id=conversation,
            text="A bike, please",
            position=None,
            client_message_id="1",
            now=clock.now(),
        )
    async with session_factory.begin() as session:
        assert await turns.claim_turn(session, sent.turn_id, now=clock.now())
    return Scene(session_factory, city.rider, conversation, sent.turn_id, bike)


async def test_a_yes_reserves_what_was_shown_and_asks_for_a_report(scene: Scene, clock: FixedClock) -> None:
    proposal = await scene.propose(clock.now())
    assert (await scene.pending(clock.now())) == proposal
    decided = await scene.decide(proposal, Decision.APPROVE, clock.now())
    assert decided.state is ProposalState.EXECUTED
    assert decided.reservation_id is not None
    async with scene.session_factory() as session:
        made = await reservations.get_reservation(session, scene.rider, decided.reservation_id)
        report = await session.get_one(tables.Turn, decided.turn_id)
    assert made.vehicle.id == scene.bike.id
    assert report.kind is TurnKind.REPORT
    assert report.context["decision"]["reservationId"] == ids.encode(ids.RESERVATION, made.id)
    assert await scene.pending(clock.now()) is None
    assert await scene.kinds() == ["message.stored", "turn.started", "proposal.made", "proposal.decided"]


async def test_a_no_does_nothing(scene: Scene, clock: FixedClock) -> None:
    proposal = await scene.propose(clock.now())
    decided = await scene.decide(proposal, Decision.DECLINE, clock.now())
    assert (decided.state, decided.reservation_id) == (ProposalState.DECLINED, None)
    with pytest.raises(errors.ProposalDecided):
        await scene.decide(proposal, Decision.APPROVE, clock.now())
    assert await scene.count(tables.Reservation) == 0


async def test_the_position_read_with_a_decision_is_before_its_first_event(scene: Scene, clock: FixedClock) -> None:
    proposal = await scene.propose(clock.now())
    async with scene.session_factory() as session:
        before = await settled_after(session, eventlog.chat_topic(scene.conversation_id), eventlog.Position(1, 0, 0))
    async with scene.session_factory.begin() as session:
        position = await proposals.current_position(session, proposal.id)
        unknown = await proposals.current_position(session, ids.new())
    assert (position, unknown) == (before.events[-1].position, eventlog.Position(1, 0, 0))
    await scene.decide(proposal, Decision.APPROVE, clock.now())
    async with scene.session_factory() as session:
        batch = await settled_after(session, eventlog.chat_topic(scene.conversation_id), position)
    assert [event.kind for event in batch.events] == ["proposal.decided"]


async def test_a_yes_said_many_times_at_once_is_one_yes(scene: Scene, clock: FixedClock) -> None:
    proposal = await scene.propose(clock.now())
    outcomes = await asyncio.gather(*(scene.decide(proposal, Decision.APPROVE, clock.now()) for _ in range(10)))
    assert len({decided.reservation_id for decided in outcomes}) == 1
    assert len([decided for decided in outcomes if decided.turn_id is not None]) == 1
    assert await scene.count(tables.Reservation) == 1
    assert (await scene.kinds()).count("proposal.decided") == 1


async def test_a_yes_and_a_no_at_once_are_one_of_them(scene: Scene, clock: FixedClock) -> None:
    proposal = await scene.propose(clock.now())
    outcomes = await asyncio.gather(
        *(scene.decide(proposal, decision, clock.now()) for decision in (Decision.APPROVE, Decision.DECLINE) * 3),
        return_exceptions=True,
    )
    decided = {one.state for one in outcomes if isinstance(one, proposals.Decided)}
    assert len(decided) == 1
    assert all(isinstance(one, (proposals.Decided, errors.ProposalDecided)) for one in outcomes)
    assert await scene.count(tables.Reservation) == (ProposalState.EXECUTED in decided)


async def test_somebody_else_cannot_decide(scene: Scene, clock: FixedClock) -> None:
    proposal = await scene.propose(clock.now())
    async with scene.session_factory.begin() as session:
        other = await factories.add_rider(session)
    with pytest.raises(errors.NotFound):
        await scene.decide(proposal, Decision.APPROVE, clock.now(), who=other)
    assert await scene.pending(clock.now()) is not None


@pytest.mark.parametrize("digest", ["", "00" * 32, "ünïcode", "0" * 63])
async def test_a_decision_about_something_else_is_refused(scene: Scene, clock: FixedClock, digest: str) -> None:
    proposal = await scene.propose(clock.now())
    with pytest.raises(errors.ProposalChanged):
        await scene.decide(proposal, Decision.APPROVE, clock.now(), digest=digest)
    assert await scene.count(tables.Reservation) == 0


async def test_a_yes_that_comes_too_late_does_nothing(scene: Scene, clock: FixedClock) -> None:
    proposal = await scene.propose(clock.now())
    clock.advance(minutes=5)
    assert await scene.pending(clock.now()) is None
    with pytest.raises(errors.ProposalExpired):
        await scene.decide(proposal, Decision.APPROVE, clock.now())
    assert await scene.count(tables.Reservation) == 0


async def test_a_newer_proposal_takes_the_place_of_the_older(scene: Scene, clock: FixedClock) -> None:
    older, newer = await scene.propose(clock.now()), await scene.propose(clock.now() + timedelta(seconds=1))
    with pytest.raises(errors.ProposalDecided) as refusal:
        await scene.decide(older, Decision.APPROVE, clock.now())
    assert refusal.value.state == ProposalState.SUPERSEDED
    assert await scene.pending(clock.now()) == newer


async def test_a_worker_that_lost_its_turn_proposes_nothing(scene: Scene, clock: FixedClock) -> None:
    lost = await scene.propose(clock.now())
    async with scene.session_factory.begin() as session:
        assert await turns.claim_turn(session, scene.turn_id, now=clock.now())
    with pytest.raises(turns.Superseded):
        await scene.propose(clock.now(), attempt=1)
    assert await scene.pending(clock.now()) is None, "what the lost attempt proposed is gone with it"
    with pytest.raises(errors.NotFound):
        await scene.decide(lost, Decision.APPROVE, clock.now())
    again = await scene.propose(clock.now(), attempt=2)
    assert await scene.pending(clock.now()) == again


async def test_when_the_act_fails_nothing_has_happened_and_the_proposal_waits(
    scene: Scene, clock: FixedClock, city: City
) -> None:
    proposal = await scene.propose(clock.now())
    async with scene.session_factory.begin() as session:
        bike = await session.get_one(tables.Vehicle, scene.bike.id)
        bike.state = VehicleState.NON_OPERATIONAL
    with pytest.raises(errors.VehicleUnavailable):
        await scene.decide(proposal, Decision.APPROVE, clock.now())
    assert await scene.pending(clock.now()) == proposal
    assert await scene.count(tables.Reservation) == 0


async def test_a_proposal_for_now_still_means_now_a_moment_later(scene: Scene, clock: FixedClock) -> None:
    proposal = await scene.propose(clock.now())
    clock.advance(minutes=4)
    decided = await scene.decide(proposal, Decision.APPROVE, clock.now())
    assert decided.reservation_id is not None
    async with scene.session_factory() as session:
        assert (await reservations.get_reservation(session, scene.rider, decided.reservation_id)).starts_at == clock.now()


async def test_a_cancellation_is_proposed_like_anything_else(scene: Scene, clock: FixedClock) -> None:
    reserved = await scene.decide(await scene.propose(clock.now()), Decision.APPROVE, clock.now())
    assert reserved.reservation_id is not None
    cancelled = await scene.decide(
        await scene.propose_cancelling(reserved.reservation_id, clock.now()), Decision.APPROVE, clock.now()
    )
    assert cancelled.reservation_id == reserved.reservation_id
    async with scene.session_factory() as session:
        made = await reservations.get_reservation(session, scene.rider, reserved.reservation_id)
    assert made.state is ReservationState.CANCELLED


async def test_a_cancellation_costs_what_was_proposed_or_is_not_carried_out(scene: Scene, clock: FixedClock, city: City) -> None:
    async with scene.session_factory.begin() as session:
        await factories.add_tariff(session, city.metro, VehicleType.CAR, version=2, cancel_fee_minor=500)
        car = (await factories.add_vehicle(session, city.metro, VehicleType.CAR)).id
    start = clock.now() + 2 * HOUR
    booked = await reserve(scene.session_factory, scene.rider, car, clock.now(), starts_at=start, ends_at=start + HOUR)
    limit = start - HOUR
    free = await scene.propose_cancelling(booked.id, limit, fee_minor=0)
    with pytest.raises(errors.CancellationFee) as refusal:
        await scene.decide(free, Decision.APPROVE, limit + timedelta(seconds=1))
    assert refusal.value.fee == Money(500, "EUR")
    assert await scene.pending(limit) == free
    early = await scene.propose_cancelling(booked.id, limit, fee_minor=500)
    with pytest.raises(errors.CancellationFee):
        await scene.decide(early, Decision.APPROVE, limit)
    await scene.decide(early, Decision.APPROVE, limit + timedelta(seconds=1))
    async with scene.session_factory() as session:
        assert (await reservations.get_reservation(session, scene.rider, booked.id)).cancel_fee == Money(500, "EUR")


def test_every_action_is_one_that_can_be_carried_out() -> None:
    assert set(proposals._ACTIONS) == {proposals.RESERVE_VEHICLE, proposals.CANCEL_RESERVATION}
