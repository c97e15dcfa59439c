"""Receipts: as their rider sees them, and as staff do."""

from __future__ import annotations

from datetime import datetime
from decimal import Decimal
from typing import TYPE_CHECKING, Annotated, Any

import strawberry
from strawberry import field

from domain import ids, meters, receipts, values
from domain.vat import VatShare
from resolvers import receipts as receipt_resolvers
from resolvers import trips
from schema import fields, trip_enums
from schema.nodes import Node
from schema.types.money import Money
from schema.types.payments import PAYMENTS, Payment, payments_of

if TYPE_CHECKING:
    from schema.types.trips import OpsTrip, Trip

ReceiptSource = trip_enums.ReceiptSource
LineKind = trip_enums.LineKind
ChargeCategory = trip_enums.ChargeCategory
VatTreatment = trip_enums.VatTreatment
NUMBER = "Without a gap within country and year, such as `DE-2026-000001`. Credit notes are numbered with the rest."
LINES = "What it is for; 20 at most. They sum to the total."
TOTAL = "VAT included. Negative of a credit note."
VAT = "The VAT in the total: once a rate, rounded half up; 10 at most. Lines out of scope are in none of them."
SETTLED = "What of it payments, credit and credit notes have covered."
OWED = "What is still to be paid; 0 of a credit note."
OVERDUE = "The last try to collect it failed: `payReceipt`. Until then no trip begins."
TRIP = "The trip that it is for; null of a cancellation."
RESERVATION = "The reservation that was cancelled late; null of a trip."
CORRECTS = "What a credit note gives back of; null of any other receipt."
PDF = "The receipt as a PDF in the rider's language. The link opens it for whoever has it, for an hour: ask again for another."


def _money(minor_units: int, currency: str) -> Money:
    return Money.of(values.Money(minor_units, currency))


def _plain(number: Decimal) -> Decimal:
    """Without the zeros that the column has behind the point, and without an exponent."""
    return Decimal(f"{number.normalize():f}")


@strawberry.type(description="One thing that is charged, or given back.")
class ReceiptLine:
    kind: LineKind = field(description="What for.")
    category: ChargeCategory = field(description="What kind of charge that is.")
    quantity: int = field(description="Minutes, or 1.")
    unit_price_minor_units: Decimal = field(
        description="Of one of them, VAT included: minor units of the currency, with up to four decimals."
    )
    amount: Money = field(description="VAT included, rounded half up.")
    vat_percent: Decimal = field(description="The rate of VAT in it; 0 where there is none.")
    vat_treatment: VatTreatment = field(description="Whether VAT is in it.")

    @classmethod
    def of(cls, row: meters.Line, currency: str) -> ReceiptLine:
        return cls(
            kind=row.kind,
            category=row.category,
            quantity=row.quantity,
            unit_price_minor_units=_plain(row.unit_minor),
            amount=_money(row.amount_minor, currency),
            vat_percent=_plain(row.vat_percent),
            vat_treatment=row.vat_treatment,
        )


@strawberry.type(description="The VAT of one rate.")
class ReceiptVat:
    percent: Decimal = field(description="The rate.")
    gross: Money = field(description="What it is contained in.")
    vat: Money = field(description="The VAT in that.")

    @classmethod
    def of(cls, row: VatShare, currency: str) -> ReceiptVat:
        return cls(
            percent=_plain(row.percent),
            gross=_money(row.gross_minor, currency),
            vat=_money(row.vat_minor, currency),
        )


def _shared(row: receipts.Receipt) -> dict[str, Any]:
    return {
        "number": row.number,
        "source": row.source,
        "issued_at": row.issued_at,
        "lines": [ReceiptLine.of(line, row.currency) for line in row.lines],
        "total": Money.of(row.total),
        "vat": [ReceiptVat.of(share, row.currency) for share in row.vat],
        "settled": _money(row.settled_minor, row.currency),
        "owed": _money(row.owed_minor, row.currency),
        "is_overdue": row.is_overdue,
        "row": row,
    }


