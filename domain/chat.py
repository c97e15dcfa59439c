"""Conversations with the Travel Agent: messages of the rider, turns of the agent, and who may write them."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from sqlalchemy import func, select
from sqlalchemy.ext.asyncio import AsyncSession

from domain import errors, eventlog, ids, metros, tables, turns
from domain.actor import Actor
from domain.tables import TurnKind, TurnState
from domain.values import LatLng, is_storable

MAX_TEXT_LENGTH = 2000
MAX_CLIENT_MESSAGE_ID_LENGTH = 100
#: turns of one conversation that may wait for the agent
MAX_WAITING_TURNS = 5


@dataclass(frozen=True, slots=True)
class Conversation:
    id: UUID
    customer_id: UUID
    metro_id: UUID
    created_at: datetime
    position: eventlog.Position


@dataclass(frozen=True, slots=True)
class SentMessage:
    message_id: UUID
    turn_id: UUID
    #: before the first event that this message caused
    position: eventlog.Position


async def start_conversation(session: AsyncSession, who: Actor, metro_id: UUID, *, now: datetime) -> UUID:
    metro = await metros.get_metro(session, metro_id)
    row = tables.Conversation(id=ids.new(), customer_id=who.account_id, metro_id=metro.id, created_at=now)
    session.add(row)
    await session.flush()
    return row.id


async def get_conversation(session: AsyncSession, who: Actor, conversation_id: UUID) -> Conversation:
    conversations = tables.Conversation
    statement = select(
        conversations.id,
        conversations.customer_id,
        conversations.metro_id,
        conversations.created_at,
        eventlog.position_column("'chat:' || conversations.id"),
    ).where(conversations.id == conversation_id, conversations.customer_id == who.account_id)
    row = (await session.execute(statement)).one_or_none()
    if row is None:
        raise errors.NotFound("There is no such conversation.", path="conversationId")
    position = eventlog.Position(*row.log_position)
    return Conversation(row.id, row.customer_id, row.metro_id, row.created_at, position)


async def send_message(
    session: AsyncSession,
    who: Actor,
    *,
    conversation_id: UUID,
    text: str,
    position: LatLng | None,
    client_message_id: str,
    now: datetime,
) -> SentMessage:
    """Stores what the rider says and asks the agent to answer. The same client id again returns the first message.

    Raises InvalidInput, NotFound, IdempotencyConflict (same client id, other text), TurnInProgress (too many waiting).
    """
    _check_message(text, client_message_id)
    conversation = await get_conversation(session, who, conversation_id)
    # One sender at a time: the count below and the uniqueness of the client id hold until the commit.
    await session.execute(select(tables.Conversation.id).where(tables.Conversation.id == conversation.id).with_for_update())
    if seen := await _find_message(session, conversation_id, client_message_id):
        if seen.text != text:
            raise errors.IdempotencyConflict(path="clientMessageId")
        return SentMessage(seen.id, seen.turn_id, conversation.position)
    await _refuse_when_busy(session, conversation_id)
    metro = await metros.get_metro(session, conversation.metro_id)
    language = (await session.execute(select(tables.Customer.language).where(tables.Customer.id == who.account_id))).scalar_one()
    context = turns.turn_context(metro, now=now, position=position, language=language)
    turn_id = await turns.add_turn(session, conversation.id, TurnKind.MESSAGE, context, now=now)
    message = _message(conversation_id, turn_id, "rider", text, now)
    message.client_message_id = client_message_id
    if position is not None:
        message.lat, message.lon = position.lat, position.lon
    session.add(message)
    await session.flush()
    await _append_stored(session, message)
    return SentMessage(message.id, turn_id, conversation.position)


def _check_message(text: str, client_message_id: str) -> None:
    issues = []
    if not text.strip() or len(text) > MAX_TEXT_LENGTH:
        issues.append(errors.Issue("text", f"A message has 1 to {MAX_TEXT_LENGTH} characters."))
    elif not is_storable(text):
        issues.append(errors.Issue("text", "A message has no NUL characters and no halves of characters."))
    if not 1 <= len(client_message_id) <= MAX_CLIENT_MESSAGE_ID_LENGTH or not is_storable(client_message_id):
        issues.append(errors.Issue("clientMessageId", f"clientMessageId has 1 to {MAX_CLIENT_MESSAGE_ID_LENGTH} characters."))
    if issues:
        raise errors.InvalidInput(issues)


async def _find_message(session: AsyncSession, conversation_id: UUID, client_message_id: str) -> tables.Message | None:
    statement = select(tables.Message).where(
        tables.Message.conversation_id == conversation_id, tables.Message.client_message_id == client_message_id
    )
    return (await session.execute(statement)).scalar_one_or_none()


async def _refuse_when_busy(session: AsyncSession, conversation_id: UUID) -> None:
    waiting = select(func.count()).where(
        tables.Turn.conversation_id == conversation_id, tables.Turn.state.in_((TurnState.QUEUED, TurnState.RUNNING))
    )
    if (await session.execute(waiting)).scalar_one() >= MAX_WAITING_TURNS:
        raise errors.TurnInProgress


def _message(conversation_id: UUID, turn_id: UUID, author: str, text: str, now: datetime) -> tables.Message:
    return tables.Message(
        id=ids.new(), conversation_id=conversation_id, turn_id=turn_id, author=author, text=text, created_at=now
    )


async def _append_stored(session: AsyncSession, message: tables.Message) -> None:
    payload = {
        "turnId": str(message.turn_id),
        "attempt": 0,
        "messageId": str(message.id),
        "author": message.author,
        "text": message.text,
    }
    await eventlog.append(session, eventlog.chat_topic(message.conversation_id), "message.stored", payload)


@dataclass(frozen=True, slots=True)
class Message:
    id: UUID
    conversation_id: UUID
    turn_id: UUID
    author: str
    text: str
    created_at: datetime


async def get_message(session: AsyncSession, who: Actor, message_id: UUID) -> Message:
    """Of one of the rider's own conversations."""
    statement = (
        select(*(getattr(tables.Message, name) for name in Message.__slots__))
        .join(tables.Conversation, tables.Conversation.id == tables.Message.conversation_id)
        .where(tables.Message.id == message_id, tables.Conversation.customer_id == who.account_id)
    )
    row = (await session.execute(statement)).one_or_none()
    if row is None:
        raise errors.NotFound("There is no such message.")
    return Message(*row)


async def list_messages(session: AsyncSession, conversation_id: UUID, *, before: UUID | None = None, limit: int) -> list[Message]:
    """Latest first, for keyset paging."""
    messages = tables.Message
    statement = select(
        messages.id, messages.conversation_id, messages.turn_id, messages.author, messages.text, messages.created_at
    ).where(messages.conversation_id == conversation_id)
    if before is not None:
        statement = statement.where(messages.id < before)
    rows = await session.execute(statement.order_by(messages.id.desc()).limit(limit))
    return [Message(*row) for row in rows]
