"""Riders, staff, their sign-in sessions, and who is about to become a rider."""

from __future__ import annotations

from uuid import UUID

from sqlalchemy import (
    ARRAY,
    BigInteger,
    CheckConstraint,
    ForeignKey,
    ForeignKeyConstraint,
    Index,
    LargeBinary,
    String,
    Uuid,
    text,
)
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
    #: E.164
    phone: Mapped[str | None] = mapped_column(String(16))
    #: by which the payment gateway knows them
    gateway_ref: Mapped[str | None] = mapped_column(unique=True)
    created_at: Mapped[Instant]
    #: the row stands for nobody any more
    erased_at: Mapped[Instant | None]

    __table_args__ = (
        CheckConstraint("email = lower(email)", name="email_lower"),
        Index("ix_customers_erased_at", "erased_at", postgresql_where=text("erased_at is not null")),
    )


class Registration(Base):
    """Somebody who may become a rider, until the link in the mail says that the address is theirs. The latest of an address."""

    __tablename__ = "registrations"

    id: Mapped[Id]
    #: lower case
    email: Mapped[str] = mapped_column(unique=True)
    password_hash: Mapped[str]
    name: Mapped[str]
    language: Mapped[str]
    #: of the texts that were agreed to: a consent of the account, once there is one
    document_version: Mapped[str] = mapped_column(String(40))
    created_at: Mapped[Instant]
    expires_at: Mapped[Instant] = mapped_column(index=True)

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


class PasswordReset(Base):
    """A link in a mail by which the password may be set anew."""

    __tablename__ = "password_resets"

    id: Mapped[Id]
    audience: Mapped[Audience] = mapped_column(text_enum(Audience))
    account_id: Mapped[UUID]
    created_at: Mapped[Instant]
    expires_at: Mapped[Instant] = mapped_column(index=True)

    __table_args__ = (Index("ix_password_resets_audience_account_id", "audience", "account_id"),)


class RotatedRefreshToken(Base):
    """Seeing one again means that it was stolen, or that its successor was."""

    __tablename__ = "rotated_refresh_tokens"

    #: SHA-256
    digest: Mapped[bytes] = mapped_column(LargeBinary, primary_key=True)
    session_id: Mapped[UUID] = mapped_column(ForeignKey("sign_in_sessions.id", ondelete="CASCADE"), index=True)
    rotated_at: Mapped[Instant]


class SecondFactor(Base):
    """What an authenticator app and we share. Not asked for until it is confirmed."""

    __tablename__ = "second_factors"

    audience: Mapped[Audience] = mapped_column(text_enum(Audience), primary_key=True)
    account_id: Mapped[UUID] = mapped_column(primary_key=True)
    #: encrypted
    secret: Mapped[bytes] = mapped_column(LargeBinary)
    created_at: Mapped[Instant]
    confirmed_at: Mapped[Instant | None]
    #: the latest time step of which a code was taken; none up to it is taken again
    last_step: Mapped[int | None] = mapped_column(BigInteger)

    __table_args__ = (Index("ix_second_factors_created_at", "created_at", postgresql_where=text("confirmed_at is null")),)


class RecoveryCode(Base):
    """Stands in for a code of the app, once: its row is gone then."""

    __tablename__ = "recovery_codes"

    audience: Mapped[Audience] = mapped_column(text_enum(Audience), primary_key=True)
    account_id: Mapped[UUID] = mapped_column(primary_key=True)
    #: SHA-256
    digest: Mapped[bytes] = mapped_column(LargeBinary, primary_key=True)

    __table_args__ = (
        ForeignKeyConstraint(
            ["audience", "account_id"],
            ["second_factors.audience", "second_factors.account_id"],
            name="fk_recovery_codes_account_id",
            ondelete="CASCADE",
        ),
    )
