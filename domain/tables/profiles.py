"""What riders save of themselves: their places and their driving licence."""

from __future__ import annotations

from datetime import date
from uuid import UUID

from sqlalchemy import ARRAY, CheckConstraint, ForeignKey, Index, LargeBinary, String, text
from sqlalchemy.orm import Mapped, mapped_column

from domain.tables.base import Base, Id, Instant, text_enum
from domain.values import LicenceState, SavedPlaceKind


class SavedPlace(Base):
    __tablename__ = "saved_places"

    id: Mapped[Id]
    customer_id: Mapped[UUID] = mapped_column(ForeignKey("customers.id", ondelete="CASCADE"))
    kind: Mapped[SavedPlaceKind] = mapped_column(text_enum(SavedPlaceKind))
    name: Mapped[str] = mapped_column(String(100))
    lat: Mapped[float]
    lon: Mapped[float]
    updated_at: Mapped[Instant]

    __table_args__ = (
        Index("ix_saved_places_customer_id_name", "customer_id", "kind", "name", unique=True),
        Index(
            "ix_saved_places_one_home_one_work",
            "customer_id",
            "kind",
            unique=True,
            postgresql_where=text("kind in ('home', 'work')"),
        ),
    )


class DrivingLicence(Base):
    """The last one that a rider submitted; a new submission is a new id in the same row."""

    __tablename__ = "driving_licences"

    customer_id: Mapped[UUID] = mapped_column(ForeignKey("customers.id", ondelete="CASCADE"), primary_key=True)
    #: of this submission
    id: Mapped[UUID] = mapped_column(unique=True)
    #: ISO 3166-1 alpha-2
    country_code: Mapped[str] = mapped_column(String(2))
    #: under a key of the service: tells that somebody else has submitted the same number
    number_digest: Mapped[bytes] = mapped_column(LargeBinary, index=True)
    #: encrypted, for the check alone; NULL once it is decided
    number_sealed: Mapped[bytes | None] = mapped_column(LargeBinary)
    number_ending: Mapped[str] = mapped_column(String(4))
    #: the last day on which it is valid, in UTC
    expires_on: Mapped[date]
    categories: Mapped[list[str]] = mapped_column(ARRAY(String(3)))
    #: what was decided; whether it has expired since is computed
    state: Mapped[LicenceState] = mapped_column(text_enum(LicenceState))
    #: why it was rejected
    reason: Mapped[str | None]
    submitted_at: Mapped[Instant]
    decided_at: Mapped[Instant | None]
    #: member of staff; NULL when the check decided
    decided_by: Mapped[UUID | None] = mapped_column(ForeignKey("staff.id", ondelete="SET NULL"))
    #: how often a check was asked for
    checks: Mapped[int]
    #: when the next one is asked for, unless it is decided by then
    check_at: Mapped[Instant | None]

    __table_args__ = (
        CheckConstraint("state in ('pending', 'verified', 'rejected')", name="stored_state"),
        CheckConstraint("(state = 'pending') = (decided_at is null)", name="decided_once"),
        CheckConstraint("state = 'pending' or number_sealed is null", name="number_wiped"),
        Index("ix_driving_licences_check_at", "check_at", postgresql_where=text("state = 'pending'")),
    )
