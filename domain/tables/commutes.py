"""Commutes: ways that riders go again and again."""

from __future__ import annotations

from datetime import time
from uuid import UUID

from sqlalchemy import ARRAY, CheckConstraint, ForeignKey, Index, SmallInteger, String, text
from sqlalchemy.orm import Mapped, mapped_column

from domain.tables.base import Base, Id, Instant


class Commute(Base):
    __tablename__ = "commutes"

    id: Mapped[Id]
    customer_id: Mapped[UUID] = mapped_column(ForeignKey("customers.id", ondelete="CASCADE"))
    metro_id: Mapped[UUID] = mapped_column(ForeignKey("metros.id", ondelete="CASCADE"))
    name: Mapped[str] = mapped_column(String(100))
    #: a saved place that this end follows; its copy beside it stays when the place is forgotten
    origin_place_id: Mapped[UUID | None] = mapped_column(ForeignKey("saved_places.id", ondelete="SET NULL"), index=True)
    origin_label: Mapped[str] = mapped_column(String(100))
    origin_lat: Mapped[float]
    origin_lon: Mapped[float]
    destination_place_id: Mapped[UUID | None] = mapped_column(ForeignKey("saved_places.id", ondelete="SET NULL"), index=True)
    destination_label: Mapped[str] = mapped_column(String(100))
    destination_lat: Mapped[float]
    destination_lon: Mapped[float]
    #: of ISO 8601, Monday is 1
    days: Mapped[list[int]] = mapped_column(ARRAY(SmallInteger))
    #: by the clock of the metro
    arrive_by: Mapped[time]
    modes: Mapped[list[str]] = mapped_column(ARRAY(String(40)))
    #: the slowest of the modes, estimated when it was saved
    travel_seconds: Mapped[int]
    #: NULL: none
    reminder_minutes: Mapped[int | None]
    is_paused: Mapped[bool]
    #: NULL: none is due
    next_reminder_at: Mapped[Instant | None]
    updated_at: Mapped[Instant]

    __table_args__ = (
        CheckConstraint("cardinality(days) > 0 and days <@ array[1,2,3,4,5,6,7]::smallint[]", name="days_of_week"),
        CheckConstraint("cardinality(modes) > 0", name="some_mode"),
        Index("ix_commutes_customer_id_name", "customer_id", "name", unique=True),
        Index("ix_commutes_next_reminder_at", "next_reminder_at", postgresql_where=text("next_reminder_at is not null")),
    )
