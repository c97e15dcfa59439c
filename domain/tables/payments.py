"""Payments: cards, what was asked of the payment gateway and what became of it, credit."""

from __future__ import annotations

from enum import StrEnum
from uuid import UUID

from sqlalchemy import BigInteger, CheckConstraint, ForeignKey, Index, String, UniqueConstraint, text
from sqlalchemy.orm import Mapped, mapped_column

from domain.tables.base import Base, Id, Instant, Json, text_enum


class PaymentMethod(Base):
    """A card as the gateway knows it. No number is ever ours."""

    __tablename__ = "payment_methods"

    id: Mapped[Id]
    customer_id: Mapped[UUID] = mapped_column(ForeignKey("customers.id", ondelete="CASCADE"))
    gateway_ref: Mapped[str] = mapped_column(unique=True)
    brand: Mapped[str]
    last4: Mapped[str] = mapped_column(String(4))
    expires_month: Mapped[int]
    expires_year: Mapped[int]
    is_default: Mapped[bool]
    created_at: Mapped[Instant]
    #: removed by the rider: kept while payments refer to it
    removed_at: Mapped[Instant | None]

    __table_args__ = (
        Index("ix_payment_methods_customer_id", "customer_id"),
        Index("ix_payment_methods_one_default", "customer_id", unique=True, postgresql_where=text("is_default")),
        CheckConstraint("not (is_default and removed_at is not null)", name="default_is_there"),
    )


class PaymentPurpose(StrEnum):
    #: held before a car or van is unlocked, captured or let go after the trip
    DEPOSIT = "deposit"
    RECEIPT = "receipt"


class PaymentState(StrEnum):
    #: to be asked of the gateway, or asked without an answer yet
    PENDING = "pending"
    #: held, not taken
    AUTHORIZED = "authorized"
    SUCCEEDED = "succeeded"
    #: refused; another try is another row
    FAILED = "failed"
    #: let go
    CANCELLED = "cancelled"


class PaymentAsk(StrEnum):
    """What the gateway is to be asked next."""

    AUTHORIZE = "authorize"
    CHARGE = "charge"
    CAPTURE = "capture"
    CANCEL = "cancel"


class Payment(Base):
    """One payment intent of the gateway. `asks` is written with what calls for it, asked afterwards."""

    __tablename__ = "payments"

    id: Mapped[Id]
    customer_id: Mapped[UUID] = mapped_column(ForeignKey("customers.id", ondelete="CASCADE"))
    method_id: Mapped[UUID | None] = mapped_column(ForeignKey("payment_methods.id", ondelete="SET NULL"))
    purpose: Mapped[PaymentPurpose] = mapped_column(text_enum(PaymentPurpose))
    trip_id: Mapped[UUID | None] = mapped_column(ForeignKey("trips.id", ondelete="CASCADE"))
    receipt_id: Mapped[UUID | None] = mapped_column(ForeignKey("receipts.id", ondelete="CASCADE"))
    state: Mapped[PaymentState] = mapped_column(text_enum(PaymentState))
    currency: Mapped[str] = mapped_column(String(3))
    #: asked for
    amount_minor: Mapped[int] = mapped_column(BigInteger)
    #: to be captured of an authorization; what was, once it succeeded
    captured_minor: Mapped[int] = mapped_column(BigInteger, default=0)
    refunded_minor: Mapped[int] = mapped_column(BigInteger, default=0)
    asks: Mapped[PaymentAsk | None] = mapped_column(text_enum(PaymentAsk))
    attempts: Mapped[int] = mapped_column(default=0)
    next_attempt_at: Mapped[Instant | None]
    gateway_ref: Mapped[str | None] = mapped_column(unique=True)
    #: the gateway's word, such as `card_declined`
    failure: Mapped[str | None]
    created_at: Mapped[Instant]
    updated_at: Mapped[Instant]

    __table_args__ = (
        Index("ix_payments_next_attempt_at", "next_attempt_at", postgresql_where=text("asks is not null")),
        Index("ix_payments_customer_id_id", "customer_id", "id"),
        Index("ix_payments_receipt_id", "receipt_id"),
        Index("ix_payments_one_deposit", "trip_id", unique=True, postgresql_where=text("purpose = 'deposit'")),
        # Never two at a time for one receipt: nobody pays twice.
        Index(
            "ix_payments_one_pending_per_receipt",
            "receipt_id",
            unique=True,
            postgresql_where=text("receipt_id is not null and state in ('pending', 'authorized')"),
        ),
        CheckConstraint("amount_minor > 0", name="amount"),
        CheckConstraint("captured_minor between 0 and amount_minor", name="captured"),
        CheckConstraint("refunded_minor between 0 and captured_minor", name="refunded"),
        CheckConstraint("(asks is null) = (next_attempt_at is null)", name="asks"),
    )


