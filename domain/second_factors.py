"""Second factors: codes of an authenticator app (TOTP, RFC 6238), and recovery codes for when it is lost."""

from __future__ import annotations

import hashlib
import hmac
import secrets
from dataclasses import dataclass
from datetime import datetime, timedelta

import pyotp
from sqlalchemy import ColumnElement, delete, func, insert, select
from sqlalchemy.dialects.postgresql import insert as upsert
from sqlalchemy.ext.asyncio import AsyncSession

from domain import accounts, errors, history, sessions, tables
from domain.actor import Actor, Audience
from domain.ciphers import Cipher
from domain.values import NotificationKind

#: what a cipher of secrets is made for
PURPOSE = "second factor"
STEP_SECONDS = 30
#: clocks of phones are wrong: a code is good one step before and after its own
SKEW_STEPS = 1
RECOVERY_CODES = 10
#: how long a secret waits to be confirmed
ENROLMENT_LASTS = timedelta(hours=1)
ISSUERS = {Audience.CUSTOMER: "MobilityCorp", Audience.OPS: "MobilityCorp Ops"}

#: without letters that are mistaken for another
_ALPHABET = "abcdefghjkmnpqrstuvwxyz23456789"
_GROUPS, _GROUP_LENGTH = 4, 4
_rows = tables.SecondFactor
_codes = tables.RecoveryCode


@dataclass(frozen=True, slots=True)
class Enrolment:
    #: base32, for those who type it
    secret: str
    #: for a QR code
    uri: str
    expires_at: datetime


@dataclass(frozen=True, slots=True)
class Protection:
    has_second_factor: bool
    recovery_codes_left: int


def _own(who: Actor) -> tuple[ColumnElement[bool], ColumnElement[bool]]:
    return _rows.audience == who.audience, _rows.account_id == who.account_id


def _own_codes(who: Actor) -> tuple[ColumnElement[bool], ColumnElement[bool]]:
    return _codes.audience == who.audience, _codes.account_id == who.account_id


async def find_protection(session: AsyncSession, who: Actor) -> Protection:
    left = select(func.count()).select_from(_codes).where(*_own_codes(who)).scalar_subquery()
    row = (
        await session.execute(select(left).where(*_own(who), _rows.confirmed_at.is_not(None)).select_from(_rows))
    ).one_or_none()
    return Protection(row is not None, 0 if row is None else row[0])


async def enroll_second_factor(
    session: AsyncSession, who: Actor, *, password_hash: str, cipher: Cipher, now: datetime
) -> Enrolment:
    """Takes the place of one that is not confirmed yet. Raises InvalidCredentials, SessionEnded, SecondFactorInForce."""
    email = await _require_owner(session, who, password_hash, now)
    secret = pyotp.random_base32()
    columns = {"secret": cipher.encrypt(secret, row_id=who.account_id), "created_at": now}
    new = upsert(_rows).values(audience=who.audience, account_id=who.account_id, **columns)
    latest = new.on_conflict_do_update(
        index_elements=["audience", "account_id"], set_=columns, where=_rows.confirmed_at.is_(None)
    )
    if (await session.execute(latest.returning(_rows.account_id))).one_or_none() is None:
        raise errors.SecondFactorInForce
    uri = pyotp.TOTP(secret).provisioning_uri(name=email, issuer_name=ISSUERS[who.audience])
    return Enrolment(secret, uri, now + ENROLMENT_LASTS)


async def _require_owner(session: AsyncSession, who: Actor, password_hash: str, now: datetime) -> str:
    """The email of an account whose password is still the one that was checked, in a session that is not over."""
    account = accounts.table_of(who.audience)
    checked = select(account.email).where(account.id == who.account_id, account.password_hash == password_hash)
    email = (await session.execute(checked.with_for_update(read=True))).scalar_one_or_none()
    if email is None:
        raise errors.InvalidCredentials("The current password is wrong.", path="currentPassword")
    await sessions.require_open(session, who, now=now)
    return email


async def confirm_second_factor(session: AsyncSession, who: Actor, *, code: str, cipher: Cipher, now: datetime) -> list[str]:
    """From now on it is asked for. Its recovery codes, shown this once. Raises SessionEnded, NotFound, SecondFactorInForce,
    InvalidSecondFactor."""
    await sessions.require_open(session, who, now=now)
    row = (await session.execute(select(_rows).where(*_own(who)).with_for_update())).scalar_one_or_none()
    if row is not None and row.confirmed_at is not None:
        raise errors.SecondFactorInForce
    if row is None or row.created_at + ENROLMENT_LASTS <= now:
        raise errors.NotFound("There is no second factor to confirm, or not any more. Enroll first.", path="code")
    row.last_step = _require_step(row, who, code, cipher, now)
    row.confirmed_at = now
    await session.flush()
    await _tell(session, who, is_enabled=True, now=now)
    return await _renew(session, who)


