"""Accounts: who riders and staff are, and their sign-in sessions."""

from __future__ import annotations

import hashlib
import secrets
from dataclasses import dataclass
from datetime import datetime, timedelta
from uuid import UUID

from sqlalchemy import or_, select
from sqlalchemy.ext.asyncio import AsyncSession

from domain import errors, eventlog, ids, tables
from domain.actor import Actor, Audience, Role

_REFRESH_BYTES = 32


@dataclass(frozen=True, slots=True)
class Credentials:
    """What is needed to check a password, and who it lets in."""

    account_id: UUID
    password_hash: str | None
    role: Role
    metro_ids: frozenset[UUID] | None


@dataclass(frozen=True, slots=True)
class OpenedSession:
    actor: Actor
    #: given out once; only its digest is kept
    refresh_token: str
    expires_at: datetime


@dataclass(frozen=True, slots=True)
class Customer:
    id: UUID
    email: str
    name: str
    language: str
    #: where the stream of the rider's reservations continues from what was read here
    position: eventlog.Position


@dataclass(frozen=True, slots=True)
class StaffMember:
    id: UUID
    email: str
    name: str
    role: Role


def normalize_email(email: str) -> str:
    return email.strip().lower()


def _digest(token: str) -> bytes:
    return hashlib.sha256(token.encode(errors="replace")).digest()


async def find_credentials(session: AsyncSession, audience: Audience, email: str) -> Credentials | None:
    if audience is Audience.CUSTOMER:
        customers = tables.Customer
        found = await session.execute(
            select(customers.id, customers.password_hash).where(customers.email == normalize_email(email))
        )
        row = found.one_or_none()
        return None if row is None else Credentials(row.id, row.password_hash, Role.RIDER, None)
    staff = (await session.execute(select(tables.Staff).where(tables.Staff.email == normalize_email(email)))).scalar_one_or_none()
    return None if staff is None else Credentials(staff.id, staff.password_hash, staff.role, _metros_of(staff))


def _metros_of(staff: tables.Staff) -> frozenset[UUID] | None:
    return None if staff.metro_ids is None else frozenset(staff.metro_ids)


async def open_session(
    session: AsyncSession, audience: Audience, found: Credentials, *, days: int, now: datetime
) -> OpenedSession:
    token = secrets.token_urlsafe(_REFRESH_BYTES)
    row = tables.SignInSession(
        id=ids.new(),
        audience=audience,
        account_id=found.account_id,
        refresh_hash=_digest(token),
        created_at=now,
        refreshed_at=now,
        expires_at=now + timedelta(days=days),
    )
    session.add(row)
    await session.flush()
    return OpenedSession(Actor(audience, found.account_id, found.role, row.id, found.metro_ids), token, row.expires_at)


async def refresh_session(
    session: AsyncSession, audience: Audience, refresh_token: str, *, days: int, now: datetime
) -> OpenedSession | None:
    """Rotates the refresh token. None when the session is over; a token used a second time ends its session: either
    the rider or a thief holds the newer one, and nobody can tell which. The caller commits in both cases."""
    digest = _digest(refresh_token)
    sessions = tables.SignInSession
    statement = (
        select(sessions)
        .where(sessions.audience == audience)
        .where(or_(sessions.refresh_hash == digest, sessions.previous_refresh_hash == digest))
        .with_for_update()
    )
    row = (await session.execute(statement)).scalar_one_or_none()
    if row is None or row.ended_at is not None or row.expires_at <= now:
        return None
    if row.refresh_hash != digest:
        row.ended_at = now
        await session.flush()
        return None
    found = await _role_of(session, audience, row.account_id)
    if found is None:
        return None
    token = secrets.token_urlsafe(_REFRESH_BYTES)
    row.previous_refresh_hash, row.refresh_hash = digest, _digest(token)
    row.refreshed_at, row.expires_at = now, now + timedelta(days=days)
    await session.flush()
    return OpenedSession(Actor(audience, row.account_id, found.role, row.id, found.metro_ids), token, row.expires_at)


async def _role_of(session: AsyncSession, audience: Audience, account_id: UUID) -> Credentials | None:
    """The role as it is now: a refreshed token never outlives a change of it."""
    if audience is Audience.CUSTOMER:
        return Credentials(account_id, None, Role.RIDER, None)
    staff = await session.get(tables.Staff, account_id)
    return None if staff is None else Credentials(staff.id, None, staff.role, _metros_of(staff))


async def end_session(session: AsyncSession, who: Actor, *, now: datetime) -> None:
    row = await session.get(tables.SignInSession, who.session_id, with_for_update=True)
    if row is not None and row.ended_at is None:
        row.ended_at = now
        await session.flush()


async def get_customer(session: AsyncSession, customer_id: UUID) -> Customer:
    customers = tables.Customer
    position = eventlog.position_column("'rider:' || customers.id")
    statement = select(customers.id, customers.email, customers.name, customers.language, position)
    row = (await session.execute(statement.where(customers.id == customer_id))).one_or_none()
    if row is None:
        raise errors.NotFound("There is no such customer.")
    return Customer(row.id, row.email, row.name, row.language, eventlog.Position(*row.log_position))


async def get_staff_member(session: AsyncSession, staff_id: UUID) -> StaffMember:
    staff = tables.Staff
    row = (await session.execute(select(staff.id, staff.email, staff.name, staff.role).where(staff.id == staff_id))).one_or_none()
    if row is None:
        raise errors.NotFound("There is no such member of staff.")
    return StaffMember(*row)