class RefundState(StrEnum):
    PENDING = "pending"
    SUCCEEDED = "succeeded"
    FAILED = "failed"


class Refund(Base):
    __tablename__ = "refunds"

    id: Mapped[Id]
    payment_id: Mapped[UUID] = mapped_column(ForeignKey("payments.id", ondelete="CASCADE"))
    #: the credit note that says why; the receipt, where it was paid twice
    receipt_id: Mapped[UUID] = mapped_column(ForeignKey("receipts.id", ondelete="CASCADE"))
    amount_minor: Mapped[int] = mapped_column(BigInteger)
    state: Mapped[RefundState] = mapped_column(text_enum(RefundState))
    attempts: Mapped[int] = mapped_column(default=0)
    next_attempt_at: Mapped[Instant | None]
    gateway_ref: Mapped[str | None] = mapped_column(unique=True)
    failure: Mapped[str | None]
    created_at: Mapped[Instant]

    __table_args__ = (
        Index("ix_refunds_payment_id", "payment_id"),
        Index("ix_refunds_receipt_id", "receipt_id"),
        Index("ix_refunds_next_attempt_at", "next_attempt_at", postgresql_where=text("state = 'pending'")),
        CheckConstraint("amount_minor > 0", name="amount"),
    )


class DisputeState(StrEnum):
    OPEN = "open"
    WON = "won"
    LOST = "lost"


class Dispute(Base):
    """A payment that the rider's bank takes back, until it is decided."""

    __tablename__ = "disputes"

    id: Mapped[Id]
    payment_id: Mapped[UUID] = mapped_column(ForeignKey("payments.id", ondelete="CASCADE"))
    gateway_ref: Mapped[str] = mapped_column(unique=True)
    amount_minor: Mapped[int] = mapped_column(BigInteger)
    reason: Mapped[str]
    state: Mapped[DisputeState] = mapped_column(text_enum(DisputeState))
    opened_at: Mapped[Instant]
    closed_at: Mapped[Instant | None]

    __table_args__ = (Index("ix_disputes_payment_id", "payment_id"),)


class GatewayEvent(Base):
    """A webhook that was received: each counts once."""

    __tablename__ = "gateway_events"

    #: as the gateway names it
    id: Mapped[str] = mapped_column(primary_key=True)
    kind: Mapped[str]
    #: of the object that it tells of
    gateway_ref: Mapped[str]
    received_at: Mapped[Instant]

    __table_args__ = (Index("ix_gateway_events_received_at", "received_at"),)


class RemovalKind(StrEnum):
    CARD = "card"
    CUSTOMER = "customer"


class GatewayRemoval(Base):
    """What the gateway is still to forget, by its own name. Gone once it has."""

    __tablename__ = "gateway_removals"

    gateway_ref: Mapped[str] = mapped_column(primary_key=True)
    kind: Mapped[RemovalKind] = mapped_column(text_enum(RemovalKind))
    attempts: Mapped[int] = mapped_column(default=0)
    next_attempt_at: Mapped[Instant]

    __table_args__ = (Index("ix_gateway_removals_next_attempt_at", "next_attempt_at"),)


