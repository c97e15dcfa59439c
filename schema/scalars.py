"""Scalars: instants in UTC, currency codes, JSON."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import NewType

import strawberry
from strawberry.scalars import JSON as JSON
from strawberry.types.scalar import ScalarDefinition

CurrencyCode = NewType("CurrencyCode", str)


def _parse_instant(value: str) -> datetime:
    try:
        instant = datetime.fromisoformat(value)
    except (TypeError, ValueError) as error:
        raise ValueError("A DateTime is written as in RFC 3339, such as 2026-11-21T08:30:00Z.") from error
    if instant.tzinfo is None:
        raise ValueError("A DateTime needs an offset, such as Z or +01:00: local times can exist twice or not at all.")
    return instant.astimezone(UTC)


def serialize_instant(instant: datetime) -> str:
    if instant.tzinfo is not UTC:
        instant = instant.astimezone(UTC)
    return instant.isoformat()[:-6] + "Z"


SCALARS: dict[object, ScalarDefinition] = {
    datetime: strawberry.scalar(
        name="DateTime",
        description="An instant in UTC, RFC 3339: `2026-11-21T08:30:00Z`. Inputs may have any offset, but need one.",
        specified_by_url="https://scalars.graphql.org/andimarek/date-time.html",
        serialize=serialize_instant,
        parse_value=_parse_instant,
    ),
    CurrencyCode: strawberry.scalar(
        name="CurrencyCode",
        description="ISO 4217 code of a currency, such as `EUR`.",
        specified_by_url="https://www.iso.org/iso-4217-currency-codes.html",
        serialize=str,
        parse_value=str,
    ),
}
