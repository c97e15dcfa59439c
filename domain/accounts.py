"""Accounts: who riders and staff are, how they sign in and stay so, and their passwords."""

from __future__ import annotations

import hashlib
import secrets
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from sqlalchemy import bindparam, delete, select, update
from sqlalchemy.ext.asyncio import AsyncSession

from domain import errors, eventlog, ids, notifications, sessions, tables
from domain.actor import Actor, Audience, Role
from domain.values import NotificationKind

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
    phone: str | None
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


def table_of(audience: Audience) -> type[tables.Customer | tables.Staff]:
    return tables.Customer if audience is Audience.CUSTOMER else tables.Staff


async def open_session(
    session: AsyncSession, audience: Audience, found: Credentials, *, days: int, now: datetime
) -> OpenedSession:
    """Raises InvalidCredentials when the password was changed while it was checked: a session opened with the old one would
    outlive the change."""
    account = table_of(audience)
    in_force = select(account.password_hash).where(account.id == found.account_id).with_for_update(read=True)
    if (await session.execute(in_force)).scalar_one_or_none() != found.password_hash:
        raise errors.InvalidCredentials(path="password")
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
    """Rotates the refresh token. None when the session is over; a token used a second time, however old, ends its
    session: either the rider or a thief holds the newer one, and nobody can tell which. The caller commits in both cases."""
    digest = _digest(refresh_token)
    table = tables.SignInSession
    held = select(table).where(table.audience == audience, table.refresh_hash == digest).with_for_update()
    row = (await session.execute(held)).scalar_one_or_none()
    if row is None:
        await _end_reused(session, audience, digest, now=now)
        return None
    if row.ended_at is not None or row.expires_at <= now:
        return None
    found = await _role_of(session, audience, row.account_id)
    if found is None:
        return None
    token = secrets.token_urlsafe(_REFRESH_BYTES)
    session.add(tables.RotatedRefreshToken(digest=digest, session_id=row.id, rotated_at=now))
    row.refresh_hash = _digest(token)
    row.refreshed_at, row.expires_at = now, now + timedelta(days=days)
    await session.flush()
    return OpenedSession(Actor(audience, row.account_id, found.role, row.id, found.metro_ids), token, row.expires_at)


async def _role_of(session: AsyncSession, audience: Audience, account_id: UUID) -> Credentials | None:
    """The role as it is now: a refreshed token never outlives a change of it."""
    if audience is Audience.CUSTOMER:
        return Credentials(account_id, None, Role.RIDER, None)
    staff = await session.get(tables.Staff, account_id)
    return None if staff is None else Credentials(staff.id, None, staff.role, _metros_of(staff))


async def _end_reused(session: AsyncSession, audience: Audience, digest: bytes, *, now: datetime) -> None:
    # Looked up by a statement of its own: one that has waited for a rotation beside it does not see what that wrote elsewhere.
    table, rotated = tables.SignInSession, tables.RotatedRefreshToken
    spent = select(rotated.session_id).where(rotated.digest == digest).scalar_subquery()
    ending = update(table).where(table.id == spent, table.audience == audience, table.ended_at.is_(None))
    await session.execute(ending.values(ended_at=now))


async def sign_out(session: AsyncSession, who: Actor, *, now: datetime) -> None:
    row = await session.get(tables.SignInSession, who.session_id, with_for_update=True)
    if row is not None and row.ended_at is None:
        row.ended_at = now
        await session.flush()


async def find_password_hash(session: AsyncSession, who: Actor) -> str | None:
    account = table_of(who.audience)
    return (await session.execute(select(account.password_hash).where(account.id == who.account_id))).scalar_one_or_none()


async def change_password(session: AsyncSession, who: Actor, *, old_hash: str, new_hash: str, now: datetime) -> int:
    """Ends all other sessions; how many. Raises InvalidCredentials when the old one is not in force any more, SessionEnded."""
    account = table_of(who.audience)
    change = update(account).where(account.id == who.account_id, account.password_hash == old_hash)
    if (await session.execute(change.values(password_hash=new_hash).returning(account.id))).one_or_none() is None:
        raise errors.InvalidCredentials("The current password is wrong.", path="currentPassword")
    ended = await sessions.end_all_sessions(session, who, is_current_kept=True, now=now)
    await forget_links(session, who.audience, who.account_id)
    await tell_owner(session, who.audience, who.account_id, NotificationKind.PASSWORD_CHANGED, {}, now=now)
    return ended


async def forget_links(session: AsyncSession, audience: Audience, account_id: UUID) -> set[UUID]:
    """Those by which the password of the account could be set anew; which they were."""
    links = tables.PasswordReset
    own = delete(links).where(links.audience == audience, links.account_id == account_id)
    return set((await session.execute(own.returning(links.id))).scalars())


async def tell_owner(
    session: AsyncSession, audience: Audience, account_id: UUID, kind: NotificationKind, facts: dict[str, Any], *, now: datetime
) -> None:
    """Riders by whatever they have chosen, staff by mail."""
    if audience is Audience.CUSTOMER:
        await notifications.notify(session, kind, customer_id=account_id, facts=facts, now=now)
        return
    staff = tables.Staff
    email = (await session.execute(select(staff.email).where(staff.id == account_id))).scalar_one()
    await notifications.notify(session, kind, email=email, language="en", facts=facts, now=now)


_KNOWN = select(tables.Customer.id).where(tables.Customer.id == bindparam("customer"), tables.Customer.erased_at.is_(None))


async def require_customer(session: AsyncSession, customer_id: UUID) -> None:
    """Raises NotFound, also for an account that was erased: its row is kept, and is nobody."""
    if (await session.execute(_KNOWN, {"customer": customer_id})).one_or_none() is None:
        raise errors.NotFound("There is no such customer.", path="customerId")


async def get_customer(session: AsyncSession, customer_id: UUID) -> Customer:
    customers = tables.Customer
    position = eventlog.position_column("'rider:' || customers.id")
    own = (customers.id, customers.email, customers.name, customers.language, customers.phone)
    statement = select(*own, position).where(customers.id == customer_id, customers.erased_at.is_(None))
    row = (await session.execute(statement)).one_or_none()
    if row is None:
        raise errors.NotFound("There is no such customer.")
    return Customer(row.id, row.email, row.name, row.language, row.phone, eventlog.Position(*row.log_position))


async def get_staff_member(session: AsyncSession, staff_id: UUID) -> StaffMember:
    staff = tables.Staff
    row = (await session.execute(select(staff.id, staff.email, staff.name, staff.role).where(staff.id == staff_id))).one_or_none()
    if row is None:
        raise errors.NotFound("There is no such member of staff.")
    return StaffMember(*row)
