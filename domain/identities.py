"""Identities: accounts of riders and staff who sign in with an outside issuer."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from sqlalchemy import delete, select, update
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncSession

from domain import accounts, errors, ids, tables
from domain.accounts import Credentials, OpenedSession
from domain.actor import Actor, Audience, Role
from domain.ports import Identity
from domain.values import LANGUAGES

#: what an issuer may call a role of staff, the one that may do most first
ROLES = (Role.ADMIN, Role.DISPATCHER, Role.TECHNICIAN)
_UNVERIFIED = "The issuer does not say that the email address is yours (`email`, `email_verified`). Have it verified there"
_WAYS_OUT = {
    Audience.CUSTOMER: "; or, with an account here, sign in with your password and link the identity to it.",
    Audience.OPS: ", or sign in with your password.",
}
_PROTECTED = (
    "The account of this address has a second factor. Sign in with your password and a code, then link the identity to it."
)

_EMAIL = re.compile(r"[!-?A-~]+@[!-?A-~]+")
#: shown to the rider; the latest ones
LISTED = 100
_rows = tables.Identity


@dataclass(frozen=True, slots=True)
class LinkedIdentity:
    id: UUID
    issuer: str
    created_at: datetime


@dataclass(frozen=True, slots=True)
class _Account:
    id: UUID
    password_hash: str | None


async def sign_in_with_identity_token(
    session: AsyncSession, audience: Audience, identity: Identity, *, days: int, now: datetime
) -> OpenedSession:
    """Opens a session of the identity's account, which the first sign-in finds by its address or makes. Raises
    EmailNotVerified, for riders SecondFactorRequired (of an account that was not linked), for staff RoleNotGranted."""
    role = Role.RIDER if audience is Audience.CUSTOMER else _role_of(identity)
    account = await _find_account(session, audience, identity)
    if account is None:
        made = await _take_account(session, audience, identity, role, now=now)
        if audience is Audience.CUSTOMER:
            await _require_no_second_factor(session, made)
        await _link(session, audience, identity, made, now=now)
        account = await _find_account(session, audience, identity)
    if account is None:
        raise errors.OutOfReach("The account is just being erased. Nothing was changed; try again.")
    metro_ids = None if audience is Audience.CUSTOMER else await _change_staff(session, account.id, identity, role)
    found = Credentials(account.id, account.password_hash, role, None if metro_ids is None else frozenset(metro_ids))
    return await accounts.open_session(session, audience, found, days=days, now=now)


async def link_identity(session: AsyncSession, who: Actor, identity: Identity, *, password_hash: str, now: datetime) -> None:
    """From now on the identity signs in as this rider; linking it again changes nothing. Raises IdentityTaken, and
    InvalidCredentials when the password that was checked is not in force any more."""
    customers = tables.Customer
    checked = select(customers.id).where(customers.id == who.account_id, customers.password_hash == password_hash)
    if (await session.execute(checked.with_for_update(read=True))).one_or_none() is None:
        raise errors.InvalidCredentials("The current password is wrong.", path="currentPassword")
    if await _link(session, Audience.CUSTOMER, identity, who.account_id, now=now) != who.account_id:
        raise errors.IdentityTaken(path="idToken")


async def list_identities(session: AsyncSession, who: Actor) -> list[LinkedIdentity]:
    """Those that sign in as this rider, the latest first."""
    own = select(_rows.id, _rows.issuer, _rows.created_at).where(_rows.customer_id == who.account_id)
    return [LinkedIdentity(*row) for row in await session.execute(own.order_by(_rows.id.desc()).limit(LISTED))]


async def find_identity(session: AsyncSession, who: Actor, identity_id: UUID) -> LinkedIdentity | None:
    own = select(_rows.id, _rows.issuer, _rows.created_at).where(_rows.customer_id == who.account_id, _rows.id == identity_id)
    row = (await session.execute(own)).one_or_none()
    return None if row is None else LinkedIdentity(*row)


async def unlink_identity(session: AsyncSession, who: Actor, *, identity_id: UUID) -> None:
    """Sessions that it has opened go on. Raises NotFound."""
    gone = delete(_rows).where(_rows.id == identity_id, _rows.customer_id == who.account_id).returning(_rows.id)
    if (await session.execute(gone)).one_or_none() is None:
        raise errors.NotFound("No identity of that id signs in as you.", path="identityId")


async def _find_account(session: AsyncSession, audience: Audience, identity: Identity) -> _Account | None:
    """Locked, so that it is not erased while a session of it is opened."""
    is_rider = audience is Audience.CUSTOMER
    owner: type[tables.Customer | tables.Staff] = tables.Customer if is_rider else tables.Staff
    statement = (
        select(owner.id, owner.password_hash)
        .join(_rows, owner.id == (_rows.customer_id if is_rider else _rows.staff_id))
        .where(_rows.audience == audience, _rows.issuer == identity.issuer, _rows.subject == identity.subject)
        # Staff are written to next: two who hold the lock of readers would wait for each other.
        .with_for_update(read=is_rider)
    )
    row = (await session.execute(statement)).one_or_none()
    return None if row is None else _Account(row.id, row.password_hash)


async def _link(session: AsyncSession, audience: Audience, identity: Identity, account_id: UUID, *, now: datetime) -> UUID:
    """The account of the identity: this one, or the one that it was linked to before, perhaps a moment ago."""
    statement = insert(_rows).values(
        id=ids.new(),
        audience=audience,
        issuer=identity.issuer,
        subject=identity.subject,
        customer_id=account_id if audience is Audience.CUSTOMER else None,
        staff_id=account_id if audience is Audience.OPS else None,
        created_at=now,
    )
    # Changes nothing, but waits for whoever is linking the same identity, and returns what they have written.
    written = statement.on_conflict_do_update(
        index_elements=["audience", "issuer", "subject"], set_={"subject": statement.excluded.subject}
    )
    account = _rows.customer_id if audience is Audience.CUSTOMER else _rows.staff_id
    found: UUID | None = (await session.execute(written.returning(account))).scalar_one()
    if found is None:
        raise TypeError("an identity without an account of its audience")
    return found


def _verified_address(audience: Audience, identity: Identity) -> str:
    """Only an address that the issuer vouches for: with any other, somebody could enter the account of its owner, or wait in
    one made beforehand for the owner to come."""
    # ASCII before it is made lower case: that makes of other letters, such as the sign of the Kelvin, those of somebody else.
    if not identity.is_email_verified or identity.email is None or not _EMAIL.fullmatch(identity.email):
        raise errors.EmailNotVerified(_UNVERIFIED + _WAYS_OUT[audience], path="idToken")
    return accounts.normalize_email(identity.email)


async def _take_account(session: AsyncSession, audience: Audience, identity: Identity, role: Role, *, now: datetime) -> UUID:
    """The account with the address, or a new one."""
    email = _verified_address(audience, identity)
    columns = {"id": ids.new(), "email": email, "name": identity.name or email.partition("@")[0], "created_at": now}
    if audience is Audience.CUSTOMER:
        statement = insert(tables.Customer).values(**columns, language=_language_of(identity))
    else:
        statement = insert(tables.Staff).values(**columns, role=role, metro_ids=[])
    # As in `_link`: of two who make the same account at once, the second gets that of the first.
    found = statement.on_conflict_do_update(index_elements=["email"], set_={"email": statement.excluded.email})
    account_id: UUID = (await session.execute(found.returning(statement.table.c.id))).scalar_one()
    return account_id


async def _require_no_second_factor(session: AsyncSession, customer_id: UUID) -> None:
    """Whoever holds no more than the mailbox must not come in past it: its owner links the identity."""
    factors = tables.SecondFactor
    in_force = select(factors.account_id).where(
        factors.audience == Audience.CUSTOMER, factors.account_id == customer_id, factors.confirmed_at.is_not(None)
    )
    if (await session.execute(in_force)).first() is not None:
        raise errors.SecondFactorRequired(_PROTECTED, path="idToken")


def _language_of(identity: Identity) -> str:
    spoken = (identity.language or "").replace("_", "-").partition("-")[0].lower()
    return spoken if spoken in LANGUAGES else LANGUAGES[0]


def _role_of(identity: Identity) -> Role:
    role = next((one for one in ROLES if one in identity.roles), None)
    if role is None:
        raise errors.RoleNotGranted(path="idToken")
    return role


async def _change_staff(session: AsyncSession, staff_id: UUID, identity: Identity, role: Role) -> list[UUID] | None:
    """Role and metros are those that the issuer names, each time; the metros, or None for all of them."""
    metro_ids: list[UUID] | None = None if role is Role.ADMIN else []
    if identity.metros is not None:
        metros = tables.Metro
        named = select(metros.id).where(metros.slug.in_(identity.metros)).order_by(metros.id)
        metro_ids = list((await session.execute(named)).scalars())
    staff = tables.Staff
    await session.execute(update(staff).where(staff.id == staff_id).values(role=role, metro_ids=metro_ids))
    return metro_ids
