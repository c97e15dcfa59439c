"""The event log and the record of idempotency keys."""

from __future__ import annotations

from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import (
    BigInteger,
    DateTime,
    Identity,
    Index,
    LargeBinary,
    PrimaryKeyConstraint,
    SmallInteger,
    String,
    text,
)
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.orm import Mapped, mapped_column
from sqlalchemy.types import UserDefinedType

from domain.tables.base import Base, Instant


class Xid8(UserDefinedType[int]):
    """PostgreSQL's 64-bit transaction id."""

    cache_ok = True

    def get_col_spec(self, **_: Any) -> str:
        return "xid8"


class Event(Base):
    __tablename__ = "event_log"

    seq: Mapped[int] = mapped_column(BigInteger, Identity(always=True), primary_key=True)
    xid: Mapped[int] = mapped_column(Xid8, server_default=text("pg_current_xact_id()"))
    topic: Mapped[str]
    kind: Mapped[str]
    version: Mapped[int] = mapped_column(SmallInteger)
    payload: Mapped[dict[str, Any]] = mapped_column(JSONB)
    at: Mapped[datetime] = mapped_column(DateTime(timezone=True), server_default=text("clock_timestamp()"))

    __table_args__ = (
        Index("ix_event_log_topic_xid_seq", "topic", "xid", "seq"),
        # What retention goes by; a chat is kept as long as it lives.
        Index(
            "ix_event_log_topic_class_at",
            text("split_part(topic, ':', 1)"),
            "at",
            postgresql_where=text("topic not like 'chat:%'"),
        ),
        # What compaction goes by: small, for it takes away what it has found.
        Index("ix_event_log_deltas_at", "at", postgresql_where=text("kind = 'text.delta'")),
    )


class LogHorizon(Base):
    """Of a topic: the newest event that retention or erasure has deleted. Whoever is behind it has a gap."""

    __tablename__ = "event_log_horizons"

    topic: Mapped[str] = mapped_column(primary_key=True)
    xid: Mapped[int] = mapped_column(Xid8)
    seq: Mapped[int] = mapped_column(BigInteger)


class LogEpoch(Base):
    """One row. Another cluster counts transactions anew: the epoch tells cursors of before from cursors of after."""

    __tablename__ = "event_log_epoch"

    singleton: Mapped[bool] = mapped_column(primary_key=True, default=True)
    epoch: Mapped[int]
    system_identifier: Mapped[int] = mapped_column(BigInteger)
    raised_at: Mapped[Instant]


class IdempotencyKey(Base):
    __tablename__ = "idempotency_keys"

    account_id: Mapped[UUID]
    mutation: Mapped[str] = mapped_column(String(60))
    key: Mapped[str] = mapped_column(String(100))
    input_digest: Mapped[bytes] = mapped_column(LargeBinary)
    result_id: Mapped[UUID]
    created_at: Mapped[Instant]

    __table_args__ = (
        PrimaryKeyConstraint("account_id", "mutation", "key"),
        Index("ix_idempotency_keys_created_at", "created_at"),
    )
