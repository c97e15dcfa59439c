"""Reservations, with the constraint that no vehicle is ever booked twice."""

from __future__ import annotations

from datetime import datetime
from uuid import UUID

from sqlalchemy import CheckConstraint, ForeignKey, Index, String, func, literal_column, text
from sqlalchemy.dialects.postgresql import TSTZRANGE, ExcludeConstraint, Range
from sqlalchemy.orm import Mapped, mapped_column

from domain.tables.base import Base, Id, Instant, text_enum
from domain.values import CancelCause, FeeSettlement, ReservationState, VehicleType

#: whose reservations are that are nobody's any more
NOBODY = UUID(int=1)
BLOCKING = (ReservationState.CONFIRMED, ReservationState.STARTED)


class Reservation(Base):
    __tablename__ = "reservations"

    id: Mapped[Id]
    metro_id: Mapped[UUID] = mapped_column(ForeignKey("metros.id", ondelete="CASCADE"))
    customer_id: Mapped[UUID] = mapped_column(ForeignKey("customers.id", ondelete="CASCADE"))
    vehicle_id: Mapped[UUID] = mapped_column(ForeignKey("vehicles.id", ondelete="CASCADE"))
    #: the vehicle's published id when it was reserved: what the rider keeps seeing
    published_vehicle_id: Mapped[UUID]
    vehicle_type: Mapped[VehicleType] = mapped_column(text_enum(VehicleType))
    tariff_id: Mapped[UUID] = mapped_column(ForeignKey("tariffs.id"))
    state: Mapped[ReservationState] = mapped_column(text_enum(ReservationState))
    starts_at: Mapped[Instant]
    #: NULL = open-ended (scooters and bikes)
    ends_at: Mapped[Instant | None]
    #: a hold that nobody unlocks lapses then (scooters and bikes)
    lapses_at: Mapped[Instant | None]
    #: when the vehicle is nobody else's
    blocked: Mapped[Range[datetime]] = mapped_column(TSTZRANGE)
    #: estimate shown when it was made; NULL when open-ended without an expected duration
    quoted_minor: Mapped[int | None]
    currency: Mapped[str] = mapped_column(String(3))
    #: until then cancelling is free; NULL = until the hold lapses
    cancel_free_until: Mapped[Instant | None]
    #: what cancelling costs after that, by the tariff version that was quoted
    late_cancel_minor: Mapped[int] = mapped_column(default=0, server_default="0")
    cancel_cause: Mapped[CancelCause | None] = mapped_column(text_enum(CancelCause))
    #: why staff cancelled it
    cancel_reason: Mapped[str | None]
    #: what the rider owes for cancelling late
    cancel_fee_minor: Mapped[int | None]
    #: NULL beside a fee = it is owed
    fee_settled_at: Mapped[Instant | None]
    fee_settlement: Mapped[FeeSettlement | None] = mapped_column(text_enum(FeeSettlement))
    created_at: Mapped[Instant]
    closed_at: Mapped[Instant | None]

    __table_args__ = (
        # Ranges of one vehicle id: no extension is needed for equality in a GiST index.
        ExcludeConstraint(
            (func.uuidrange(literal_column("vehicle_id"), literal_column("vehicle_id"), literal_column("'[]'")), "&&"),
            (literal_column("blocked"), "&&"),
            name="ex_reservations_vehicle_blocked",
            using="gist",
            where=text("state in ('confirmed', 'started')"),
        ),
        CheckConstraint("ends_at > starts_at", name="ends_after_start"),
        CheckConstraint("not isempty(blocked) or state not in ('confirmed', 'started')", name="blocked_not_empty"),
        CheckConstraint("cancel_fee_minor > 0 and late_cancel_minor >= 0", name="cancel_fee"),
        CheckConstraint("(fee_settled_at is null) = (fee_settlement is null)", name="settled_somehow"),
        Index("ix_reservations_vehicle_id", "vehicle_id", postgresql_where=text("state in ('confirmed', 'started')")),
        Index("ix_reservations_customer_id_id", "customer_id", "id"),
        Index("ix_reservations_metro_id_id", "metro_id", "id"),
        # What retention goes by: small, for it takes away what it has found.
        Index(
            "ix_reservations_closed_at",
            "closed_at",
            postgresql_where=text(f"closed_at is not null and customer_id <> '{NOBODY}'"),
        ),
        Index("ix_reservations_metro_id_starts_at", "metro_id", "starts_at"),
        Index("ix_reservations_lapses_at", "lapses_at", postgresql_where=text("state = 'confirmed'")),
    )
