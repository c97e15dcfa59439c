"""Driving licences: what riders submit, what a check or staff decide, and whether one is good for a booking."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from typing import Any
from uuid import UUID

from sqlalchemy import bindparam, select
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncSession

from domain import booking_windows, errors, ids, jobs, tables
from domain.actor import Actor
from domain.ciphers import Cipher
from domain.values import LicenceCategory, LicenceState

#: what a cipher of licence numbers is made for
PURPOSE = "driving licence numbers"
_COUNTRY = re.compile("[A-Z]{2}")
_NUMBER = re.compile("[A-Z0-9]{5,25}")
_SEPARATORS = re.compile(r"[\s./-]+")
#: when the first check is given up as lost
CHECK_PAUSE = timedelta(minutes=1)


@dataclass(frozen=True, slots=True)
class Submission:
    country_code: str
    number: str
    expires_on: date
    categories: tuple[LicenceCategory, ...]


@dataclass(frozen=True, slots=True)
class Licence:
    customer_id: UUID
    country_code: str
    number_ending: str
    expires_on: date
    categories: list[str]
    state: LicenceState
    reason: str | None
    submitted_at: datetime
    decided_at: datetime | None

    def state_at(self, instant: datetime) -> LicenceState:
        return state_on(self.state, self.expires_on, _day_of(instant))


COLUMNS = [getattr(tables.DrivingLicence, name) for name in Licence.__slots__]


def of(row: Any) -> Licence:
    """Of a row that has COLUMNS."""
    return Licence(*(getattr(row, name) for name in Licence.__slots__))


def _day_of(instant: datetime) -> date:
    return instant.astimezone(UTC).date()


def state_on(stored: LicenceState, expires_on: date, day: date) -> LicenceState:
    """What a licence is on a day of UTC: good on its last day, expired after it."""
    return LicenceState.EXPIRED if stored is not LicenceState.REJECTED and expires_on < day else stored


# Made once: building and keying a statement costs as much as running it.
_HELD = (
    select(tables.DrivingLicence.state, tables.DrivingLicence.expires_on)
    .select_from(tables.Customer)
    .outerjoin(tables.DrivingLicence)
    .where(tables.Customer.id == bindparam("customer"), tables.Customer.erased_at.is_(None))
)


async def require_licence(session: AsyncSession, customer_id: UUID, window: booking_windows.Window) -> None:
    """Raises DrivingLicenceRequired unless the rider has a verified licence that is good until the window ends; NotFound, as
    `accounts.require_customer`."""
    row = (await session.execute(_HELD, {"customer": customer_id})).one_or_none()
    if row is None:
        raise errors.NotFound("There is no such customer.", path="customerId")
    if row.state is None:
        raise errors.DrivingLicenceRequired(LicenceState.NOT_SUBMITTED, "Cars and vans need a driving licence: submit it first.")
    # The end itself is not in the window: one at midnight does not need the day that begins then.
    last = (window.ends_at or window.starts_at) - timedelta(microseconds=1)
    state = state_on(row.state, row.expires_on, _day_of(max(last, window.starts_at)))
    if state is not LicenceState.VERIFIED:
        raise errors.DrivingLicenceRequired(state, _REFUSALS[state].format(row.expires_on))


_REFUSALS = {
    LicenceState.PENDING: "The driving licence is still being checked. Try again later, or take a scooter or bike.",
    LicenceState.REJECTED: "The driving licence was not accepted: submit one that is valid.",
    LicenceState.EXPIRED: "The driving licence is good until {}, the booking ends after that: submit the new one.",
}


async def submit_driving_licence(
    session: AsyncSession, who: Actor, submission: Submission, *, cipher: Cipher, now: datetime
) -> Licence:
    """In place of the one before. It is checked by a job; the same again, unless it was rejected, changes nothing.
    Raises InvalidInput."""
    number = _SEPARATORS.sub("", submission.number.upper())
    _check(submission, number, now)
    digest = cipher.digest(f"{submission.country_code} {number}")
    licences = tables.DrivingLicence
    held = select(licences).where(licences.customer_id == who.account_id).with_for_update()
    before = (await session.execute(held)).scalar_one_or_none()
    categories = sorted(set(submission.categories), key=list(LicenceCategory).index)
    if before is not None and before.state is not LicenceState.REJECTED:
        said = (before.number_digest, before.expires_on, before.categories)
        if said == (digest, submission.expires_on, categories):
            return of(before)
    licence_id = ids.new()
    row: dict[str, Any] = {
        "customer_id": who.account_id,
        "id": licence_id,
        "country_code": submission.country_code,
        "number_digest": digest,
        "number_sealed": cipher.encrypt(number, row_id=licence_id),
        "number_ending": number[-4:],
        "expires_on": submission.expires_on,
        "categories": categories,
        "state": LicenceState.PENDING,
        "reason": None,
        "submitted_at": now,
        "decided_at": None,
        "decided_by": None,
        "checks": 1,
        "check_at": now + CHECK_PAUSE,
    }
    written = insert(licences).values(row).on_conflict_do_update(index_elements=["customer_id"], set_=row)
    await session.execute(written)
    await defer_check(session, licence_id)
    return Licence(*(row[name] for name in Licence.__slots__))


async def defer_check(session: AsyncSession, licence_id: UUID) -> None:
    args = {"licence_id": str(licence_id)}
    await jobs.defer(session, jobs.CHECK_LICENCE, args, queue=jobs.Queue.CUSTOMER, lock=f"licence:{licence_id}")


def _check(submission: Submission, number: str, now: datetime) -> None:
    issues = []
    if not _COUNTRY.fullmatch(submission.country_code):
        issues.append(errors.Issue("countryCode", "countryCode is of ISO 3166, two capital letters, such as DE."))
    if not _NUMBER.fullmatch(number):
        issues.append(errors.Issue("number", "A licence number has 5 to 25 letters and digits; spaces and hyphens do not count."))
    if submission.expires_on < _day_of(now):
        issues.append(errors.Issue("expiresOn", "The licence has expired: submit the new one."))
    if LicenceCategory.B not in submission.categories:
        issues.append(errors.Issue("categories", "Cars and vans need category B."))
    if issues:
        raise errors.InvalidInput(issues)


async def find_driving_licence(session: AsyncSession, customer_id: UUID) -> Licence | None:
    query = select(*COLUMNS).where(tables.DrivingLicence.customer_id == customer_id)
    row = (await session.execute(query)).one_or_none()
    return None if row is None else of(row)
