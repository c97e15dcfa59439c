"""A rider's notifications: marking them, choosing by which way they come, following them."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from contextlib import aclosing
from typing import Annotated
from uuid import UUID

import strawberry
from strawberry import field

from domain import eventlog, preferences
from resolvers import notifications
from resolvers.context import Ctx
from resolvers.streams import Resync
from schema import access, enums, errors, sharing
from schema.types.notifications import (
    PREFERENCES,
    Notification,
    NotificationCategory,
    NotificationChannel,
    NotificationEvent,
    NotificationPreference,
    NotificationReceived,
)
from schema.types.streams import ResyncRequired

PushPlatform = enums.PushPlatform
TOKEN = "By which the push service knows the device; 8 to 2,048 printable characters of ASCII."  # noqa: S105


@strawberry.input(one_of=True, description="Which notifications were read.")
class MarkNotificationsReadInput:
    notification_ids: list[strawberry.ID] | None = field(default=strawberry.UNSET, description="These; 100 at most.")
    up_to_id: strawberry.ID | None = field(default=strawberry.UNSET, description="All up to this one, and it too.")


@strawberry.type(description="They are read; those that were, stay so since when they were.")
class MarkNotificationsReadSuccess:
    unread_notifications: int = field(description="How many are unread now; 100 at most are counted.")


MarkNotificationsReadResult = Annotated[
    MarkNotificationsReadSuccess | errors.InvalidInputError,
    strawberry.union("MarkNotificationsReadResult", description="What marking as read can answer."),
]


@strawberry.input(description="One switch and how it is to stand.")
class NotificationPreferenceInput:
    category: NotificationCategory = field(description="Of what.")
    channel: NotificationChannel = field(description="By which way.")
    is_on: bool = field(description="Whether you want it.")


@strawberry.input(description="Which switches to turn. What is left out stays as it is.")
class UpdateNotificationPreferencesInput:
    changes: list[NotificationPreferenceInput] = field(description="Each switch once; 20 at most.")


@strawberry.type(description="The switches stand as asked, for all that is sent from now on.")
class UpdateNotificationPreferencesSuccess:
    notification_preferences: list[NotificationPreference] = field(description=PREFERENCES)


UpdateNotificationPreferencesResult = Annotated[
    UpdateNotificationPreferencesSuccess | errors.InvalidInputError,
    strawberry.union("UpdateNotificationPreferencesResult", description="What turning switches can answer."),
]


@strawberry.input(description="A device that is to get push messages.")
class RegisterPushDeviceInput:
    token: str = field(description=TOKEN)
    platform: PushPlatform = field(description="What it runs.")


@strawberry.type(description="The device gets push messages of this account, and of no other.")
class RegisterPushDeviceSuccess:
    devices: int = field(description="How many of your devices do; 10 at most, the one registered longest ago gives way.")


RegisterPushDeviceResult = Annotated[
    RegisterPushDeviceSuccess | errors.InvalidInputError,
    strawberry.union("RegisterPushDeviceResult", description="What registering a device can answer."),
]


@strawberry.input(description="A device that is to get no push messages any more.")
class ForgetPushDeviceInput:
    token: str = field(description=TOKEN)


@strawberry.type(description="The device gets no push messages of this account.")
class ForgetPushDeviceSuccess:
    is_forgotten: bool = field(description="Always true, also for a device that was never known.")


ForgetPushDeviceResult = Annotated[
    ForgetPushDeviceSuccess | errors.InvalidInputError,
    strawberry.union("ForgetPushDeviceResult", description="What forgetting a device can answer."),
]


@strawberry.type
class NotificationMutations:
    @access.mutation(access.RIDERS, "Mark notifications as read; others' ids, and doing it again, change nothing.")
    async def mark_notifications_read(
        self, info: strawberry.Info, input: Annotated[MarkNotificationsReadInput, access.INPUT]
    ) -> MarkNotificationsReadResult | None:
        unread = await notifications.mark_notifications_read(
            info.context, notification_ids=input.notification_ids or None, up_to=input.up_to_id or None
        )
        return MarkNotificationsReadSuccess(unread_notifications=unread)

    @access.mutation(access.RIDERS, "Choose by which ways you hear of what; all changes, or none.")
    async def update_notification_preferences(
        self, info: strawberry.Info, input: Annotated[UpdateNotificationPreferencesInput, access.INPUT]
    ) -> UpdateNotificationPreferencesResult | None:
        changes = [preferences.Preference(one.category, one.channel, one.is_on) for one in input.changes]
        rows = await notifications.update_notification_preferences(info.context, changes=changes)
        return UpdateNotificationPreferencesSuccess(notification_preferences=[NotificationPreference.of(row) for row in rows])

    @access.mutation(access.RIDERS, "Have push messages sent to a device; again it changes nothing.")
    async def register_push_device(
        self, info: strawberry.Info, input: Annotated[RegisterPushDeviceInput, access.INPUT]
    ) -> RegisterPushDeviceResult | None:
        count = await notifications.register_push_device(info.context, token=input.token, platform=input.platform)
        return RegisterPushDeviceSuccess(devices=count)

    @access.mutation(access.RIDERS, "Send no more push messages to a device, as on signing out there.")
    async def forget_push_device(
        self, info: strawberry.Info, input: Annotated[ForgetPushDeviceInput, access.INPUT]
    ) -> ForgetPushDeviceResult | None:
        await notifications.forget_push_device(info.context, token=input.token)
        return ForgetPushDeviceSuccess(is_forgotten=True)


@strawberry.type
class NotificationSubscriptions:
    @access.subscription(access.RIDERS, "What the rider is told, as it happens.", per=sharing.Per.VIEWER)
    async def customer_notifications(
        self,
        info: strawberry.Info,
        after: Annotated[
            str | None,
            strawberry.argument(description="A cursor: nothing behind it is lost or repeated. Without it from now on."),
        ] = None,
    ) -> AsyncGenerator[NotificationEvent, None]:
        events = await notifications.follow_notifications(info.context, after=after)
        async with aclosing(events):
            async for event in events:
                if (item := await _of_item(info.context, event)) is not None:
                    yield item


async def _of_item(ctx: Ctx, item: eventlog.Event | Resync) -> NotificationReceived | ResyncRequired | None:
    """The event names the notification, whose text is nowhere but in its row: one read. None for what else the rider's topic
    tells, and for a notification that is no longer kept."""
    if isinstance(item, Resync):
        return ResyncRequired.of(ctx, item)
    if item.kind != "notification.created":
        return None
    row = await notifications.await_notification(ctx, UUID(item.payload["notificationId"]))
    if row is None:
        return None
    cursor = ctx.runtime.cursors.of_position(item.position)
    return NotificationReceived(cursor=cursor, at=item.at, notification=Notification.of(row))
