"""Every kind is worded in every language, with the same facts, and nothing that people write breaks out of its place."""

from __future__ import annotations

import re
from datetime import UTC, datetime
from typing import Any
from uuid import uuid4

import pytest

from domain import channels, formats, letters, wording
from domain.channels import Channel
from domain.seals import Purpose, Seals
from domain.values import Money, NotificationKind
from domain.wording import Reader

NASTY = '<b>{plate}</b> O\'Neil & "Söhne"\r\nBcc: someone@example.org'
RESERVATION = {
    "reservationId": str(uuid4()),
    "vehicleType": "car",
    "plate": "N-12",
    "startsAt": "2026-11-21T09:30:00+00:00",
}
FACTS: dict[NotificationKind, dict[str, Any]] = {
    NotificationKind.EMAIL_VERIFICATION: {"registrationId": str(uuid4()), "name": NASTY},
    NotificationKind.ACCOUNT_EXISTS: {},
    NotificationKind.PASSWORD_RESET: {"resetId": str(uuid4())},
    NotificationKind.PASSWORD_CHANGED: {},
    NotificationKind.SECOND_FACTOR_CHANGED: {"isEnabled": True},
    NotificationKind.RESERVATION_EXPIRED: RESERVATION,
    NotificationKind.RESERVATION_CANCELLED: {**RESERVATION, "reason": NASTY},
    NotificationKind.VEHICLE_WITHDRAWN: {
        **RESERVATION,
        "alternatives": [{"publishedVehicleId": str(uuid4()), "plate": "N-13", "distanceMeters": 120}],
    },
    NotificationKind.COMMUTE_REMINDER: {
        "commuteId": str(uuid4()),
        "name": NASTY,
        "leaveAt": "2026-11-23T06:30:00+00:00",
        "arriveBy": "2026-11-23T07:00:00+00:00",
    },
    NotificationKind.LICENCE_DECIDED: {"state": "refused", "reason": NASTY},
    NotificationKind.EXPORT_READY: {"exportId": str(uuid4()), "expiresAt": "2026-11-28T06:30:00+00:00"},
    NotificationKind.RETURN_DUE: {
        "tripId": str(uuid4()),
        "vehicleType": "van",
        "plate": "N-14",
        "dueAt": "2026-11-21T16:30:00+00:00",
        "extendableUntil": "2026-11-21T19:00:00+00:00",
        "alternatives": [{"publishedVehicleId": str(uuid4()), "plate": "N-13", "distanceMeters": 120}],
    },
    NotificationKind.RECEIPT_READY: {
        "receiptId": str(uuid4()),
        "number": "DE-2026-000017",
        "vehicleType": "bicycle",
        "plate": "N-15",
        "totalMinor": 1234,
        "currency": "EUR",
    },
    NotificationKind.PAYMENT_FAILED: {"receiptId": str(uuid4()), "number": "DE-2026-000017", "dueMinor": 1234, "currency": "EUR"},
    NotificationKind.REFUNDED: {"receiptId": str(uuid4()), "number": "DE-2026-000018", "refundedMinor": 1000, "currency": "EUR"},
    NotificationKind.FINE_ISSUED: {
        "fineId": str(uuid4()),
        "fineKind": "late_return",
        "amountMinor": 2000,
        "currency": "EUR",
        "appealUntil": "2026-12-05T16:30:00+00:00",
    },
    NotificationKind.APPEAL_DECIDED: {"fineId": str(uuid4()), "state": "waived", "reason": NASTY},
    NotificationKind.ACCOUNT_ERASED: {},
}
LINKS = letters.Links("https://nimrod.example", Seals(b"k" * 32))
PLAIN = Reader("en", "Europe/Berlin", "Robin")


def notice(kind: NotificationKind, reader: Reader = PLAIN) -> letters.Notice:
    return letters.Notice(uuid4(), kind, FACTS[kind], uuid4(), reader, datetime(2026, 11, 21, tzinfo=UTC))


def placeholders(pattern: str) -> set[str]:
    """Names of the arguments of an ICU message, those in its branches too."""
    found: set[str] = set()
    place = 0
    while (place := pattern.find("{", place)) >= 0:
        inner = _closed(pattern, place)
        name, *rest = inner.split(",", 2)
        found.add(name.strip())
        if len(rest) == 2:
            branch = 0
            while (branch := rest[1].find("{", branch)) >= 0:
                within = _closed(rest[1], branch)
                found |= placeholders(within)
                branch += len(within) + 2
        place += len(inner) + 2
    return found


