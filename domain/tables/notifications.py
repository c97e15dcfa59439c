"""Notifications: what riders are told, outside of what they asked."""

from __future__ import annotations

from uuid import UUID

from sqlalchemy import CheckConstraint, ForeignKey, Index, String, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column

from domain.channels import Category, Channel, DeliveryState, PushPlatform
from domain.tables.base import Base, Id, Instant, Json, text_enum
from domain.values import NotificationKind


class Notification(Base):
    __tablename__ = "notifications"

    id: Mapped[Id]
    customer_id: Mapped[UUID | None] = mapped_column(ForeignKey("customers.id", ondelete="CASCADE"))
    #: of somebody who has no account yet
    email: Mapped[str | None]
    #: BCP 47 tag of somebody who has no account yet; else the account's is asked when it is shown or sent
    language: Mapped[str | None]
    #: whose clock and currency the text speaks
    metro_id: Mapped[UUID | None] = mapped_column(ForeignKey("metros.id", ondelete="SET NULL"))
    kind: Mapped[NotificationKind] = mapped_column(text_enum(NotificationKind))
    #: what the text of the kind is filled with
    facts: Mapped[Json]
    #: what happened, so that it is told once
    key: Mapped[str | None] = mapped_column(String(120), unique=True)
    created_at: Mapped[Instant]
    #: when its deliveries were written down; NULL: a job is to do so
    planned_at: Mapped[Instant | None]
    read_at: Mapped[Instant | None]

    __table_args__ = (
        CheckConstraint("(customer_id is null) <> (email is null)", name="one_recipient"),
        Index("ix_notifications_customer_id_id", "customer_id", "id"),
        Index("ix_notifications_created_at", "created_at"),
        Index("ix_notifications_email", "email", postgresql_where="email is not null"),
        Index("ix_notifications_unplanned", "created_at", postgresql_where="planned_at is null"),
        Index("ix_notifications_unread", "customer_id", "id", postgresql_where="read_at is null"),
    )


class Delivery(Base):
    """A notification on one of its channels."""

    __tablename__ = "deliveries"

    id: Mapped[Id]
    notification_id: Mapped[UUID] = mapped_column(ForeignKey("notifications.id", ondelete="CASCADE"))
    channel: Mapped[Channel] = mapped_column(text_enum(Channel))
    state: Mapped[DeliveryState] = mapped_column(text_enum(DeliveryState))
    attempts: Mapped[int] = mapped_column(default=0)
    #: also the end of the time that the one who is sending it has
    next_attempt_at: Mapped[Instant | None]
    #: why it is not sent (yet); never an address
    reason: Mapped[str | None] = mapped_column(String(100))
    #: nothing left: the simulator had it
    is_simulated: Mapped[bool] = mapped_column(default=False)
    created_at: Mapped[Instant]
    sent_at: Mapped[Instant | None]

    __table_args__ = (
        UniqueConstraint("notification_id", "channel"),
        CheckConstraint("(state = 'queued') = (next_attempt_at is not null)", name="queued_is_due"),
        CheckConstraint("(state = 'sent') = (sent_at is not null)", name="sent_at"),
        Index("ix_deliveries_queued", "channel", "next_attempt_at", postgresql_where="state = 'queued'"),
        Index("ix_deliveries_state_id", "state", "id"),
    )


class NotificationPreference(Base):
    """What a rider has switched on or off; what is not here is as it is by default."""

    __tablename__ = "notification_preferences"

    customer_id: Mapped[UUID] = mapped_column(ForeignKey("customers.id", ondelete="CASCADE"), primary_key=True)
    category: Mapped[Category] = mapped_column(text_enum(Category), primary_key=True)
    channel: Mapped[Channel] = mapped_column(text_enum(Channel), primary_key=True)
    is_on: Mapped[bool]
    updated_at: Mapped[Instant]


class PushDevice(Base):
    """A device that an app of a rider is on."""

    __tablename__ = "push_devices"

    id: Mapped[Id]
    customer_id: Mapped[UUID] = mapped_column(ForeignKey("customers.id", ondelete="CASCADE"), index=True)
    platform: Mapped[PushPlatform] = mapped_column(text_enum(PushPlatform))
    #: by which the push service knows it: a device is one account's at a time
    token: Mapped[str] = mapped_column(String(4096), unique=True)
    registered_at: Mapped[Instant]
