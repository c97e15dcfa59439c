"""Turns: the agent's side of a conversation. A turn belongs to the worker that raised its attempt last."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

import orjson
from sqlalchemy import delete, select, text, update
from sqlalchemy.ext.asyncio import AsyncSession

from domain import eventlog, history, ids, jobs, metros, tables
from domain.tables import ProposalState, TurnKind, TurnState
from domain.values import LatLng

#: finished turns that the model is reminded of
HISTORY_TURNS = 20


class Superseded(Exception):
    """Another worker has taken the turn: nothing more may be written for this attempt."""


@dataclass(frozen=True, slots=True)
class ClaimedTurn:
    turn_id: UUID
    conversation_id: UUID
    customer_id: UUID
    metro: metros.Metro
    kind: TurnKind
    attempt: int
    #: what the server tells the model besides the rider's words, frozen with the message
    context: dict[str, Any]
    #: the rider's words; None when the turn reports a decision
    text: str | None
    #: pydantic-ai messages of earlier finished turns, oldest first
    history: list[list[Any]]


@dataclass(frozen=True, slots=True)
class ChatDelta:
    """One event to append for an attempt of a turn."""

    turn_id: UUID
    attempt: int
    conversation_id: UUID
    kind: str
    payload: dict[str, Any]


def turn_context(metro: metros.Metro, *, now: datetime, position: LatLng | None, language: str) -> dict[str, Any]:
    return {
        "now": metro.local(now).isoformat(timespec="seconds"),
        "timezone": metro.timezone,
        "metro": metro.name,
        "position": {"lat": position.lat, "lon": position.lon} if position else None,
        "language": language,
    }


async def add_turn(
    session: AsyncSession, conversation_id: UUID, kind: TurnKind, context: dict[str, Any], *, now: datetime
) -> UUID:
    """A turn waiting for the agent, with the job that answers it: both or neither are committed."""
    turn = tables.Turn(
        id=ids.new(), conversation_id=conversation_id, kind=kind, state=TurnState.QUEUED, context=context, created_at=now
    )
    session.add(turn)
    await session.flush()
    await jobs.defer(
        session,
        jobs.ANSWER_TURN,
        {"turn_id": str(turn.id)},
        queue=jobs.Queue.CUSTOMER,
        lock=f"conversation:{conversation_id}",
    )
    return turn.id


async def claim_turn(session: AsyncSession, turn_id: UUID, *, now: datetime) -> ClaimedTurn | None:
    """Takes the turn for a worker; None when it is finished or gone. What an earlier attempt proposed and nobody has
    decided yet vanishes with that attempt."""
    turn = (await session.execute(select(tables.Turn).where(tables.Turn.id == turn_id).with_for_update())).scalar_one_or_none()
    if turn is None or turn.state in (TurnState.DONE, TurnState.FAILED):
        return None
    turn.attempt += 1
    turn.state = TurnState.RUNNING
    turn.started_at = turn.started_at or now
    await session.flush()
    await session.execute(
        delete(tables.Proposal).where(tables.Proposal.turn_id == turn_id, tables.Proposal.state == ProposalState.PENDING)
    )
    kind = "turn.started" if turn.attempt == 1 else "turn.attempt_restarted"
    payload = {"turnId": str(turn.id), "attempt": turn.attempt}
    await eventlog.append(session, eventlog.chat_topic(turn.conversation_id), kind, payload)
    return await _describe(session, turn)


async def _describe(session: AsyncSession, turn: tables.Turn) -> ClaimedTurn:
    conversation = (
        await session.execute(
            select(tables.Conversation.customer_id, tables.Conversation.metro_id).where(
                tables.Conversation.id == turn.conversation_id
            )
        )
    ).one()
    words = select(tables.Message.text).where(tables.Message.turn_id == turn.id, tables.Message.author == "rider")
    history = (
        select(tables.Turn.model_messages)
        .where(
            tables.Turn.conversation_id == turn.conversation_id,
            tables.Turn.id < turn.id,
            tables.Turn.state == TurnState.DONE,
        )
        .order_by(tables.Turn.id.desc())
        .limit(HISTORY_TURNS)
    )
    earlier = (await session.execute(history)).scalars().all()
    return ClaimedTurn(
        turn_id=turn.id,
        conversation_id=turn.conversation_id,
        customer_id=conversation.customer_id,
        metro=await metros.get_metro(session, conversation.metro_id),
        kind=turn.kind,
        attempt=turn.attempt,
        context=turn.context,
        text=(await session.execute(words)).scalar_one_or_none(),
        history=[messages for messages in reversed(earlier) if messages],
    )


# FOR SHARE waits for a claim that is being committed and then sees its attempt: after a takeover nothing gets through.
_APPEND_FENCED = text(
    "with given as (select * from unnest(cast(:turns as uuid[]), cast(:attempts as int[]), cast(:topics as text[]),"
    "  cast(:kinds as text[]), cast(:payloads as text[])) with ordinality as g (turn_id, attempt, topic, kind, payload, ord)),"
    " held as (select id, attempt from turns where id = any(cast(:turns as uuid[])) and state = 'running' order by id for share),"
    " added as (insert into event_log (topic, kind, version, payload)"
    "  select g.topic, g.kind, :version, g.payload::jsonb from given g"
    "  join held h on h.id = g.turn_id and h.attempt = g.attempt order by g.ord)"
    " select distinct h.id from given g join held h on h.id = g.turn_id and h.attempt = g.attempt"
)


async def append_chat_events(session: AsyncSession, deltas: Sequence[ChatDelta]) -> set[UUID]:
    """Appends the events whose attempt still holds its turn, in their order; returns the ids of those turns."""
    eventlog.note_topics(session, (eventlog.chat_topic(delta.conversation_id) for delta in deltas))
    rows = await session.execute(
        _APPEND_FENCED,
        {
            "turns": [delta.turn_id for delta in deltas],
            "attempts": [delta.attempt for delta in deltas],
            "topics": [eventlog.chat_topic(delta.conversation_id) for delta in deltas],
            "kinds": [delta.kind for delta in deltas],
            "payloads": [
                orjson.dumps({"turnId": str(delta.turn_id), "attempt": delta.attempt, **delta.payload}).decode()
                for delta in deltas
            ],
            "version": eventlog.VERSION,
        },
    )
    return {row.id for row in rows}


async def hold_turn(session: AsyncSession, turn_id: UUID, attempt: int) -> None:
    """Locks the turn for the caller's transaction. Raises Superseded when another attempt has it."""
    statement = (
        select(tables.Turn.id)
        .where(tables.Turn.id == turn_id, tables.Turn.attempt == attempt, tables.Turn.state == TurnState.RUNNING)
        .with_for_update()
    )
    if (await session.execute(statement)).scalar_one_or_none() is None:
        raise Superseded