def _closed(pattern: str, start: int) -> str:
    depth = 0
    for place in range(start, len(pattern)):
        depth += {"{": 1, "}": -1}.get(pattern[place], 0)
        if depth == 0:
            return pattern[start + 1 : place]
    raise AssertionError(f"unbalanced: {pattern}")


@pytest.mark.parametrize("language", wording.LANGUAGES)
def test_every_kind_is_worded_with_the_facts_of_the_english_text(language: str) -> None:
    english, own = wording.texts("en"), wording.texts(language)
    assert set(own) == {*NotificationKind, wording.COMMON, wording.RECEIPT}
    for kind, patterns in english.items():
        assert set(own[kind]) == set(patterns), kind
        for name, pattern in patterns.items():
            assert placeholders(own[kind][name]) == placeholders(pattern), (kind, name)
            assert "'" not in own[kind][name], "an apostrophe may quote what follows: write a typographic one"
            assert language == "en" or name == "alternative" or own[kind][name] != pattern, (kind, name)


@pytest.mark.parametrize("language", wording.LANGUAGES)
@pytest.mark.parametrize("kind", NotificationKind)
def test_every_kind_renders_in_every_language_without_a_gap(kind: NotificationKind, language: str) -> None:
    reader = Reader(language, "Europe/Madrid", "Robin")
    text = wording.text_of(kind, FACTS[kind], reader)
    written = "\n".join([text.subject, text.body, text.short, text.button or ""]).replace(NASTY, "").replace(_line(NASTY), "")
    assert not re.search(r"[{}#]|\bother\b \{|None", written), written
    assert "\n" not in text.subject + text.short
    assert (text.button is None) == (LINKS.link(kind, FACTS[kind]) is None)


def _line(text: str) -> str:
    return " ".join(text.split())


@pytest.mark.parametrize("kind", NotificationKind)
def test_what_people_wrote_is_text_in_a_mail_and_never_markup(kind: NotificationKind) -> None:
    reader = Reader("en", "Europe/Berlin", NASTY)
    mail = letters.message(notice(kind, reader), Channel.EMAIL, delivery_id=uuid4(), to="r@example.org", links=LINKS)
    assert mail.html is not None
    assert "<b>" not in mail.html
    assert "O&#x27;Neil &amp; &quot;Söhne&quot;" in mail.html
    assert 'O\'Neil & "Söhne"' in mail.text


def test_a_language_without_texts_falls_back_to_its_base_and_then_to_english() -> None:
    told = {tag: wording.text_of(NotificationKind.PASSWORD_CHANGED, {}, Reader(tag, "UTC")).subject for tag in LANGUAGE_TAGS}
    assert [subject.split()[0] for subject in told.values()] == list(LANGUAGE_TAGS.values())


LANGUAGE_TAGS = {
    "de-CH": "Ihr",
    "DE": "Ihr",
    "fr_BE": "Votre",
    "it": "La",
    "es-419": "Se",
    "en-US": "Your",
    "fi": "Your",
    "x" * 40: "Your",
    "": "Your",
}


def test_plurals_follow_the_language() -> None:
    facts = FACTS[NotificationKind.VEHICLE_WITHDRAWN]
    two = {**facts, "alternatives": facts["alternatives"] * 2}
    one_left = wording.text_of(NotificationKind.VEHICLE_WITHDRAWN, facts, Reader("fr", "UTC")).short
    two_left = wording.text_of(NotificationKind.VEHICLE_WITHDRAWN, two, Reader("fr", "UTC")).short
    none_left = wording.text_of(NotificationKind.VEHICLE_WITHDRAWN, {**facts, "alternatives": []}, Reader("fr", "UTC")).short
    assert one_left.endswith("1 autre est proche et libre.")
    assert two_left.endswith("2 autres sont proches et libres.")
    assert none_left.endswith("retiré du service.")


def test_instants_are_told_by_the_clock_of_the_metro_and_the_repeated_hour_with_its_offset() -> None:
    def told(iso: str, zone: str, tag: str) -> str:
        return formats.instant(datetime.fromisoformat(iso), zone, formats.locale_of(tag))

    assert told("2026-11-21T09:30:00+00:00", "Europe/Berlin", "en") == "Sat 21 Nov, 10:30"
    assert told("2026-11-21T09:30:00+00:00", "Europe/Lisbon", "de") == "Sa., 21. Nov., 09:30"
    summer = told("2026-10-25T00:30:00+00:00", "Europe/Berlin", "en")
    winter = told("2026-10-25T01:30:00+00:00", "Europe/Berlin", "en")
    assert (summer, winter) == ("Sun 25 Oct, 02:30 CEST", "Sun 25 Oct, 02:30 CET")
    assert told("2026-03-29T01:00:00+00:00", "Europe/Berlin", "en") == "Sun 29 Mar, 03:00"


