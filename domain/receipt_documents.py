"""Receipt documents: a receipt as it is written for people, in the rider's language and by the clock of its metro."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID
from zoneinfo import ZoneInfo

from babel import Locale
from sqlalchemy import func, select
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import aliased

from domain import credit_notes, formats, meters, receipts, tables, wording
from domain.tables import LineKind, ReceiptSource, VatTreatment
from domain.values import Money, VehicleType

_BY_THE_MINUTE = (LineKind.RIDING, LineKind.PAUSE)


@dataclass(frozen=True, slots=True)
class Seller:
    """Who charges: what the law wants to read on a receipt."""

    name: str
    address: str = ""
    vat_id: str = ""


@dataclass(frozen=True, slots=True)
class Document:
    """A receipt with what it is about."""

    receipt: receipts.Receipt
    #: of the receipt that a credit note corrects
    corrects_number: str | None
    #: empty once the account is erased
    recipient: str
    language: str
    metro_name: str
    timezone: str
    vehicle_type: VehicleType
    plate: str
    #: of the ride, or of the booking that was cancelled
    begins_at: datetime
    ends_at: datetime | None
    #: None: nobody rode
    distance_meters: int | None


async def find_document(session: AsyncSession, receipt_id: UUID) -> Document | None:
    """For who holds a sealed link to it."""
    receipt = await receipts.find_unchecked(session, receipt_id)
    if receipt is None:
        return None
    rows, trips, bookings = tables.Receipt, tables.Trip, tables.Reservation
    vehicles, metros, customers, corrected = tables.Vehicle, tables.Metro, tables.Customer, aliased(tables.Receipt)
    about = (
        select(
            corrected.number,
            customers.name,
            customers.language,
            metros.name,
            metros.timezone,
            vehicles.vehicle_type,
            vehicles.plate,
            func.coalesce(trips.started_at, bookings.starts_at),
            func.coalesce(trips.ended_at, bookings.ends_at),
            trips.distance_meters,
        )
        .select_from(rows)
        .join(customers, customers.id == rows.customer_id)
        .join(metros, metros.id == rows.metro_id)
        .outerjoin(trips, trips.id == rows.trip_id)
        .outerjoin(bookings, bookings.id == rows.reservation_id)
        .join(vehicles, vehicles.id == func.coalesce(trips.vehicle_id, bookings.vehicle_id))
        .outerjoin(corrected, corrected.id == rows.corrects_id)
        .where(rows.id == receipt_id)
    )
    found: Any = (await session.execute(about)).one()
    return Document(receipt, *found)


@dataclass(frozen=True, slots=True)
class _Writer:
    document: Document
    language: str
    locale: Locale

    def text(self, name: str, /, **given: str) -> str:
        return wording.phrase(wording.RECEIPT, name, self.language, given)

    def money(self, minor_units: int) -> str:
        return _minus(formats.money(Money(minor_units, self.document.receipt.currency), self.locale))

    def instant(self, value: datetime) -> str:
        """With the name of the zone when its clocks changed meanwhile: else the minutes that are billed seem wrong."""
        document, zone = self.document, ZoneInfo(self.document.timezone)
        ends_at = document.ends_at or document.begins_at
        has_changed = document.begins_at.astimezone(zone).utcoffset() != ends_at.astimezone(zone).utcoffset()
        return formats.instant(value, document.timezone, self.locale, with_zone=has_changed)

    def head(self) -> Iterator[tuple[str, str]]:
        receipt = self.document.receipt
        yield self.text("head", name="number"), receipt.number
        yield self.text("head", name="issued"), formats.day(receipt.issued_at, self.document.timezone, self.locale)
        if self.document.corrects_number is not None:
            yield self.text("head", name="corrects"), self.document.corrects_number
        if self.document.recipient:
            yield self.text("head", name="recipient"), self.document.recipient

    def status(self) -> dict[str, Any] | None:
        receipt = self.document.receipt
        if receipt.source is ReceiptSource.CREDIT_NOTE:
            return None
        state = "due" if receipt.owed_minor else "paid" if receipt.total_minor else "free"
        return {
            "text": self.text("status", state=state, due=self.money(receipt.owed_minor)),
            "isOpen": receipt.owed_minor > 0,
        }

    def subject(self) -> str:
        vehicle = wording.phrase(wording.COMMON, "vehicle", self.language, {"vehicleType": self.document.vehicle_type.value})
        source = "trip" if self.document.distance_meters is not None else "cancellation"
        return self.text("subject", source=source, vehicle=vehicle, plate=self.document.plate)

    def facts(self) -> Iterator[tuple[str, str]]:
        document = self.document
        is_ride = document.distance_meters is not None
        yield self.text("facts", name="started" if is_ride else "starts"), self.instant(document.begins_at)
        if document.ends_at is not None:
            yield self.text("facts", name="ended" if is_ride else "ends"), self.instant(document.ends_at)
        yield self.text("facts", name="metro"), document.metro_name
        if document.distance_meters is not None:
            yield self.text("facts", name="distance"), formats.kilometers(document.distance_meters, self.locale)

    def line(self, line: meters.Line) -> list[str]:
        receipt = self.document.receipt
        by_the_minute = line.kind in _BY_THE_MINUTE and (receipt.source is ReceiptSource.TRIP or line.quantity > 1)
        has_vat = line.vat_treatment is VatTreatment.STANDARD
        return [
            self.text("line", kind=line.kind),
            formats.minutes(line.quantity, self.locale) if by_the_minute else str(line.quantity),
            _minus(formats.unit_price(line.unit_minor, receipt.currency, self.locale)),
            formats.percent(line.vat_percent, self.locale) if has_vat else "",
            self.money(line.amount_minor),
        ]

    def vat(self) -> dict[str, Any]:
        receipt = self.document.receipt
        country = formats.country(receipt.country_code, self.locale)
        rows = [
            [
                formats.percent(share.percent, self.locale),
                *map(self.money, (share.gross_minor - share.vat_minor, share.vat_minor, share.gross_minor)),
            ]
            for share in receipt.vat
        ]
        outside = [line.amount_minor for line in receipt.lines if line.vat_treatment is VatTreatment.OUT_OF_SCOPE]
        if outside:
            rows.append([self.text("vat", name="outside", country=""), *map(self.money, (sum(outside), 0, sum(outside)))])
        names = ("rate", "net", "vat", "gross")
        return {"columns": [self.text("vat", name=name, country=country) for name in names], "rows": rows}

    def notes(self) -> Iterator[str]:
        receipt = self.document.receipt
        if receipt.source is ReceiptSource.CREDIT_NOTE:
            yield self.text("notes", name="credit_note")
            return
        if receipt.source is ReceiptSource.TRIP:
            yield self.text("notes", name="minutes")
        if any(line.kind in credit_notes.FINES for line in receipt.lines):
            yield self.text("notes", name="fines")


def _minus(amount: str) -> str:
    """Not a hyphen."""
    return amount.replace("-", "\u2212")


def written(document: Document, seller: Seller) -> dict[str, Any]:
    """All that the document says, as text: whoever sets it only has to find a place for it."""
    language = wording.language_of(document.language)
    writer = _Writer(document, language, formats.locale_of(document.language))
    receipt = document.receipt
    sign = -1 if receipt.source is ReceiptSource.CREDIT_NOTE else 1
    vat_id = f"{writer.text('vat_id')} {seller.vat_id}" if seller.vat_id else ""
    return {
        "language": language,
        "title": writer.text("title", source=receipt.source),
        "number": receipt.number,
        "seller": {"name": seller.name, "lines": [each for each in (seller.address, vat_id) if each] or [seller.name]},
        "head": list(writer.head()),
        "total": {
            "name": writer.text("total", source=receipt.source),
            "value": writer.money(sign * receipt.total_minor),
        },
        "status": writer.status(),
        "subject": writer.subject(),
        "facts": list(writer.facts()),
        "columns": [writer.text("columns", name=name) for name in ("item", "quantity", "unit", "vat", "amount")],
        "lines": [writer.line(line) for line in receipt.lines],
        "sum": writer.money(receipt.total_minor),
        "vat": writer.vat(),
        "notes": list(writer.notes()),
    }
