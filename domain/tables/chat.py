"""Conversations with the Travel Agent: messages, turns, proposals."""

from __future__ import annotations

from enum import StrEnum
from typing import Any
from uuid import UUID

from sqlalchemy import CheckConstraint, ForeignKey, Index, LargeBinary, String, UniqueConstraint, text
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.orm import Mapped, mapped_column

from domain.tables.base import Base, Id, Instant, Json, text_enum


class TurnKind(StrEnum):
    """Why the agent speaks: to answer a message, or to report what a decision did."""

    MESSAGE = "message"
    REPORT = "report"


class TurnState(StrEnum):
    QUEUED = "queued"
    RUNNING = "running"
    DONE = "done"
    FAILED = "failed"


class ProposalState(StrEnum):
    PENDING = "pending"
    EXECUTED = "executed"
    DECLINED = "declined"
    #: a newer proposal of the same conversation took its place
    SUPERSEDED = "superseded"


class Conversation(Base):
    __tablename__ = "conversations"

    id: Mapped[Id]
    customer_id: Mapped[UUID] = mapped_column(ForeignKey("customers.id", ondelete="CASCADE"))
    metro_id: Mapped[UUID] = mapped_column(ForeignKey("metros.id", ondelete="CASCADE"))
    created_at: Mapped[Instant]

    __table_args__ = (
        Index("ix_conversations_customer_id_id", "customer_id", "id"),
        Index("ix_conversations_created_at", "created_at"),
    )


class Turn(Base):
    __tablename__ = "turns"

    id: Mapped[Id]
    conversation_id: Mapped[UUID] = mapped_column(ForeignKey("conversations.id", ondelete="CASCADE"))
    kind: Mapped[TurnKind] = mapped_column(text_enum(TurnKind))
    state: Mapped[TurnState] = mapped_column(text_enum(TurnState), default=TurnState.QUEUED)
    #: raised by every worker that takes the turn; only the newest may write
    attempt: Mapped[int] = mapped_column(default=0)
    #: what the server tells the model besides the rider's words (now with offset, metro, position, language): frozen
    context: Mapped[Json]
    #: pydantic-ai messages of the finished turn: the model's memory
    model_messages: Mapped[list[Any] | None] = mapped_column(JSONB)
    model: Mapped[str | None]
    input_tokens: Mapped[int | None]
    output_tokens: Mapped[int | None]
    failure_code: Mapped[str | None]
    created_at: Mapped[Instant]
    started_at: Mapped[Instant | None]
    finished_at: Mapped[Instant | None]

    __table_args__ = (Index("ix_turns_conversation_id_id", "conversation_id", "id"),)


class Message(Base):
    __tablename__ = "messages"

    id: Mapped[Id]
    conversation_id: Mapped[UUID] = mapped_column(ForeignKey("conversations.id", ondelete="CASCADE"))
    turn_id: Mapped[UUID] = mapped_column(ForeignKey("turns.id", ondelete="CASCADE"))
    #: `rider` or `agent`
    author: Mapped[str] = mapped_column(String(10))
    text: Mapped[str]
    client_message_id: Mapped[str | None] = mapped_column(String(100))
    lat: Mapped[float | None]
    lon: Mapped[float | None]
    created_at: Mapped[Instant]

    __table_args__ = (
        UniqueConstraint("conversation_id", "client_message_id"),
        CheckConstraint("author in ('rider', 'agent')", name="author"),
        Index("ix_messages_conversation_id_id", "conversation_id", "id"),
    )


class Proposal(Base):
    __tablename__ = "proposals"

    id: Mapped[Id]
    conversation_id: Mapped[UUID] = mapped_column(ForeignKey("conversations.id", ondelete="CASCADE"))
    turn_id: Mapped[UUID] = mapped_column(ForeignKey("turns.id", ondelete="CASCADE"))
    attempt: Mapped[int]
    #: name of the domain function that a yes runs
    action: Mapped[str]
    #: exactly what it will be called with
    arguments: Mapped[Json]
    #: what the rider is shown: only facts from tools
    summary: Mapped[Json]
    #: SHA-256 of action, arguments and summary in canonical JSON: a yes is for these and nothing else
    digest: Mapped[bytes] = mapped_column(LargeBinary)
    state: Mapped[ProposalState] = mapped_column(text_enum(ProposalState), default=ProposalState.PENDING)
    expires_at: Mapped[Instant]
    created_at: Mapped[Instant]
    decided_at: Mapped[Instant | None]
    reservation_id: Mapped[UUID | None] = mapped_column(ForeignKey("reservations.id", ondelete="SET NULL"))

    __table_args__ = (
        Index("ix_proposals_one_pending", "conversation_id", unique=True, postgresql_where=text("state = 'pending'")),
        Index("ix_proposals_turn_id", "turn_id"),
        Index("ix_proposals_conversation_id", "conversation_id"),
    )
