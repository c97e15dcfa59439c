"""Identities: who outside issuers say that our riders and staff are."""

from __future__ import annotations

from uuid import UUID

from sqlalchemy import CheckConstraint, ForeignKey, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column

from domain.actor import Audience
from domain.tables.base import Base, Id, Instant, text_enum


class Identity(Base):
    __tablename__ = "identities"

    id: Mapped[Id]
    audience: Mapped[Audience] = mapped_column(text_enum(Audience))
    issuer: Mapped[str]
    #: the issuer's name for the person, which it gives to nobody else
    subject: Mapped[str]
    customer_id: Mapped[UUID | None] = mapped_column(ForeignKey("customers.id", ondelete="CASCADE"), index=True)
    staff_id: Mapped[UUID | None] = mapped_column(ForeignKey("staff.id", ondelete="CASCADE"), index=True)
    created_at: Mapped[Instant]

    __table_args__ = (
        UniqueConstraint("audience", "issuer", "subject"),
        CheckConstraint("(customer_id is null) <> (staff_id is null)", name="one_account"),
        CheckConstraint("(audience = 'customer') = (customer_id is not null)", name="account_of_audience"),
    )
