"""The books: receipts with their lines, and a double-entry ledger in integer minor units."""

from __future__ import annotations

from decimal import Decimal
from enum import StrEnum
from typing import Any
from uuid import UUID

from sqlalchemy import BigInteger, CheckConstraint, ForeignKey, Index, Integer, Numeric, String, UniqueConstraint, text
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.orm import Mapped, mapped_column

from domain.tables.base import Base, Id, Instant, text_enum


class VatTreatment(StrEnum):
    STANDARD = "standard"
    OUT_OF_SCOPE = "out_of_scope"


class ChargeCategory(StrEnum):
    """TOMP-API 2.0 payment categories."""

    FARE = "fare"
    EXTRA_USAGE = "extra_usage"
    FINE = "fine"
    DAMAGE = "damage"
    REFUND = "refund"
    VOUCHER = "voucher"
    CREDIT = "credit"


class LineKind(StrEnum):
    UNLOCK = "unlock"
    RESERVATION = "reservation"
    RIDING = "riding"
    PAUSE = "pause"
    #: negative: what minutes would have cost above the cap of a day
    DAY_CAP = "day_cap"
    LATE_RETURN = "late_return"
    WRONG_PLACE = "wrong_place"
    CANCELLATION = "cancellation"


class ReceiptSource(StrEnum):
    TRIP = "trip"
    CANCELLATION = "cancellation"
    #: what was charged and is given back, in negative lines; names the receipt that it corrects
    CREDIT_NOTE = "credit_note"


class Receipt(Base):
    """What somebody owes for one thing, or is owed back. Never changed after it was issued, but for what was settled."""

    __tablename__ = "receipts"

    id: Mapped[Id]
    #: gapless within country and year of its metro: `DE-2026-000001`
    number: Mapped[str] = mapped_column(unique=True)
    source: Mapped[ReceiptSource] = mapped_column(text_enum(ReceiptSource))
    customer_id: Mapped[UUID] = mapped_column(ForeignKey("customers.id", ondelete="CASCADE"))
    metro_id: Mapped[UUID] = mapped_column(ForeignKey("metros.id", ondelete="CASCADE"))
    trip_id: Mapped[UUID | None] = mapped_column(ForeignKey("trips.id", ondelete="CASCADE"))
    reservation_id: Mapped[UUID | None] = mapped_column(ForeignKey("reservations.id", ondelete="CASCADE"))
    corrects_id: Mapped[UUID | None] = mapped_column(ForeignKey("receipts.id", ondelete="CASCADE"))
    #: where the trip started: whose VAT it is
    country_code: Mapped[str] = mapped_column(String(2))
    currency: Mapped[str] = mapped_column(String(3))
    #: VAT included; the sum of its lines
    total_minor: Mapped[int] = mapped_column(BigInteger)
    #: of the total, by rate: `[{"percent": "19.00", "grossMinor": 271, "vatMinor": 43}]`
    vat: Mapped[list[dict[str, Any]]] = mapped_column(JSONB)
    #: of the total, what payments, credit and credit notes have covered
    settled_minor: Mapped[int] = mapped_column(BigInteger, default=0)
    #: the last try to collect it failed, and the rider has to act
    is_overdue: Mapped[bool] = mapped_column(default=False)
    issued_at: Mapped[Instant]

    __table_args__ = (
        Index("ix_receipts_customer_id_id", "customer_id", "id"),
        Index("ix_receipts_unsettled", "customer_id", postgresql_where=text("settled_minor < total_minor")),
        Index("ix_receipts_one_per_trip", "trip_id", unique=True, postgresql_where=text("source = 'trip'")),
        Index(
            "ix_receipts_one_per_cancellation",
            "reservation_id",
            unique=True,
            postgresql_where=text("source = 'cancellation'"),
        ),
        Index("ix_receipts_corrects_id", "corrects_id", postgresql_where=text("corrects_id is not null")),
        CheckConstraint("(source = 'credit_note') = (corrects_id is not null)", name="corrects"),
        CheckConstraint("(source = 'credit_note') or total_minor >= 0", name="total"),
        CheckConstraint("source = 'credit_note' or settled_minor between 0 and total_minor", name="settled"),
    )


class ReceiptLine(Base):
    __tablename__ = "receipt_lines"

    receipt_id: Mapped[UUID] = mapped_column(ForeignKey("receipts.id", ondelete="CASCADE"), primary_key=True)
    position: Mapped[int] = mapped_column(Integer, primary_key=True)
    kind: Mapped[LineKind] = mapped_column(text_enum(LineKind))
    category: Mapped[ChargeCategory] = mapped_column(text_enum(ChargeCategory))
    #: minutes, or 1
    quantity: Mapped[int]
    #: in minor units, with up to four decimals
    unit_minor: Mapped[Decimal] = mapped_column(Numeric(16, 4))
    amount_minor: Mapped[int] = mapped_column(BigInteger)
    vat_treatment: Mapped[VatTreatment] = mapped_column(text_enum(VatTreatment))
    vat_percent: Mapped[Decimal] = mapped_column(Numeric(5, 2))


class ReceiptNumber(Base):
    """The last number of a series; its row is locked while one is taken, so that none is left out."""

    __tablename__ = "receipt_numbers"

    series: Mapped[str] = mapped_column(primary_key=True)
    last: Mapped[int]


class LedgerAccount(StrEnum):
    #: what a rider owes (positive) or has paid too much
    RECEIVABLE = "receivable"
    #: what the payment gateway holds for us
    GATEWAY = "gateway"
    REVENUE = "revenue"
    FINES = "fines"
    VAT = "vat"
    #: credit that a rider may still use (negative)
    CREDIT = "credit"
    #: what credit has cost us
    PROMOTIONS = "promotions"
    #: what banks hold back while a payment is disputed
    DISPUTED = "disputed"
    #: what nobody will pay
    LOSSES = "losses"
    #: fees that staff noted as paid elsewhere
    OUTSIDE = "outside"


class LedgerTransaction(Base):
    """What happened to money, once: `key` names the event in the world. Never changed."""

    __tablename__ = "ledger_transactions"

    id: Mapped[Id]
    key: Mapped[str] = mapped_column(unique=True)
    customer_id: Mapped[UUID | None] = mapped_column(ForeignKey("customers.id", ondelete="CASCADE"))
    receipt_id: Mapped[UUID | None] = mapped_column(ForeignKey("receipts.id", ondelete="CASCADE"))
    at: Mapped[Instant]

    __table_args__ = (
        Index("ix_ledger_transactions_customer_id", "customer_id"),
        Index("ix_ledger_transactions_receipt_id", "receipt_id"),
    )


class LedgerEntry(Base):
    """Debits are positive, credits negative; the entries of a transaction sum to zero in each currency, by constraint."""

    __tablename__ = "ledger_entries"

    transaction_id: Mapped[UUID] = mapped_column(ForeignKey("ledger_transactions.id", ondelete="CASCADE"), primary_key=True)
    position: Mapped[int] = mapped_column(Integer, primary_key=True)
    account: Mapped[LedgerAccount] = mapped_column(text_enum(LedgerAccount))
    currency: Mapped[str] = mapped_column(String(3))
    amount_minor: Mapped[int] = mapped_column(BigInteger)

    __table_args__ = (
        Index("ix_ledger_entries_account", "account", "currency"),
        CheckConstraint("amount_minor <> 0", name="amount"),
        UniqueConstraint("transaction_id", "account", "currency"),
    )
