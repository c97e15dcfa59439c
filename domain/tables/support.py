"""What riders say of vehicles and trips: feedback, faults, emergencies."""

from __future__ import annotations

from enum import StrEnum
from uuid import UUID

from sqlalchemy import ARRAY, CheckConstraint, ForeignKey, Index, SmallInteger, String, text
from sqlalchemy.orm import Mapped, mapped_column

from domain.tables.base import Base, Id, Instant, text_enum


class Feedback(Base):
    __tablename__ = "feedback"

    id: Mapped[Id]
    trip_id: Mapped[UUID] = mapped_column(ForeignKey("trips.id", ondelete="CASCADE"), unique=True)
    customer_id: Mapped[UUID] = mapped_column(ForeignKey("customers.id", ondelete="CASCADE"))
    rating: Mapped[int] = mapped_column(SmallInteger)
    comment: Mapped[str | None]
    given_at: Mapped[Instant]

    __table_args__ = (
        Index("ix_feedback_customer_id", "customer_id"),
        CheckConstraint("rating between 1 and 5", name="rating"),
    )


class SupportType(StrEnum):
    """TOMP-API 2.0 support types."""

    BROKEN_DOWN = "broken_down"
    NOT_AT_LOCATION = "not_at_location"
    MISSING_AFTER_PAUSE = "missing_after_pause"
    NOT_CLEAN = "not_clean"
    NOT_AVAILABLE = "not_available"
    UNABLE_TO_OPEN = "unable_to_open"
    UNABLE_TO_CLOSE = "unable_to_close"
    ACCIDENT = "accident"
    REPORT_DAMAGE = "report_damage"
    REQUEST_ASSISTANCE = "request_assistance"
    OTHER = "other"


class SupportPriority(StrEnum):
    """TOMP-API 2.0 priorities."""

    ERROR_CANNOT_CONTINUE = "error_cannot_continue"
    ERROR_CAN_CONTINUE = "error_can_continue"
    DISTURBING_ISSUE = "disturbing_issue"
    QUESTION = "question"
    OTHER = "other"


class DamagedPart(StrEnum):
    """TOMP-API 2.0 damage."""

    FRONT = "front"
    REAR = "rear"
    LEFT = "left"
    RIGHT = "right"
    TOP = "top"
    BOTTOM = "bottom"
    INTERIOR = "interior"
    TIRE = "tire"
    ANCILLARY = "ancillary"
    OTHER = "other"


class SupportState(StrEnum):
    """TOMP-API 2.0 support status."""

    ISSUE_OPEN = "issue_open"
    ISSUE_RESOLVED = "issue_resolved"
    ISSUE_REVOKED = "issue_revoked"


class SupportTicket(Base):
    """A fault that a rider reports."""

    __tablename__ = "support_tickets"

    id: Mapped[Id]
    metro_id: Mapped[UUID] = mapped_column(ForeignKey("metros.id", ondelete="CASCADE"))
    vehicle_id: Mapped[UUID] = mapped_column(ForeignKey("vehicles.id", ondelete="CASCADE"))
    trip_id: Mapped[UUID | None] = mapped_column(ForeignKey("trips.id", ondelete="CASCADE"))
    customer_id: Mapped[UUID] = mapped_column(ForeignKey("customers.id", ondelete="CASCADE"))
    support_type: Mapped[SupportType] = mapped_column(text_enum(SupportType))
    priority: Mapped[SupportPriority] = mapped_column(text_enum(SupportPriority))
    damaged_parts: Mapped[list[str]] = mapped_column(ARRAY(String))
    comment: Mapped[str | None]
    photo_id: Mapped[UUID | None] = mapped_column(ForeignKey("photos.id", ondelete="SET NULL"))
    state: Mapped[SupportState] = mapped_column(text_enum(SupportState))
    #: whether it took the vehicle out of service
    withdrew_vehicle: Mapped[bool]
    reported_at: Mapped[Instant]
    closed_at: Mapped[Instant | None]

    __table_args__ = (
        Index("ix_support_tickets_vehicle_id_reported_at", "vehicle_id", "reported_at"),
        Index("ix_support_tickets_customer_id", "customer_id"),
        Index("ix_support_tickets_photo_id", "photo_id", postgresql_where=text("photo_id is not null")),
        Index("ix_support_tickets_metro_id_open", "metro_id", "id", postgresql_where=text("state = 'issue_open'")),
    )


class EmergencyKind(StrEnum):
    ACCIDENT = "accident"
    INJURY = "injury"
    FIRE = "fire"
    THREAT = "threat"
    OTHER = "other"


class Incident(Base):
    """Something that staff have to answer. Severity 1: somebody may be in danger."""

    __tablename__ = "incidents"

    id: Mapped[Id]
    metro_id: Mapped[UUID] = mapped_column(ForeignKey("metros.id", ondelete="CASCADE"))
    vehicle_id: Mapped[UUID | None] = mapped_column(ForeignKey("vehicles.id", ondelete="CASCADE"))
    trip_id: Mapped[UUID | None] = mapped_column(ForeignKey("trips.id", ondelete="CASCADE"))
    customer_id: Mapped[UUID | None] = mapped_column(ForeignKey("customers.id", ondelete="CASCADE"))
    severity: Mapped[int] = mapped_column(SmallInteger)
    kind: Mapped[EmergencyKind] = mapped_column(text_enum(EmergencyKind))
    comment: Mapped[str | None]
    lat: Mapped[float | None]
    lon: Mapped[float | None]
    reported_at: Mapped[Instant]
    resolved_at: Mapped[Instant | None]
    resolved_by: Mapped[UUID | None] = mapped_column(ForeignKey("staff.id", ondelete="SET NULL"))

    __table_args__ = (
        Index("ix_incidents_metro_id_open", "metro_id", "id", postgresql_where=text("resolved_at is null")),
        Index("ix_incidents_customer_id", "customer_id"),
        CheckConstraint("severity between 1 and 4", name="severity"),
    )
