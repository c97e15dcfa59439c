"""Scalars: instants in UTC, days, exact decimals, currency codes, shapes, JSON."""

from __future__ import annotations

import re
from datetime import UTC, date, datetime, time
from decimal import Decimal
from typing import Any, NewType

import strawberry
from strawberry.scalars import JSON as JSON
from strawberry.types.scalar import ScalarDefinition

CurrencyCode = NewType("CurrencyCode", str)
_DECIMAL = re.compile("-?[0-9]{1,12}([.][0-9]{1,12})?")
_WALL_TIME = re.compile("([01][0-9]|2[0-3]):[0-5][0-9]")
MultiPolygon = NewType("MultiPolygon", dict[str, Any])


def _parse_instant(value: str) -> datetime:
    try:
        instant = datetime.fromisoformat(value)
    except (TypeError, ValueError) as error:
        raise ValueError("A DateTime is written as in RFC 3339, such as 2026-11-21T08:30:00Z.") from error
    if instant.tzinfo is None:
        raise ValueError("A DateTime needs an offset, such as Z or +01:00: local times can exist twice or not at all.")
    return instant.astimezone(UTC)


def _parse_wall_time(value: object) -> time:
    if not isinstance(value, str) or not _WALL_TIME.fullmatch(value):
        raise ValueError("A LocalTime has hours and minutes, from 00:00 to 23:59.")
    return time.fromisoformat(value)


def _parse_day(value: str) -> date:
    try:
        return date.fromisoformat(value)
    except (TypeError, ValueError) as error:
        raise ValueError("A Date is written as in RFC 3339, such as 2026-11-21.") from error


def _serialize_decimal(value: Decimal) -> str:
    written = f"{value:f}"
    return written.rstrip("0").rstrip(".") if "." in written else written


def _parse_decimal(value: object) -> Decimal:
    if not isinstance(value, str) or not _DECIMAL.fullmatch(value):
        raise ValueError('A Decimal is written as text, such as "19.5".')
    return Decimal(value)


def serialize_instant(instant: datetime) -> str:
    if instant.tzinfo is not UTC:
        instant = instant.astimezone(UTC)
    return instant.isoformat()[:-6] + "Z"


def _as_it_is(shape: dict[str, Any]) -> dict[str, Any]:
    return shape


def _refuse_shape(value: object) -> dict[str, Any]:
    del value
    raise ValueError("A MultiPolygon is answered, not taken.")


SCALARS: dict[object, ScalarDefinition] = {
    datetime: strawberry.scalar(
        name="DateTime",
        description="An instant in UTC, RFC 3339: `2026-11-21T08:30:00Z`. Inputs may have any offset, but need one.",
        specified_by_url="https://scalars.graphql.org/andimarek/date-time.html",
        serialize=serialize_instant,
        parse_value=_parse_instant,
    ),
    date: strawberry.scalar(
        name="Date",
        description="A day of the calendar, RFC 3339: `2026-11-21`.",
        specified_by_url="https://scalars.graphql.org/andimarek/local-date.html",
        serialize=date.isoformat,
        parse_value=_parse_day,
    ),
    time: strawberry.scalar(
        name="LocalTime",
        description="A time by the clock of a metro, to the minute: `08:30`.",
        specified_by_url="https://scalars.graphql.org/andimarek/local-time.html",
        serialize=lambda wall: f"{wall:%H:%M}",
        parse_value=_parse_wall_time,
    ),
    Decimal: strawberry.scalar(
        name="Decimal",
        description="A decimal number as text, exactly: `19.5`.",
        serialize=_serialize_decimal,
        parse_value=_parse_decimal,
    ),
    CurrencyCode: strawberry.scalar(
        name="CurrencyCode",
        description="ISO 4217 code of a currency, such as `EUR`.",
        specified_by_url="https://www.iso.org/iso-4217-currency-codes.html",
        serialize=str,
        parse_value=str,
    ),
    MultiPolygon: strawberry.scalar(
        name="MultiPolygon",
        description="A GeoJSON geometry of that type, RFC 7946: an object with `type` and `coordinates`, longitude first.",
        specified_by_url="https://www.rfc-editor.org/rfc/rfc7946#section-3.1.7",
        serialize=_as_it_is,
        parse_value=_refuse_shape,
    ),
}