@pytest.mark.parametrize(
    ("money", "tag", "written"),
    [
        (Money(123450, "EUR"), "de", "1.234,50\xa0€"),
        (Money(123450, "EUR"), "en", "€1,234.50"),
        (Money(500, "JPY"), "de", "500\xa0¥"),
        (Money(1234567, "KWD"), "en", "KWD\xa01,234.567"),
        (Money(99, "HUF"), "it", "0,99\xa0HUF"),
        (Money(-5, "EUR"), "en", "-€0.05"),
        (Money(5, "ISK"), "fr", "5\xa0ISK"),
    ],
)
def test_money_has_the_digits_of_its_currency(money: Money, tag: str, written: str) -> None:
    assert formats.money(money, formats.locale_of(tag)) == written


@pytest.mark.parametrize("language", wording.LANGUAGES)
def test_amounts_are_told_in_their_currency_and_what_facts_leave_empty_is_no_paragraph(language: str) -> None:
    reader = Reader(language, "Europe/Berlin")
    receipt = wording.text_of(NotificationKind.RECEIPT_READY, FACTS[NotificationKind.RECEIPT_READY], reader)
    assert "12.34" in receipt.subject.replace(",", ".")
    facts = {**FACTS[NotificationKind.RETURN_DUE], "extendableUntil": None, "alternatives": []}
    due = wording.text_of(NotificationKind.RETURN_DUE, facts, reader)
    assert "\n" not in due.body
    assert wording.text_of(NotificationKind.RETURN_DUE, FACTS[NotificationKind.RETURN_DUE], reader).body.count("\n\n") == 1


@pytest.mark.parametrize("language", wording.LANGUAGES)
def test_why_there_is_a_fine_is_said_in_the_language_of_the_rider(language: str) -> None:
    reader = Reader(language, "Europe/Berlin")
    late = {"dueAt": "2026-11-21T09:30:00+00:00", "endedAt": "2026-11-21T10:00:00+00:00"}
    assert {"10:30", "11:00"} <= set(re.findall(r"\d\d:\d\d", wording.common("fine_late_return", reader, late)))
    places = ("no_parking_zone", "outside_metro", "not_at_station", "station_full", "other")
    assert len({wording.common("fine_wrong_place", reader, {"refusal": place}) for place in places}) == len(places)


def test_optional_mail_has_a_way_out_and_mail_about_account_and_payments_has_none() -> None:
    for kind in NotificationKind:
        mail = letters.message(notice(kind), Channel.EMAIL, delivery_id=uuid4(), to="r@example.org", links=LINKS)
        is_optional = not channels.is_fixed(channels.category_of(kind), Channel.EMAIL)
        assert (mail.unsubscribe is not None) == is_optional, kind
        assert ("unsubscribe?" in mail.text) == is_optional


def test_a_reminder_is_good_until_it_is_time_to_leave_or_to_return_and_a_link_in_a_mail_as_long_as_it_opens_something() -> None:
    assert notice(NotificationKind.COMMUTE_REMINDER).good_until == datetime(2026, 11, 23, 6, 30, tzinfo=UTC)
    assert notice(NotificationKind.RETURN_DUE).good_until == datetime(2026, 11, 21, 16, 30, tzinfo=UTC)
    assert notice(NotificationKind.RECEIPT_READY).good_until == datetime(2026, 11, 28, tzinfo=UTC)
    assert notice(NotificationKind.PASSWORD_RESET).good_until == datetime(2026, 11, 21, 1, tzinfo=UTC)


def test_a_link_seals_the_row_and_nothing_but_mail_carries_it() -> None:
    kind = NotificationKind.PASSWORD_RESET
    told = notice(kind)
    mail = letters.message(told, Channel.EMAIL, delivery_id=uuid4(), to="r@example.org", links=LINKS)
    assert mail.link is not None
    token = mail.link.partition("token=")[2]
    assert LINKS.seals.open(Purpose.PASSWORD_RESET, token).hex == FACTS[kind]["resetId"].replace("-", "")
    assert mail.link in mail.text
    pushed = letters.message(told, Channel.PUSH, delivery_id=uuid4(), to="device", links=LINKS)
    assert pushed.link is None
    assert "token" not in pushed.text + told.text.body
