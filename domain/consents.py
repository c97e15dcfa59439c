"""Consents: what a rider agreed to or took back, with history; the newest of a purpose is in force."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from sqlalchemy import insert, select
from sqlalchemy.dialects.postgresql import distinct_on
from sqlalchemy.ext.asyncio import AsyncSession

from domain import errors, ids, tables
from domain.tables import ConsentPurpose
from domain.values import is_storable

MAX_VERSION_LENGTH = 40
#: latest entries of the history that are listed
LISTED = 100
#: without these there is no account: they are renewed, and taken back by erasing the account
REQUIRED = frozenset({ConsentPurpose.TERMS, ConsentPurpose.PRIVACY_NOTICE})
#: where it was said
REGISTRATION = "registration"
SETTINGS = "settings"

_rows = tables.Consent


@dataclass(frozen=True, slots=True)
class Given:
    purpose: ConsentPurpose
    #: of the text that the rider saw
    document_version: str
    is_granted: bool


@dataclass(frozen=True, slots=True)
class Consent:
    purpose: ConsentPurpose
    document_version: str
    is_granted: bool
    source: str
    recorded_at: datetime


async def record_consents(
    session: AsyncSession, customer_id: UUID, given: Sequence[Given], *, source: str, now: datetime
) -> None:
    """Adds to the history what was said now. Raises InvalidInput."""
    for one in given:
        _check(one)
    if given:
        said = {"customer_id": customer_id, "source": source, "recorded_at": now}
        rows = [
            {
                **said,
                "id": ids.new(),
                "purpose": one.purpose,
                "document_version": one.document_version,
                "is_granted": one.is_granted,
            }
            for one in given
        ]
        await session.execute(insert(_rows), rows)


def _check(given: Given) -> None:
    if not 1 <= len(given.document_version) <= MAX_VERSION_LENGTH or not is_storable(given.document_version):
        raise errors.InvalidInput.of("documentVersion", f"A document version has 1 to {MAX_VERSION_LENGTH} characters.")
    if given.purpose in REQUIRED and not given.is_granted:
        message = "An account needs the terms and the privacy notice. To take them back, erase the account."
        raise errors.InvalidInput.of("isGranted", message)


_COLUMNS = (_rows.purpose, _rows.document_version, _rows.is_granted, _rows.source, _rows.recorded_at)


async def list_consents(session: AsyncSession, customer_id: UUID) -> list[Consent]:
    """Those in force, one a purpose that was ever asked for."""
    newest = (
        select(*_COLUMNS)
        .where(_rows.customer_id == customer_id)
        .order_by(_rows.purpose, _rows.id.desc())
        .ext(distinct_on(_rows.purpose))
    )
    return [Consent(*row) for row in await session.execute(newest)]


async def list_consent_history(session: AsyncSession, customer_id: UUID) -> list[Consent]:
    """Latest first."""
    latest = select(*_COLUMNS).where(_rows.customer_id == customer_id).order_by(_rows.id.desc()).limit(LISTED)
    return [Consent(*row) for row in await session.execute(latest)]
