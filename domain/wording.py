"""Wording: what riders are told, in their language: the texts of `texts/`, filled with the facts (pure).

The texts are ICU messages. Facts come as JSON and reach them as what people read: instants in a zone, amounts in a currency.
"""

from __future__ import annotations

import tomllib
from dataclasses import dataclass
from datetime import datetime
from functools import cache, lru_cache
from importlib import resources
from typing import Any

from babel import Locale
from icu4py.messageformat import MessageFormat

from domain import formats
from domain.values import Money, NotificationKind

#: each has a file in `texts/`
LANGUAGES = ("en", "de", "fr", "it", "es")
FALLBACK = "en"
COMMON = "common"
#: what a receipt says
RECEIPT = "receipt"
#: facts that need not be there; a text asks `hasReason`
_OPTIONAL = ("reason", "extendableUntil")
#: facts that are instants, by the ends of their names
_INSTANTS = ("At", "By", "Until")
#: facts that are amounts in minor units of the fact `currency`: `totalMinor` is told as `total`
_AMOUNT = "Minor"


@dataclass(frozen=True, slots=True)
class Reader:
    """Who reads: in which language, by which clock."""

    #: BCP 47
    language: str
    #: IANA zone
    timezone: str
    name: str | None = None


@dataclass(frozen=True, slots=True)
class Text:
    #: one line
    subject: str
    #: paragraphs with an empty line between
    body: str
    #: one sentence or two, for a phone
    short: str
    #: what the link is called; None: the kind has none
    button: str | None


def language_of(tag: str) -> str:
    """The language of the texts: that of the tag, or English."""
    language = tag.replace("_", "-").partition("-")[0].lower()
    return language if language in LANGUAGES else FALLBACK


@cache
def texts(language: str) -> dict[str, dict[str, str]]:
    """Of one of LANGUAGES, by kind."""
    read = resources.files("domain").joinpath(f"texts/{language}.toml").read_text(encoding="utf-8")
    return {kind: {name: text.strip() for name, text in named.items()} for kind, named in tomllib.loads(read).items()}


@lru_cache(maxsize=2000)
def _message(pattern: str, language: str) -> MessageFormat:
    return MessageFormat(pattern, language)


def _filled(pattern: str, language: str, arguments: dict[str, Any]) -> str:
    return _message(pattern, language).format(arguments)


def common(name: str, reader: Reader, facts: dict[str, Any] | None = None) -> str:
    """What is said in several places, such as the greeting of a mail, or why there is a fine."""
    language = language_of(reader.language)
    given = {"hasRecipient": str(bool(reader.name)).lower(), "recipient": _one_line(reader.name or "")}
    given |= _arguments(facts, reader, language) if facts is not None else {}
    return _filled(texts(language)[COMMON][name], language, given)


def phrase(section: str, name: str, language: str, given: dict[str, str]) -> str:
    """One that needs nothing but words: amounts and instants in it are written already."""
    return _filled(texts(language)[section][name], language, given)


def text_of(kind: NotificationKind, facts: dict[str, Any], reader: Reader) -> Text:
    language = language_of(reader.language)
    arguments = _arguments(facts, reader, language)
    patterns = texts(language)[kind]
    button = patterns.get("button")
    return Text(
        subject=_one_line(_filled(patterns["subject"], language, arguments)),
        body=_paragraphs(_filled(patterns["body"], language, arguments)),
        short=_one_line(_filled(patterns["short"], language, arguments)),
        button=None if button is None else _filled(button, language, arguments),
    )


def _one_line(text: str) -> str:
    """A header of a mail, or a line on a lock screen, is never broken by what a rider or a member of staff wrote."""
    return " ".join(text.split())


def _paragraphs(text: str) -> str:
    """Without those that the facts leave empty."""
    return "\n\n".join(part.strip() for part in text.split("\n\n") if part.strip())


def _arguments(facts: dict[str, Any], reader: Reader, language: str) -> dict[str, Any]:
    # Places change how numbers are written, not which text is chosen.
    locale = formats.locale_of(reader.language if language_of(reader.language) == reader.language[:2].lower() else language)
    found: dict[str, Any] = {"vehicleType": "other", "alternatives": "", "alternativesCount": 0}
    for name in _OPTIONAL:
        found |= {name: "", _has(name): "false"}
    currency = facts.get("currency")
    for name, value in facts.items():
        if name.endswith(_AMOUNT) and currency is not None:
            found[name.removesuffix(_AMOUNT)] = formats.money(Money(value, currency), locale)
        else:
            found |= _argument(name, value, reader, locale, language)
    found["vehicle"] = _filled(texts(language)[COMMON]["vehicle"], language, found)
    return found


def _argument(name: str, value: Any, reader: Reader, locale: Locale, language: str) -> dict[str, Any]:
    if value is None:
        return {}
    if isinstance(value, bool):
        return {name: str(value).lower()}
    if isinstance(value, list):
        pattern = texts(language)[COMMON]["alternative"]
        return {name: "; ".join(_filled(pattern, language, one) for one in value), f"{name}Count": len(value)}
    if isinstance(value, dict):
        return {name: formats.money(Money(value["minorUnits"], value["currency"]), locale)}
    if name.endswith(_INSTANTS):
        value = formats.instant(datetime.fromisoformat(value), reader.timezone, locale)
    return {name: value} | ({_has(name): "true"} if name in _OPTIONAL and value else {})


def _has(name: str) -> str:
    return f"has{name[0].upper()}{name[1:]}"
