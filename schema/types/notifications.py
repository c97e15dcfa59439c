"""Notifications: what a rider was told, and by which ways the rider wants to be told."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated

import strawberry
from strawberry import field

from domain import ids, preferences
from domain.letters import Notice
from resolvers import notifications
from schema import enums, fields
from schema.connections import After, Connection, First, connection
from schema.nodes import Node
from schema.types.streams import ResyncRequired, TimedEvent

NotificationKind = enums.NotificationKind
NotificationCategory = enums.NotificationCategory
NotificationChannel = enums.NotificationChannel
PREFERENCES = "By which ways the rider wants to hear of what: every channel of every category, 20 at most."


@strawberry.type(description="Something that a rider was told. Links that open something are only in the mail about it.")
class Notification(Node):
    kind: NotificationKind = field(description="What it is about.")
    title: str = field(description="One line, in the rider's language.")
    body: str = field(
        description="Plain text, in the rider's language and by the clock of the metro. Paragraphs have an empty line between."
    )
    created_at: datetime = field(description="When it happened.")
    read_at: datetime | None = field(description="When the rider marked it as read; null: unread.")

    @classmethod
    def of(cls, row: Notice) -> Notification:
        text = row.text
        return cls(
            id=strawberry.ID(ids.encode(ids.NOTIFICATION, row.id)),
            kind=row.kind,
            title=text.subject,
            body=text.body,
            created_at=row.created_at,
            read_at=row.read_at,
        )


@strawberry.type(description="Whether a rider hears of a category by a channel.")
class NotificationPreference:
    category: NotificationCategory = field(description="Of what.")
    channel: NotificationChannel = field(description="By which way.")
    is_on: bool = field(description="Whether the rider wants it.")
    is_fixed: bool = field(description="Whether it cannot be switched off.")

    @classmethod
    def of(cls, row: preferences.Preference) -> NotificationPreference:
        return cls(category=row.category, channel=row.channel, is_on=row.is_on, is_fixed=row.is_fixed)


@strawberry.type(description="The rider was told something.")
class NotificationReceived(TimedEvent):
    notification: Notification = field(description="What it is, as it stands now.")


NotificationEvent = Annotated[
    NotificationReceived | ResyncRequired,
    strawberry.union(
        "NotificationEvent",
        description="What a rider is told, as it happens. More kinds may come: ignore what you do not know.",
    ),
]


@strawberry.type
class NotificationFields:
    """What an account shows of its notifications."""

    @fields.resolved("What the rider was told, the latest first, in the rider's language.")
    async def notifications(self, info: strawberry.Info, first: First = 20, after: After = None) -> Connection[Notification]:
        page = await notifications.list_notifications(info.context, first=first, after=after)
        return connection(page, Notification.of)

    @fields.resolved("How many notifications are unread; 100 at most are counted.")
    async def unread_notifications(self, info: strawberry.Info) -> int:
        return await notifications.count_unread(info.context)

    @fields.resolved(PREFERENCES)
    async def notification_preferences(self, info: strawberry.Info) -> list[NotificationPreference]:
        return [NotificationPreference.of(row) for row in await notifications.list_preferences(info.context)]
