"""Privacy: what riders agreed to, and archives of what is known about them."""

from __future__ import annotations

from enum import StrEnum
from uuid import UUID

from sqlalchemy import BigInteger, CheckConstraint, ForeignKey, Index, LargeBinary, PrimaryKeyConstraint, String, text
from sqlalchemy.orm import Mapped, mapped_column

from domain.tables.base import Base, Id, Instant, text_enum


class ConsentPurpose(StrEnum):
    TERMS = "terms"
    PRIVACY_NOTICE = "privacy_notice"
    MARKETING = "marketing"
    PUSH = "push"
    PERSONALIZATION = "personalization"


class ExportState(StrEnum):
    """An archive is built in one attempt or begun again; REQUESTED is all that is seen of it meanwhile."""

    REQUESTED = "requested"
    READY = "ready"
    FAILED = "failed"
    EXPIRED = "expired"


class Consent(Base):
    """Rows are added and never changed: the newest of a purpose is in force."""

    __tablename__ = "consents"

    id: Mapped[Id]
    customer_id: Mapped[UUID] = mapped_column(ForeignKey("customers.id", ondelete="CASCADE"))
    purpose: Mapped[ConsentPurpose] = mapped_column(text_enum(ConsentPurpose))
    #: of the text that was agreed to
    document_version: Mapped[str] = mapped_column(String(40))
    is_granted: Mapped[bool]
    #: where it was said: `registration`, `settings`
    source: Mapped[str] = mapped_column(String(40))
    recorded_at: Mapped[Instant]

    __table_args__ = (Index("ix_consents_customer_id_purpose_id", "customer_id", "purpose", "id"),)


class Export(Base):
    __tablename__ = "exports"

    id: Mapped[Id]
    customer_id: Mapped[UUID] = mapped_column(ForeignKey("customers.id", ondelete="CASCADE"))
    state: Mapped[ExportState] = mapped_column(text_enum(ExportState), default=ExportState.REQUESTED)
    #: raised by every worker that takes it; only the newest may write
    attempt: Mapped[int] = mapped_column(default=0)
    size_bytes: Mapped[int | None] = mapped_column(BigInteger)
    requested_at: Mapped[Instant]
    #: READY or FAILED
    finished_at: Mapped[Instant | None]
    #: when its link is good for nothing any more
    expires_at: Mapped[Instant | None]

    __table_args__ = (
        Index("ix_exports_one_requested", "customer_id", unique=True, postgresql_where=text("state = 'requested'")),
        Index("ix_exports_customer_id_id", "customer_id", "id"),
        Index("ix_exports_requested_at", "requested_at"),
        CheckConstraint(
            "(state in ('ready', 'expired')) = (expires_at is not null and size_bytes is not null)", name="ready_expires"
        ),
    )


class ExportPart(Base):
    """A piece of an archive, so that nobody ever holds a whole one."""

    __tablename__ = "export_parts"

    export_id: Mapped[UUID] = mapped_column(ForeignKey("exports.id", ondelete="CASCADE"))
    number: Mapped[int]
    content: Mapped[bytes] = mapped_column(LargeBinary)

    __table_args__ = (PrimaryKeyConstraint("export_id", "number"),)