class Promotion(Base):
    __tablename__ = "promotions"

    id: Mapped[Id]
    #: capital letters and digits
    code: Mapped[str] = mapped_column(unique=True)
    metro_id: Mapped[UUID] = mapped_column(ForeignKey("metros.id", ondelete="CASCADE"))
    amount_minor: Mapped[int] = mapped_column(BigInteger)
    currency: Mapped[str] = mapped_column(String(3))
    valid_until: Mapped[Instant]
    max_redemptions: Mapped[int]
    redemptions: Mapped[int] = mapped_column(default=0)
    created_at: Mapped[Instant]

    __table_args__ = (
        CheckConstraint("amount_minor > 0", name="amount"),
        CheckConstraint("redemptions between 0 and max_redemptions", name="redemptions"),
    )


class Redemption(Base):
    """Credit that a rider got for a code: once each."""

    __tablename__ = "redemptions"

    id: Mapped[Id]
    promotion_id: Mapped[UUID] = mapped_column(ForeignKey("promotions.id", ondelete="CASCADE"))
    customer_id: Mapped[UUID] = mapped_column(ForeignKey("customers.id", ondelete="CASCADE"))
    redeemed_at: Mapped[Instant]

    __table_args__ = (
        UniqueConstraint("promotion_id", "customer_id"),
        Index("ix_redemptions_customer_id", "customer_id"),
    )


class FineKind(StrEnum):
    LATE_RETURN = "late_return"
    WRONG_PLACE = "wrong_place"


class FineState(StrEnum):
    ISSUED = "issued"
    APPEALED = "appealed"
    UPHELD = "upheld"
    WAIVED = "waived"


class Fine(Base):
    """What a rider is charged beside the fare, with what shows why, and how it may be contested."""

    __tablename__ = "fines"

    id: Mapped[Id]
    trip_id: Mapped[UUID] = mapped_column(ForeignKey("trips.id", ondelete="CASCADE"))
    customer_id: Mapped[UUID] = mapped_column(ForeignKey("customers.id", ondelete="CASCADE"))
    metro_id: Mapped[UUID] = mapped_column(ForeignKey("metros.id", ondelete="CASCADE"))
    #: where it is a line
    receipt_id: Mapped[UUID] = mapped_column(ForeignKey("receipts.id", ondelete="CASCADE"))
    kind: Mapped[FineKind] = mapped_column(text_enum(FineKind))
    amount_minor: Mapped[int] = mapped_column(BigInteger)
    currency: Mapped[str] = mapped_column(String(3))
    state: Mapped[FineState] = mapped_column(text_enum(FineState))
    photo_id: Mapped[UUID | None] = mapped_column(ForeignKey("photos.id", ondelete="SET NULL"))
    #: facts that show why: `lat` `lon` `refusals`, or `dueAt` `endedAt`
    evidence: Mapped[Json]
    issued_at: Mapped[Instant]
    appeal_until: Mapped[Instant]
    appealed_at: Mapped[Instant | None]
    appeal_text: Mapped[str | None]
    #: by a person
    decided_by: Mapped[UUID | None] = mapped_column(ForeignKey("staff.id", ondelete="SET NULL"))
    decided_at: Mapped[Instant | None]
    decision_reason: Mapped[str | None]

    __table_args__ = (
        UniqueConstraint("trip_id", "kind"),
        Index("ix_fines_customer_id_id", "customer_id", "id"),
        Index("ix_fines_appealed", "metro_id", "appealed_at", postgresql_where=text("state = 'appealed'")),
        Index("ix_fines_receipt_id", "receipt_id"),
        Index("ix_fines_photo_id", "photo_id", postgresql_where=text("photo_id is not null")),
        CheckConstraint("amount_minor > 0", name="amount"),
        CheckConstraint("(decided_at is not null) = (state in ('upheld', 'waived'))", name="decided"),
        CheckConstraint("(appealed_at is not null) = (appeal_text is not null)", name="appealed"),
    )
