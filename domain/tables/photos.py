"""Photos that riders take: asked for, uploaded once, kept without what the camera wrote into them."""

from __future__ import annotations

from enum import StrEnum
from uuid import UUID

from sqlalchemy import CheckConstraint, ForeignKey, Index, text
from sqlalchemy.orm import Mapped, mapped_column

from domain.tables.base import Base, Id, Instant, text_enum


class PhotoPurpose(StrEnum):
    RETURN = "return"
    FAULT = "fault"


class PhotoState(StrEnum):
    REQUESTED = "requested"
    STORED = "stored"


class Photo(Base):
    __tablename__ = "photos"

    id: Mapped[Id]
    customer_id: Mapped[UUID] = mapped_column(ForeignKey("customers.id", ondelete="CASCADE"))
    purpose: Mapped[PhotoPurpose] = mapped_column(text_enum(PhotoPurpose))
    state: Mapped[PhotoState] = mapped_column(text_enum(PhotoState))
    requested_at: Mapped[Instant]
    #: the upload link is good until then, for one upload
    expires_at: Mapped[Instant]
    stored_at: Mapped[Instant | None]
    #: where the store has it
    store_key: Mapped[str | None] = mapped_column(unique=True)
    sha256: Mapped[bytes | None]
    size_bytes: Mapped[int | None]
    width: Mapped[int | None]
    height: Mapped[int | None]
    #: as the camera said, before that was taken out of the file
    taken_at: Mapped[Instant | None]
    taken_lat: Mapped[float | None]
    taken_lon: Mapped[float | None]
    #: what it proves, once; none is used twice
    used_at: Mapped[Instant | None]
    #: from then on a sweep takes the file, then the row
    forget_at: Mapped[Instant | None]

    __table_args__ = (
        Index("ix_photos_customer_id_id", "customer_id", "id"),
        Index("ix_photos_expires_at", "expires_at", postgresql_where=text("state = 'requested'")),
        Index("ix_photos_stored_at", "stored_at", postgresql_where=text("stored_at is not null and forget_at is null")),
        Index("ix_photos_forget_at", "forget_at", postgresql_where=text("forget_at is not null")),
        CheckConstraint(
            "(state = 'stored') = (stored_at is not null and store_key is not null and sha256 is not null)", name="stored"
        ),
    )
