"""Formats: instants and amounts as people of a language and a place write them (pure)."""

from __future__ import annotations

import re
from copy import copy
from datetime import datetime
from decimal import Decimal
from functools import lru_cache
from typing import Any
from zoneinfo import ZoneInfo

from babel import Locale, UnknownLocaleError
from babel.dates import format_date, format_skeleton, format_time, get_timezone_name
from babel.units import format_unit

from domain.values import Money

_WHOLE = ("BIF", "CLP", "DJF", "GNF", "ISK", "JPY", "KMF", "KRW", "PYG", "RWF", "UGX", "UYI", "VND", "VUV", "XAF", "XOF", "XPF")
_THOUSANDTHS = ("BHD", "IQD", "JOD", "KWD", "LYD", "OMR", "TND")
#: ISO 4217: currencies whose minor unit is not a hundredth
_EXPONENTS = {
    **dict.fromkeys(_WHOLE, 0),
    **dict.fromkeys(_THOUSANDTHS, 3),
}
_LETTER_BEFORE_DIGIT = re.compile(r"[^\W\d](?=\d)")
#: where a language is written without saying where: riders rent in Europe
_EUROPEAN = {"en": "en_GB"}


@lru_cache(maxsize=200)
def locale_of(tag: str) -> Locale:
    """Of a BCP 47 tag; its language alone when the place is unknown, English when that is too."""
    language = tag.replace("_", "-").partition("-")[0].lower()
    for name in (_EUROPEAN.get(tag.lower(), tag.replace("_", "-").replace("-", "_")), language):
        try:
            return Locale.parse(name)
        except (UnknownLocaleError, ValueError):
            continue
    return Locale.parse("en_GB")


def instant(value: datetime, timezone: str, locale: Locale, *, with_zone: bool = False) -> str:
    """Day and time in the zone; in the hour that an autumn night has twice, with the name that tells which one is meant."""
    zone = ZoneInfo(timezone)
    local = value.astimezone(zone)
    day: str = format_skeleton("MMMEd", value, tzinfo=zone, locale=locale)
    written = f"{day}, {format_time(local, 'short', tzinfo=zone, locale=locale)}"
    if with_zone or local.replace(fold=0).utcoffset() != local.replace(fold=1).utcoffset():
        written += f" {get_timezone_name(local, 'short', locale=locale)}"
    return written


def day(value: datetime, timezone: str, locale: Locale) -> str:
    """With its year."""
    return format_date(value.astimezone(ZoneInfo(timezone)).date(), "long", locale=locale)


def money(value: Money, locale: Locale) -> str:
    return _amount(Decimal(value.minor_units), value.currency, locale, more_digits=0)


def unit_price(minor_units: Decimal, currency: str, locale: Locale) -> str:
    """With the four digits that a price per minute may have beyond the minor unit, as far as it has them."""
    return _amount(minor_units, currency, locale, more_digits=4)


def _amount(minor_units: Decimal, currency: str, locale: Locale, *, more_digits: int) -> str:
    exponent = _EXPONENTS.get(currency, 2)
    pattern: Any = copy(locale.currency_formats["standard"])
    pattern.frac_prec = (exponent, exponent + more_digits)
    written: str = pattern.apply(minor_units.scaleb(-exponent), locale, currency=currency, currency_digits=False)
    # CLDR puts a space between letters and digits, Babel does not.
    return _LETTER_BEFORE_DIGIT.sub("\\g<0>\u00a0", written)


def percent(value: Decimal, locale: Locale) -> str:
    pattern: Any = copy(locale.percent_formats[None])
    pattern.frac_prec = (0, 2)
    written: str = pattern.apply(value / 100, locale)
    return written


def minutes(count: int, locale: Locale) -> str:
    return format_unit(count, "duration-minute", "short", locale=locale)


def kilometers(meters: int, locale: Locale) -> str:
    return format_unit(round(meters / 1000, 1), "length-kilometer", "short", locale=locale)


def country(code: str, locale: Locale) -> str:
    return str(locale.territories.get(code, code))
