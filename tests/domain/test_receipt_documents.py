"""A receipt says the same in every language: all that it says is written before anybody sets it."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal

import pytest

from app.database import SessionFactory
from domain import credit_notes, errors, ids, meters, receipt_documents, receipts, tables, wording
from domain.receipt_documents import Document, Seller
from domain.tables import ChargeCategory, LineKind, ReceiptSource, VatTreatment
from domain.values import VehicleType
from tests.conftest import FixedClock
from tests.domain import bookings, paid_rides
from tests.domain.conftest import City
from tests.domain.ride_cases import tariff_of
from tests.domain.test_receipts import late_cancellation

SELLER = Seller("Nimrod", "MobilityCorp GmbH, Hauptstraße 1, 69117 Heidelberg", "DE123456789")
#: over the night in which the hour from two to three comes twice
BEGUN = datetime(2026, 10, 24, 22, 50, tzinfo=UTC)
TARIFF = tariff_of(pause_per_minute_minor=Decimal("4.5"), day_cap_minor=2900, fee_vat=VatTreatment.OUT_OF_SCOPE)
PAUSE = meters.Pause(BEGUN + timedelta(minutes=5), BEGUN + timedelta(minutes=18))
RIDE = meters.Ride(BEGUN, BEGUN + timedelta(minutes=197), (PAUSE,), left_in_wrong_place=True)


def receipt_of(bill: meters.Bill, source: ReceiptSource = ReceiptSource.TRIP, *, is_paid: bool = True) -> receipts.Receipt:
    return receipts.Receipt(
        id=ids.new(),
        number="DE-2026-000017",
        source=source,
        customer_id=ids.new(),
        metro_id=ids.new(),
        trip_id=ids.new(),
        reservation_id=None,
        corrects_id=None,
        country_code="DE",
        currency=bill.total.currency,
        total_minor=bill.total.minor_units,
        settled_minor=bill.total.minor_units if is_paid else 0,
        is_overdue=False,
        issued_at=datetime(2026, 11, 21, 8, 30, tzinfo=UTC),
        vat=bill.vat,
        lines=bill.lines,
    )


def document_of(receipt: receipts.Receipt | None = None, language: str = "en") -> Document:
    return Document(
        receipt or receipt_of(meters.bill(TARIFF, RIDE)),
        None,
        'Zoë #eval("1") *Łódź* Αθήνα София',
        language,
        "Heidelberg",
        "Europe/Berlin",
        VehicleType.BICYCLE,
        "HD-0815",
        RIDE.started_at,
        RIDE.ended_at,
        4230,
    )


@pytest.mark.parametrize(
    ("language", "title", "total", "riding", "price"),
    [
        ("en", "Receipt", "€55.00", ["Riding", "184 mins", "€0.19", "19%", "€34.96"], "€0.045"),
        ("de", "Rechnung", "55,00\xa0€", ["Fahrt", "184 Min.", "0,19\xa0€", "19\xa0%", "34,96\xa0€"], "0,045\xa0€"),
        ("fr", "Facture", "55,00\xa0€", ["Trajet", "184\xa0min", "0,19\xa0€", "19\u202f%", "34,96\xa0€"], "0,045\xa0€"),
        ("it", "Ricevuta", "55,00\xa0€", ["Corsa", "184 min", "0,19\xa0€", "19%", "34,96\xa0€"], "0,045\xa0€"),
        ("es", "Recibo", "55,00\xa0€", ["Viaje", "184 min", "0,19\xa0€", "19\xa0%", "34,96\xa0€"], "0,045\xa0€"),
    ],
)
def test_a_receipt_is_written_in_the_language_of_its_rider(
    language: str, title: str, total: str, riding: list[str], price: str
) -> None:
    found = receipt_documents.written(document_of(language=language), SELLER)
    assert (found["title"], found["number"], found["total"]["value"]) == (title, "DE-2026-000017", total)
    plain = [[each.replace("\u202f", " ").replace("\xa0", " ") for each in line] for line in found["lines"]]
    assert [each.replace("\u202f", " ").replace("\xa0", " ") for each in riding] in plain
    assert price in [line[2] for line in found["lines"]]
    assert len(found["notes"]) == 2


def test_a_ride_over_the_night_that_changes_the_clock_names_the_zone() -> None:
    found = receipt_documents.written(document_of(), SELLER)
    assert [value for _, value in found["facts"]] == [
        "Sun 25 Oct, 00:50 CEST",
        "Sun 25 Oct, 03:07 CET",
        "Heidelberg",
        "4.2 km",
    ]


def test_what_carries_no_vat_has_a_row_of_its_own() -> None:
    found = receipt_documents.written(document_of(), SELLER)
    assert found["vat"] == {
        "columns": ["VAT of Germany", "Net", "VAT", "Gross"],
        "rows": [["19%", "€25.21", "€4.79", "€30.00"], ["Not subject to VAT", "€25.00", "€0.00", "€25.00"]],
    }


def test_what_is_owed_is_said_in_one_glance() -> None:
    bill = meters.bill(TARIFF, RIDE)
    free = meters.bill(replace(TARIFF, unlock_minor=0, per_minute_minor=Decimal(0)), replace(RIDE, left_in_wrong_place=False))
    for receipt, text in (
        (receipt_of(bill), "Paid"),
        (receipt_of(bill, is_paid=False), "Still to be paid: €55.00"),
        (receipt_of(replace(free, total=replace(free.total, minor_units=0))), "Nothing to pay"),
    ):
        status = receipt_documents.written(document_of(receipt), SELLER)["status"]
        assert (status["text"], status["isOpen"]) == (text, text.startswith("Still"))


def test_a_credit_note_says_what_it_gives_back_of_what() -> None:
    bill = meters.bill(TARIFF, RIDE)
    lines = credit_notes.lines_to_give_back(bill.lines, [], kinds=[LineKind.WRONG_PLACE])
    note = receipt_of(meters.total_of(lines, "EUR"), ReceiptSource.CREDIT_NOTE)
    found = receipt_documents.written(replace(document_of(note), corrects_number="DE-2026-000016"), SELLER)
    assert (found["title"], found["total"]["value"], found["sum"], found["status"]) == ("Credit note", "€25.00", "−€25.00", None)  # noqa: RUF001
    assert ("Corrects receipt", "DE-2026-000016") in found["head"]


def test_nobody_is_named_on_the_receipt_of_an_erased_account() -> None:
    found = receipt_documents.written(replace(document_of(), recipient=""), SELLER)
    assert [name for name, _ in found["head"]] == ["Number", "Issued on"]


def test_an_unknown_language_is_written_in_english() -> None:
    assert receipt_documents.written(document_of(language="fi"), Seller("Nimrod"))["title"] == "Receipt"


@pytest.mark.parametrize("language", wording.LANGUAGES)
@pytest.mark.parametrize("kind", list(LineKind))
def test_every_line_has_words_of_its_own(language: str, kind: LineKind) -> None:
    line = meters.fee_line(TARIFF, kind, ChargeCategory.FARE, 100)
    other = wording.phrase(wording.RECEIPT, "line", language, {"kind": "unheard of"})
    receipt = receipt_of(meters.total_of([line], "EUR"))
    found = receipt_documents.written(document_of(receipt, language), SELLER)["lines"]
    assert found[0][0] not in (other, "")


async def test_a_document_is_found_for_a_ride_a_cancellation_and_a_credit_note(
    session_factory: SessionFactory, city: City, clock: FixedClock
) -> None:
    now = clock.now()
    ride = await paid_rides.issue(session_factory, city, now)
    booking = await late_cancellation(session_factory, city, now)
    async with session_factory.begin() as session:
        note = await receipts.issue_credit_note(session, receipt=await session.get_one(tables.Receipt, ride.id), now=now)
        fee = await receipts.lock_cancellation_receipt(session, booking)
        assert fee is not None
        of_ride, of_note, of_fee = [await receipt_documents.find_document(session, each) for each in (ride.id, note.id, fee.id)]
        assert await receipt_documents.find_document(session, ids.new()) is None
    assert of_ride is not None
    assert of_note is not None
    assert of_fee is not None
    assert (of_ride.begins_at, of_ride.ends_at, of_ride.distance_meters) == (now - timedelta(minutes=9), now, 0)
    assert (of_note.corrects_number, of_note.plate) == (ride.number, of_ride.plate)
    assert (of_fee.begins_at, of_fee.ends_at, of_fee.distance_meters) == (now, now + bookings.HOUR, None)
    written = receipt_documents.written(of_fee, SELLER)
    assert written["subject"].startswith("Booking of car ")
    with pytest.raises(errors.InvalidInput):
        async with session_factory.begin() as session:
            await receipts.issue_credit_note(session, receipt=await session.get_one(tables.Receipt, ride.id), now=now)