@strawberry.type(description="What a rider was charged for one thing, or is given back. Never changed after it was issued.")
class Receipt(Node):
    number: str = field(description=NUMBER)
    source: ReceiptSource = field(description="What it is for.")
    issued_at: datetime = field(description="When it was issued.")
    lines: list[ReceiptLine] = field(description=LINES)
    total: Money = field(description=TOTAL)
    vat: list[ReceiptVat] = field(description=VAT)
    settled: Money = field(description=SETTLED)
    owed: Money = field(description=OWED)
    is_overdue: bool = field(description=OVERDUE)
    trip_id: strawberry.ID | None = field(description="The id of its trip; null of a cancellation.")
    reservation_id: strawberry.ID | None = field(description=RESERVATION)
    row: strawberry.Private[receipts.Receipt]

    @fields.resolved(TRIP)
    async def trip(self, info: strawberry.Info) -> Annotated[Trip, strawberry.lazy("schema.types.trips")] | None:
        from schema.types.trips import Trip

        if self.row.trip_id is None:
            return None
        found = await trips.find_trip(info.context, self.row.trip_id)
        return None if found is None else Trip.of(*found)

    @fields.resolved(CORRECTS)
    async def corrects(self, info: strawberry.Info) -> Receipt | None:
        if self.row.corrects_id is None:
            return None
        found = await receipt_resolvers.find_receipt(info.context, self.row.corrects_id)
        return None if found is None else Receipt.of(found)

    @fields.resolved(PAYMENTS)
    async def payments(self, info: strawberry.Info) -> list[Payment]:
        return await payments_of(info, self.row.id)

    @fields.resolved(PDF)
    def pdf_url(self, info: strawberry.Info) -> str:
        return receipt_resolvers.pdf_url(info.context, self.row.id)

    @classmethod
    def of(cls, row: receipts.Receipt) -> Receipt:
        return cls(
            id=strawberry.ID(ids.encode(ids.RECEIPT, row.id)),
            trip_id=None if row.trip_id is None else strawberry.ID(ids.encode(ids.TRIP, row.trip_id)),
            reservation_id=None if row.reservation_id is None else strawberry.ID(ids.encode(ids.RESERVATION, row.reservation_id)),
            **_shared(row),
        )


@strawberry.type(description="A receipt of any rider, as staff see it.")
class OpsReceipt(Node):
    number: str = field(description=NUMBER)
    source: ReceiptSource = field(description="What it is for.")
    customer_id: strawberry.ID = field(description="The rider.")
    issued_at: datetime = field(description="When it was issued.")
    lines: list[ReceiptLine] = field(description=LINES)
    total: Money = field(description=TOTAL)
    vat: list[ReceiptVat] = field(description=VAT)
    settled: Money = field(description=SETTLED)
    owed: Money = field(description=OWED)
    is_overdue: bool = field(description="The last try to collect it failed.")
    trip_id: strawberry.ID | None = field(description="The id of its trip; null of a cancellation.")
    reservation_id: strawberry.ID | None = field(description=RESERVATION)
    row: strawberry.Private[receipts.Receipt]

    @fields.resolved(TRIP)
    async def trip(self, info: strawberry.Info) -> Annotated[OpsTrip, strawberry.lazy("schema.types.trips")] | None:
        from schema.types.trips import OpsTrip

        if self.row.trip_id is None:
            return None
        found = await trips.find_trip(info.context, self.row.trip_id)
        return None if found is None else OpsTrip.of(found[0])

    @fields.resolved(CORRECTS)
    async def corrects(self, info: strawberry.Info) -> OpsReceipt | None:
        if self.row.corrects_id is None:
            return None
        found = await receipt_resolvers.find_receipt(info.context, self.row.corrects_id)
        return None if found is None else OpsReceipt.of(found)

    @fields.resolved(PAYMENTS)
    async def payments(self, info: strawberry.Info) -> list[Payment]:
        return await payments_of(info, self.row.id)

    @fields.resolved(PDF)
    def pdf_url(self, info: strawberry.Info) -> str:
        return receipt_resolvers.pdf_url(info.context, self.row.id)

    @classmethod
    def of(cls, row: receipts.Receipt) -> OpsReceipt:
        return cls(
            id=strawberry.ID(ids.encode(ids.OPS_RECEIPT, row.id)),
            customer_id=strawberry.ID(ids.encode(ids.CUSTOMER, row.customer_id)),
            trip_id=None if row.trip_id is None else strawberry.ID(ids.encode(ids.OPS_TRIP, row.trip_id)),
            reservation_id=None
            if row.reservation_id is None
            else strawberry.ID(ids.encode(ids.OPS_RESERVATION, row.reservation_id)),
            **_shared(row),
        )
