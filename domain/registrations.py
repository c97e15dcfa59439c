"""Registrations: how somebody becomes a rider, and that the address is theirs."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from uuid import UUID

from sqlalchemy import delete, select
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncSession

from domain import accounts, consents, errors, history, ids, notifications, tables
from domain.actor import Audience, Role
from domain.values import NotificationKind

#: how long the link in the mail is good for
LASTS = timedelta(hours=24)

_rows = tables.Registration


@dataclass(frozen=True, slots=True)
class NewRider:
    #: as `accounts.normalize_email` makes it
    email: str
    password_hash: str
    name: str
    language: str
    #: of the terms and the privacy notice that were agreed to
    document_version: str


async def register(session: AsyncSession, new: NewRider, *, now: datetime) -> datetime:
    """Until when it can be verified. The same for an address that has an account: then its owner is told, by as many
    statements. The latest registration of an address replaces the one before."""
    customers = tables.Customer
    # Locked: an account that is being erased is told nothing any more.
    taken = select(customers.id).where(customers.email == new.email).with_for_update(read=True)
    owner = (await session.execute(taken)).scalar_one_or_none()
    if owner is not None:
        await notifications.notify(session, NotificationKind.ACCOUNT_EXISTS, customer_id=owner, facts={}, now=now)
        return now + LASTS
    columns = {
        "id": ids.new(),
        "email": new.email,
        "password_hash": new.password_hash,
        "name": new.name,
        "language": new.language,
        "document_version": new.document_version,
        "created_at": now,
        "expires_at": now + LASTS,
    }
    latest = insert(_rows).values(columns).on_conflict_do_update(index_elements=["email"], set_=columns)
    await session.execute(latest)
    await notifications.notify(
        session,
        NotificationKind.EMAIL_VERIFICATION,
        email=new.email,
        language=new.language,
        facts={"registrationId": str(columns["id"]), "name": new.name},
        now=now,
    )
    return now + LASTS


async def get_password_hash(session: AsyncSession, registration_id: UUID, *, now: datetime) -> str | None:
    """None when the link is not good, or not any more."""
    in_force = select(_rows.password_hash).where(_rows.id == registration_id, _rows.expires_at > now)
    return (await session.execute(in_force)).scalar_one_or_none()


async def verify_email(
    session: AsyncSession, registration_id: UUID, *, password_hash: str | None, days: int, now: datetime
) -> accounts.OpenedSession:
    """The rider is made of the registration, which is gone then, and signed in. `password_hash`: the one that was checked.
    Raises LinkExpired, also when the address became an account's in between."""
    in_force = select(_rows).where(_rows.id == registration_id, _rows.expires_at > now).with_for_update()
    row = (await session.execute(in_force)).scalar_one_or_none()
    if row is None or row.password_hash != password_hash:
        raise errors.LinkExpired(_SPENT, path="token")
    customers = tables.Customer
    made = insert(customers).values(
        id=ids.new(), email=row.email, password_hash=row.password_hash, name=row.name, language=row.language, created_at=now
    )
    new = await session.execute(made.on_conflict_do_nothing(index_elements=["email"]).returning(customers.id))
    customer_id = new.scalar_one_or_none()
    if customer_id is None:
        raise errors.LinkExpired(_SPENT, path="token")
    agreed = [consents.Given(purpose, row.document_version, is_granted=True) for purpose in sorted(consents.REQUIRED)]
    await consents.record_consents(session, customer_id, agreed, source=consents.REGISTRATION, now=row.created_at)
    await session.execute(delete(_rows).where(_rows.id == registration_id))
    found = accounts.Credentials(customer_id, row.password_hash, Role.RIDER, None)
    return await accounts.open_session(session, Audience.CUSTOMER, found, days=days, now=now)


_SPENT = "This link is not good any more. If you have used it already, sign in; else register again."


async def forget_registrations(session: AsyncSession, *, now: datetime, limit: int = history.BATCH) -> int:
    """Deletes those whose link has expired. Returns how many; fewer than `limit` when no more are due."""
    due = select(_rows.id).where(_rows.expires_at <= now).order_by(_rows.expires_at).limit(limit)
    due = due.with_for_update(skip_locked=True)
    gone = await session.execute(delete(_rows).where(_rows.id.in_(due)).returning(_rows.id))
    return len(gone.all())