async def finish_turn(
    session: AsyncSession,
    *,
    turn_id: UUID,
    attempt: int,
    text: str,
    model_messages: list[Any],
    model: str,
    input_tokens: int,
    output_tokens: int,
    now: datetime,
) -> bool:
    """Stores the agent's answer and ends the turn; False when another attempt has it."""
    done = {
        "state": TurnState.DONE,
        "model_messages": model_messages,
        "model": model,
        "input_tokens": input_tokens,
        "output_tokens": output_tokens,
    }
    conversation_id = await _end(session, turn_id, attempt, done, now)
    if conversation_id is None:
        return False
    message = tables.Message(
        id=ids.new(), conversation_id=conversation_id, turn_id=turn_id, author="agent", text=text, created_at=now
    )
    session.add(message)
    await session.flush()
    payload = {"turnId": str(turn_id), "attempt": attempt, "messageId": str(message.id), "text": text}
    await eventlog.append(session, eventlog.chat_topic(conversation_id), "turn.finished", payload)
    return True


async def fail_turn(session: AsyncSession, *, turn_id: UUID, attempt: int, code: str, now: datetime) -> bool:
    """Ends the turn without an answer; `code` is for programs, never the text of an exception."""
    conversation_id = await _end(session, turn_id, attempt, {"state": TurnState.FAILED, "failure_code": code}, now)
    if conversation_id is None:
        return False
    payload = {"turnId": str(turn_id), "attempt": attempt, "code": code}
    await eventlog.append(session, eventlog.chat_topic(conversation_id), "turn.failed", payload)
    return True


async def _end(session: AsyncSession, turn_id: UUID, attempt: int, values: dict[str, Any], now: datetime) -> UUID | None:
    statement = (
        update(tables.Turn)
        .where(tables.Turn.id == turn_id, tables.Turn.attempt == attempt, tables.Turn.state == TurnState.RUNNING)
        .values(finished_at=now, **values)
        .returning(tables.Turn.conversation_id)
    )
    return (await session.execute(statement)).scalar_one_or_none()


_FAIL_ABANDONED = text(
    "update turns t set state = 'failed', failure_code = 'ABANDONED', finished_at = :now"
    " where t.state in ('queued', 'running') and t.created_at < :before and not exists ("
    "  select from procrastinate_jobs j where j.task_name = :task and j.args->>'turn_id' = t.id::text"
    "  and j.status in ('todo', 'doing')) returning t.id, t.conversation_id, t.attempt"
)
ABANDONED_AFTER = timedelta(minutes=1)


async def fail_abandoned_turns(session: AsyncSession, *, now: datetime) -> int:
    """Ends turns whose job gave up while the database was away: nobody would ever answer or free them."""
    rows = (await session.execute(_FAIL_ABANDONED, {"now": now, "before": now - ABANDONED_AFTER, "task": jobs.ANSWER_TURN})).all()
    for row in rows:
        payload = {"turnId": str(row.id), "attempt": row.attempt, "code": "ABANDONED"}
        await eventlog.append(session, eventlog.chat_topic(row.conversation_id), "turn.failed", payload)
    return len(rows)


# What the message says in the end, told word by word. A conversation that is gone leaves words of no turn.
_FORGET_DELTAS = text(
    "with old as (select e.seq from event_log e left join turns t on t.id = (e.payload->>'turnId')::uuid"
    "  where e.kind = 'text.delta' and e.at < :before and e.xid < pg_snapshot_xmin(pg_current_snapshot())"
    "  and e.topic like 'chat:%' and (t.id is null or t.finished_at < :before or t.attempt > (e.payload->>'attempt')::int)"
    "  order by e.at limit :limit for update of e skip locked),"
    " gone as (delete from event_log e using old where e.seq = old.seq returning 1)"
    " select count(*) from gone"
)
#: deltas outlive the end of their turn by this, so that who was only cut off still sees the answer grow
DELTAS_KEPT = timedelta(minutes=10)


async def forget_deltas(session: AsyncSession, *, now: datetime, limit: int = history.BATCH) -> int:
    """Deletes the words that a finished turn, or a superseded attempt, told one by one: the whole text is in
    `turn.finished`, so nothing is missing and there is no horizon. Returns how many; fewer than `limit` when no more are due.
    Several sweepers may run at once."""
    count: int = (await session.execute(_FORGET_DELTAS, {"before": now - DELTAS_KEPT, "limit": limit})).scalar_one()
    return count
