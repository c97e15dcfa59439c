"""What became of what riders were told, as staff look it up."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated

import strawberry
from strawberry import field

from domain import deliveries as domain_deliveries
from domain import ids, ports
from resolvers import deliveries
from schema import access, enums
from schema.connections import After, Connection, First, connection
from schema.nodes import Node
from schema.types.notifications import NotificationChannel, NotificationKind

DeliveryState = enums.DeliveryState


@strawberry.type(description="What would have been sent if the channel were set up, links and all.")
class SimulatedMessage:
    to: str | None = field(description="The address; null on other channels than EMAIL.")
    subject: str = field(description="One line.")
    text: str = field(description="Plain text.")
    link: str | None = field(description="What its button opens, once or for some time, for whoever has it.")

    @classmethod
    def of(cls, row: ports.Message) -> SimulatedMessage:
        return cls(to=row.to or None, subject=row.subject, text=row.text, link=row.link)


@strawberry.type(description="A notification on one of its channels.")
class Delivery(Node):
    kind: NotificationKind = field(description="What the rider was told.")
    customer_id: strawberry.ID | None = field(description="Whom; null: somebody who has no account (yet, or any more).")
    channel: NotificationChannel = field(description="By which way.")
    state: DeliveryState = field(description="Where it stands.")
    attempts: int = field(description="How often it was tried, 60 times at most.")
    reason: str | None = field(description="Why it is not sent (yet). Never an address.")
    created_at: datetime = field(description="When it was planned.")
    next_attempt_at: datetime | None = field(description="When it is tried again, or given up by whoever is sending it now.")
    sent_at: datetime | None = field(description="When the server that carries it further had taken it.")
    simulated_message: SimulatedMessage | None = field(
        description="What would have been sent, where a simulator stands in (development); null for what left."
    )


def delivery_of(info: strawberry.Info, row: domain_deliveries.Delivery) -> Delivery:
    simulated = deliveries.simulated_message(info.context, row)
    customer_id = row.notice.customer_id
    return Delivery(
        id=strawberry.ID(ids.encode(ids.DELIVERY, row.id)),
        kind=row.notice.kind,
        customer_id=None if customer_id is None else strawberry.ID(ids.encode(ids.CUSTOMER, customer_id)),
        channel=row.channel,
        state=row.state,
        attempts=row.attempts,
        reason=row.reason,
        created_at=row.created_at,
        next_attempt_at=row.next_attempt_at,
        sent_at=row.sent_at,
        simulated_message=None if simulated is None else SimulatedMessage.of(simulated),
    )


@strawberry.type
class DeliveryQueries:
    @access.query(
        access.DISPATCHERS,
        "What became of what riders were told, the latest first. Who works in some metros sees what was told about these.",
    )
    async def deliveries(
        self,
        info: strawberry.Info,
        customer_id: Annotated[strawberry.ID | None, strawberry.argument(description="Of one customer.")] = None,
        state: Annotated[DeliveryState | None, strawberry.argument(description="In one state.")] = None,
        first: First = 20,
        after: After = None,
    ) -> Connection[Delivery]:
        page = await deliveries.list_deliveries(info.context, customer_id=customer_id, state=state, first=first, after=after)
        return connection(page, lambda row: delivery_of(info, row))
