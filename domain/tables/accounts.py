"""Riders, staff and their sign-in sessions."""

from __future__ import annotations

from uuid import UUID

from sqlalchemy import ARRAY, CheckConstraint, ForeignKey, Index, LargeBinary, Uuid, text
from sqlalchemy.orm import Mapped, mapped_column

from domain.actor import Audience, Role
from domain.tables.base import Base, Id, Instant, text_enum


class Customer(Base):
    __tablename__ = "customers"

    id: Mapped[Id]
    #: lower case
    email: Mapped[str] = mapped_column(unique=True)
    password_hash: Mapped[str | None]
    name: Mapped[str]
    language: Mapped[str] = mapped_column(default="en")
    created_at: Mapped[Instant]

    __table_args__ = (CheckConstraint("email = lower(email)", name="email_lower"),)


class Staff(Base):
    __tablename__ = "staff"

    id: Mapped[Id]
    email: Mapped[str] = mapped_column(unique=True)
    password_hash: Mapped[str | None]
    name: Mapped[str]
    role: Mapped[Role] = mapped_column(text_enum(Role))
    #: NULL = every metro
    metro_ids: Mapped[list[UUID] | None] = mapped_column(ARRAY(Uuid))
    created_at: Mapped[Instant]

    __table_args__ = (
        CheckConstraint("email = lower(email)", name="email_lower"),
        CheckConstraint("role <> 'rider'", name="role_of_staff"),
    )


class SignInSession(Base):
    __tablename__ = "sign_in_sessions"

    id: Mapped[Id]
    audience: Mapped[Audience] = mapped_column(text_enum(Audience))
    account_id: Mapped[UUID]
    #: SHA-256 of the refresh token in force
    refresh_hash: Mapped[bytes] = mapped_column(LargeBinary)
    created_at: Mapped[Instant]
    refreshed_at: Mapped[Instant]
    expires_at: Mapped[Instant]
    ended_at: Mapped[Instant | None]

    __table_args__ = (
        Index("ix_sign_in_sessions_audience_account_id", "audience", "account_id"),
        Index("ix_sign_in_sessions_refresh_hash", "refresh_hash", unique=True),
        Index("ix_sign_in_sessions_expires_at", "expires_at"),
        Index("ix_sign_in_sessions_ended_at", "ended_at", postgresql_where=text("ended_at is not null")),
    )


class RotatedRefreshToken(Base):
    """Seeing one again means that it was stolen, or that its successor was."""

    __tablename__ = "rotated_refresh_tokens"

    #: SHA-256
    digest: Mapped[bytes] = mapped_column(LargeBinary, primary_key=True)
    session_id: Mapped[UUID] = mapped_column(ForeignKey("sign_in_sessions.id", ondelete="CASCADE"), index=True)
    rotated_at: Mapped[Instant]
