"""Proposals: what the agent would do, waiting for the rider's yes. A yes runs exactly the stored arguments, once."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from hmac import compare_digest
from typing import Any
from uuid import UUID

from sqlalchemy import select, update
from sqlalchemy.ext.asyncio import AsyncSession

from domain import cancellations, chat, errors, eventlog, fleet, idempotency, ids, metros, reservations, tables, turns
from domain.actor import Actor
from domain.tables import ProposalState, TurnKind
from domain.values import Money

RESERVE_VEHICLE = "reserve_vehicle"
CANCEL_RESERVATION = "cancel_reservation"


class Decision(StrEnum):
    APPROVE = "approve"
    DECLINE = "decline"


@dataclass(frozen=True, slots=True)
class Proposal:
    id: UUID
    conversation_id: UUID
    turn_id: UUID
    action: str
    arguments: dict[str, Any]
    summary: dict[str, Any]
    digest: bytes
    state: ProposalState
    expires_at: datetime
    reservation_id: UUID | None


@dataclass(frozen=True, slots=True)
class Decided:
    proposal_id: UUID
    state: ProposalState
    reservation_id: UUID | None
    #: the turn in which the agent reports the outcome; None when this decision had been made before
    turn_id: UUID | None


_COLUMNS = [getattr(tables.Proposal, name) for name in Proposal.__slots__]
_POSITION = eventlog.position_statement("(select 'chat:' || conversation_id from proposals where id = :proposal_id)")


async def propose(
    session: AsyncSession,
    *,
    turn_id: UUID,
    attempt: int,
    conversation_id: UUID,
    action: str,
    arguments: dict[str, Any],
    summary: dict[str, Any],
    now: datetime,
    expires_at: datetime,
) -> Proposal:
    """Stores a proposal in place of the conversation's pending one. Raises turns.Superseded."""
    await turns.hold_turn(session, turn_id, attempt)
    await session.execute(
        update(tables.Proposal)
        .where(tables.Proposal.conversation_id == conversation_id, tables.Proposal.state == ProposalState.PENDING)
        .values(state=ProposalState.SUPERSEDED, decided_at=now)
    )
    row = tables.Proposal(
        id=ids.new(),
        conversation_id=conversation_id,
        turn_id=turn_id,
        attempt=attempt,
        action=action,
        arguments=arguments,
        summary=summary,
        digest=idempotency.digest({"action": action, "arguments": arguments, "summary": summary}),
        state=ProposalState.PENDING,
        expires_at=expires_at,
        created_at=now,
    )
    session.add(row)
    await session.flush()
    payload = {
        "turnId": str(turn_id),
        "attempt": attempt,
        "proposalId": str(row.id),
        "action": action,
        "arguments": arguments,
        "summary": summary,
        "digest": row.digest.hex(),
        "expiresAt": expires_at.isoformat(),
    }
    await eventlog.append(session, eventlog.chat_topic(conversation_id), "proposal.made", payload)
    return Proposal(*(getattr(row, name) for name in Proposal.__slots__))


async def find_pending_proposal(session: AsyncSession, conversation_id: UUID, *, now: datetime) -> Proposal | None:
    statement = select(*_COLUMNS).where(
        tables.Proposal.conversation_id == conversation_id,
        tables.Proposal.state == ProposalState.PENDING,
        tables.Proposal.expires_at > now,
    )
    row = (await session.execute(statement)).one_or_none()
    return None if row is None else Proposal(*row)


async def get_proposal(session: AsyncSession, who: Actor, proposal_id: UUID) -> Proposal:
    """Of one of the rider's own conversations."""
    statement = (
        select(*_COLUMNS)
        .join(tables.Conversation, tables.Conversation.id == tables.Proposal.conversation_id)
        .where(tables.Proposal.id == proposal_id, tables.Conversation.customer_id == who.account_id)
    )
    row = (await session.execute(statement)).one_or_none()
    if row is None:
        raise errors.NotFound("There is no such proposal.")
    return Proposal(*row)


async def current_position(session: AsyncSession, proposal_id: UUID) -> eventlog.Position:
    """Where the chat of a proposal continues from what is read after this. It need not exist."""
    return eventlog.Position(*(await session.execute(_POSITION, {"proposal_id": proposal_id})).scalar_one())


