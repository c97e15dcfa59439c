"""Licence checks: how a licence that was submitted comes to be verified or rejected, once, by a check or by staff."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from uuid import UUID

from sqlalchemy import Exists, exists, or_, select
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import aliased

from domain import errors, licences, notifications, ports, tables
from domain.actor import Actor
from domain.ciphers import Cipher
from domain.values import LicenceState, NotificationKind, is_storable

#: then staff decide alone
MAX_CHECKS = 12
MAX_PAUSE = timedelta(hours=6)
MAX_REASON_LENGTH = 500
MAX_LISTED = 100


@dataclass(frozen=True, slots=True)
class Pending:
    licence: licences.Licence
    customer_name: str
    #: somebody else has submitted the same number
    is_number_known: bool


async def open_check(session: AsyncSession, licence_id: UUID, *, cipher: Cipher, now: datetime) -> ports.LicenceClaim | None:
    """What is to be checked. None when nothing is: it is decided or submitted anew, it has expired meanwhile, or another
    rider has the same number, which only people can sort out."""
    row = await _lock_pending(session, licence_id)
    if row is None:
        return None
    if row.expires_on < now.astimezone(UTC).date():
        await _decide(session, row, False, "The licence has expired.", None, now)
        return None
    if (
        await session.execute(select(_is_number_known(tables.DrivingLicence)).where(tables.DrivingLicence.id == row.id))
    ).scalar_one():
        row.check_at = None
        await session.flush()
        return None
    number = None if row.number_sealed is None else cipher.decrypt(row.number_sealed, row_id=row.id)
    if number is None:
        await _decide(session, row, False, "The licence could not be read any more. Submit it again.", None, now)
        return None
    return ports.LicenceClaim(row.country_code, number, row.expires_on, tuple(row.categories))


async def settle_check(session: AsyncSession, licence_id: UUID, verdict: ports.LicenceVerdict, *, now: datetime) -> bool:
    """What the check says, unless it was decided or submitted anew meanwhile: then False."""
    row = await _lock_pending(session, licence_id)
    if row is None:
        return False
    await _decide(session, row, verdict.is_accepted, verdict.reason, None, now)
    return True


async def ask_again(session: AsyncSession, *, now: datetime, limit: int = 100) -> int:
    """Asks for a check of what is pending for too long: its job was lost, or nobody answered. Ever more seldom, and at last
    not any more. How many; several sweepers may run at once."""
    table = tables.DrivingLicence
    due = select(table).where(table.state == LicenceState.PENDING, table.check_at <= now).order_by(table.check_at)
    rows = (await session.execute(due.limit(limit).with_for_update(skip_locked=True))).scalars().all()
    for row in rows:
        pause = min(licences.CHECK_PAUSE * 2**row.checks, MAX_PAUSE)
        row.checks += 1
        row.check_at = now + pause if row.checks < MAX_CHECKS else None
        await licences.defer_check(session, row.id)
    await session.flush()
    return len(rows)


async def decide_driving_licence(
    session: AsyncSession,
    who: Actor,
    *,
    customer_id: UUID,
    is_accepted: bool,
    reason: str | None,
    submitted_at: datetime | None,
    now: datetime,
) -> licences.Licence:
    """By staff: what is pending and, with `submitted_at`, has not been submitted anew since it was looked at. The same
    decision again by the same person changes nothing. Raises NotFound, InvalidInput, DrivingLicenceDecided."""
    if reason is not None and not (1 <= len(reason.strip()) <= MAX_REASON_LENGTH and is_storable(reason)):
        raise errors.InvalidInput.of("reason", f"A reason has 1 to {MAX_REASON_LENGTH} characters.")
    if not is_accepted and reason is None:
        raise errors.InvalidInput.of("reason", "Say why: the rider is told.")
    table = tables.DrivingLicence
    held = select(table).where(table.customer_id == customer_id).with_for_update()
    row = (await session.execute(held)).scalar_one_or_none()
    if row is None:
        raise errors.NotFound("That rider has submitted no driving licence.", path="customerId")
    if submitted_at is not None and submitted_at != row.submitted_at:
        raise errors.DrivingLicenceDecided(row.state, "The rider has submitted another licence since.")
    wanted = LicenceState.VERIFIED if is_accepted else LicenceState.REJECTED
    if row.state is not LicenceState.PENDING:
        if row.state is wanted and row.decided_by == who.account_id:
            return licences.of(row)
        raise errors.DrivingLicenceDecided(row.state, f"The licence is {row.state} already; nothing was done.")
    await _decide(session, row, is_accepted, reason, who.account_id, now)
    return licences.of(row)


async def _lock_pending(session: AsyncSession, licence_id: UUID) -> tables.DrivingLicence | None:
    table = tables.DrivingLicence
    held = select(table).where(table.id == licence_id, table.state == LicenceState.PENDING).with_for_update()
    return (await session.execute(held)).scalar_one_or_none()


async def _decide(
    session: AsyncSession, row: tables.DrivingLicence, is_accepted: bool, reason: str | None, by: UUID | None, now: datetime
) -> None:
    row.state = LicenceState.VERIFIED if is_accepted else LicenceState.REJECTED
    row.reason = None if is_accepted else reason
    row.decided_at, row.decided_by = now, by
    row.number_sealed, row.check_at = None, None
    await session.flush()
    facts = {"state": row.state} | ({"reason": row.reason} if row.reason else {})
    kind, key = NotificationKind.LICENCE_DECIDED, f"licence:{row.id}"
    await notifications.notify(session, kind, customer_id=row.customer_id, facts=facts, key=key, now=now)


def _is_number_known(of: type[tables.DrivingLicence]) -> Exists:
    """Whether another rider's licence, pending or verified, has the number of a row."""
    other = aliased(tables.DrivingLicence)
    return exists().where(
        other.number_digest == of.number_digest,
        other.customer_id != of.customer_id,
        or_(other.state == LicenceState.PENDING, other.state == LicenceState.VERIFIED),
    )


async def list_pending_licences(session: AsyncSession) -> list[Pending]:
    """Those that wait longest first, 100 at most."""
    table, customers = tables.DrivingLicence, tables.Customer
    known = _is_number_known(table).label("is_number_known")
    query = select(*licences.COLUMNS, customers.name, known).join(customers).where(table.state == LicenceState.PENDING)
    rows = await session.execute(query.order_by(table.submitted_at).limit(MAX_LISTED))
    return [Pending(licences.of(row), row.name, row.is_number_known) for row in rows]