async def renew_recovery_codes(session: AsyncSession, who: Actor, *, code: str, cipher: Cipher, now: datetime) -> list[str]:
    """New ones, shown this once, instead of all before. Raises SessionEnded, NotFound, InvalidSecondFactor."""
    await sessions.require_open(session, who, now=now)
    if not await _spend(session, who, code, cipher, now, path="code"):
        raise errors.NotFound("You have no second factor.")
    return await _renew(session, who)


async def disable_second_factor(
    session: AsyncSession, who: Actor, *, password_hash: str, code: str, cipher: Cipher, now: datetime
) -> None:
    """Gone with its recovery codes. Raises InvalidCredentials, SessionEnded, NotFound, InvalidSecondFactor."""
    await _require_owner(session, who, password_hash, now)
    if not await _spend(session, who, code, cipher, now, path="code"):
        raise errors.NotFound("You have no second factor.")
    await session.execute(delete(_rows).where(*_own(who)))
    await _tell(session, who, is_enabled=False, now=now)


async def require_second_factor(session: AsyncSession, who: Actor, *, code: str | None, cipher: Cipher, now: datetime) -> None:
    """Of an account that has one, at signing in. Raises SecondFactorRequired, InvalidSecondFactor."""
    await _spend(session, who, code, cipher, now, path="secondFactorCode")


async def _spend(session: AsyncSession, who: Actor, code: str | None, cipher: Cipher, now: datetime, *, path: str) -> bool:
    """Takes a code of the app or a recovery code, which nobody can use again. False without a second factor in force."""
    in_force = select(_rows).where(*_own(who), _rows.confirmed_at.is_not(None)).with_for_update()
    row = (await session.execute(in_force)).scalar_one_or_none()
    if row is None:
        return False
    if code is None:
        raise errors.SecondFactorRequired(path=path)
    if (step := _step_of(row, who, code, cipher, now)) is not None:
        row.last_step = step
        await session.flush()
        return True
    spent = delete(_codes).where(*_own_codes(who), _codes.digest == _digest(code)).returning(_codes.digest)
    if (await session.execute(spent)).one_or_none() is None:
        raise errors.InvalidSecondFactor(path=path)
    return True


def _require_step(row: tables.SecondFactor, who: Actor, code: str, cipher: Cipher, now: datetime) -> int:
    if (step := _step_of(row, who, code, cipher, now)) is None:
        raise errors.InvalidSecondFactor(path="code")
    return step


def _step_of(row: tables.SecondFactor, who: Actor, code: str, cipher: Cipher, now: datetime) -> int | None:
    """The time step that a code of the app belongs to; None for a wrong one and for one of a step that was used."""
    secret = cipher.decrypt(row.secret, row_id=who.account_id)
    if secret is None:
        return None
    totp, given = pyotp.TOTP(secret), _plain(code)
    current = int(now.timestamp()) // STEP_SECONDS
    found = None
    for step in range(current - SKEW_STEPS, current + SKEW_STEPS + 1):
        if hmac.compare_digest(totp.generate_otp(step).encode(), given) and (row.last_step is None or step > row.last_step):
            found = step
    return found


def _plain(code: str) -> bytes:
    """As people type it: blanks, dashes and capitals do not matter."""
    return "".join(code.split()).replace("-", "").lower().encode(errors="replace")


def _digest(code: str) -> bytes:
    # Of some 79 random bits: there is nothing to guess, so nothing to make guessing slow.
    return hashlib.sha256(_plain(code)).digest()


async def _renew(session: AsyncSession, who: Actor) -> list[str]:
    await session.execute(delete(_codes).where(*_own_codes(who)))
    made = ["-".join(_group() for _ in range(_GROUPS)) for _ in range(RECOVERY_CODES)]
    row = {"audience": who.audience, "account_id": who.account_id}
    await session.execute(insert(_codes), [{**row, "digest": _digest(code)} for code in made])
    return made


def _group() -> str:
    return "".join(secrets.choice(_ALPHABET) for _ in range(_GROUP_LENGTH))


async def _tell(session: AsyncSession, who: Actor, *, is_enabled: bool, now: datetime) -> None:
    kind, facts = NotificationKind.SECOND_FACTOR_CHANGED, {"isEnabled": is_enabled}
    await accounts.tell_owner(session, who.audience, who.account_id, kind, facts, now=now)


async def forget_enrolments(session: AsyncSession, *, now: datetime, limit: int = history.BATCH) -> int:
    """Deletes secrets that nobody confirmed in time. Returns how many; fewer than `limit` when no more are due."""
    key = (_rows.audience, _rows.account_id)
    stale = (_rows.confirmed_at.is_(None), _rows.created_at <= now - ENROLMENT_LASTS)
    due = select(*key).where(*stale).limit(limit).with_for_update(skip_locked=True)
    found = [tuple(row) for row in await session.execute(due)]
    for audience, account_id in found:
        await session.execute(delete(_rows).where(_rows.audience == audience, _rows.account_id == account_id))
    return len(found)