async def decide_proposal(
    session: AsyncSession, who: Actor, *, proposal_id: UUID, digest: str, decision: Decision, now: datetime
) -> Decided:
    """Runs what was proposed, or drops it, and asks the agent to report. The same decision again returns its outcome.

    Raises NotFound (also for another rider's), ProposalChanged, ProposalDecided, ProposalExpired, and what the action
    itself raises: then nothing has happened and the proposal is still pending.
    """
    row = await _lock_own(session, who, proposal_id)
    if not compare_digest(row.digest.hex().encode(), digest.lower().encode(errors="replace")):
        raise errors.ProposalChanged(path="digest")
    wanted = ProposalState.EXECUTED if decision is Decision.APPROVE else ProposalState.DECLINED
    if row.state is wanted:
        return Decided(row.id, row.state, row.reservation_id, None)
    if row.state is not ProposalState.PENDING:
        raise errors.ProposalDecided(row.state, row.reservation_id)
    if row.expires_at <= now:
        raise errors.ProposalExpired(path="proposalId")
    if decision is Decision.APPROVE:
        row.reservation_id = await _ACTIONS[row.action](session, who, row.arguments, now)
    row.state = wanted
    row.decided_at = now
    await session.flush()
    return Decided(row.id, row.state, row.reservation_id, await _report(session, who, row, decision, now))


async def _lock_own(session: AsyncSession, who: Actor, proposal_id: UUID) -> tables.Proposal:
    statement = (
        select(tables.Proposal)
        .join(tables.Conversation, tables.Conversation.id == tables.Proposal.conversation_id)
        .where(tables.Proposal.id == proposal_id, tables.Conversation.customer_id == who.account_id)
        .with_for_update(of=tables.Proposal)
    )
    row = (await session.execute(statement)).scalar_one_or_none()
    if row is None:
        raise errors.NotFound("There is no such proposal.", path="proposalId")
    return row


async def _report(session: AsyncSession, who: Actor, row: tables.Proposal, decision: Decision, now: datetime) -> UUID:
    payload = {
        "turnId": str(row.turn_id),
        "attempt": row.attempt,
        "proposalId": str(row.id),
        "state": row.state,
        "reservationId": str(row.reservation_id) if row.reservation_id else None,
    }
    await eventlog.append(session, eventlog.chat_topic(row.conversation_id), "proposal.decided", payload)
    conversation = await chat.get_conversation(session, who, row.conversation_id)
    metro = await metros.get_metro(session, conversation.metro_id)
    asked = (await session.execute(select(tables.Turn.context).where(tables.Turn.id == row.turn_id))).scalar_one()
    context = turns.turn_context(metro, now=now, position=None, language=asked["language"])
    context["decision"] = {
        "action": row.action,
        "decision": decision,
        "proposalId": ids.encode(ids.PROPOSAL, row.id),
        "reservationId": ids.encode(ids.RESERVATION, row.reservation_id) if row.reservation_id else None,
        "summary": row.summary,
    }
    return await turns.add_turn(session, conversation.id, TurnKind.REPORT, context, now=now)


async def _reserve_vehicle(session: AsyncSession, who: Actor, arguments: dict[str, Any], now: datetime) -> UUID:
    ends_at = arguments["endsAt"]
    starts_at = datetime.fromisoformat(arguments["startsAt"])
    reserved = await reservations.reserve_vehicle(
        session,
        who,
        customer_id=who.account_id,
        vehicle=fleet.VehicleRef.parse(arguments["vehicleId"]),
        # Proposed for "now" and approved a moment later still means now.
        starts_at=max(starts_at, now),
        ends_at=datetime.fromisoformat(ends_at) if ends_at else None,
        expected_minutes=arguments.get("expectedMinutes"),
        tariff_id=ids.decode(arguments["tariffId"], ids.TARIFF) if "tariffId" in arguments else None,
        now=now,
    )
    return reserved.reservation.id


async def _cancel_reservation(session: AsyncSession, who: Actor, arguments: dict[str, Any], now: datetime) -> UUID:
    reservation_id = ids.decode(arguments["reservationId"], ids.RESERVATION, path="reservationId")
    # Proposals of before cancelling could cost something name no fee.
    fee = Money(arguments["feeMinor"], arguments["currency"]) if arguments.get("feeMinor") else None
    return await cancellations.cancel_reservation(session, who, reservation_id=reservation_id, accepted_fee=fee, now=now)


_ACTIONS: dict[str, Callable[[AsyncSession, Actor, dict[str, Any], datetime], Awaitable[UUID]]] = {
    RESERVE_VEHICLE: _reserve_vehicle,
    CANCEL_RESERVATION: _cancel_reservation,
}
