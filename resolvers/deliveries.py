"""Deliveries, as staff look up what became of what riders were told."""

from __future__ import annotations

from uuid import UUID

from domain import deliveries, ids, letters, ports
from domain.channels import Channel, DeliveryState
from resolvers import paging
from resolvers.context import Ctx
from resolvers.paging import Page


async def list_deliveries(
    ctx: Ctx, *, customer_id: str | None, state: DeliveryState | None, first: int, after: str | None
) -> Page[deliveries.Delivery]:
    customer = None if customer_id is None else ids.decode(customer_id, ids.CUSTOMER, path="customerId")
    async with ctx.runtime.reading() as session:
        found = await deliveries.list_deliveries(
            session,
            ctx.who,
            customer_id=customer,
            state=state,
            before=paging.uuid_after(after, ctx.runtime.cursors),
            limit=paging.check_first(first) + 1,
        )
    return paging.page_of(found, first, after, ctx.runtime.cursors, lambda row: row.id.bytes)


async def find_delivery(ctx: Ctx, delivery_id: UUID) -> deliveries.Delivery | None:
    async with ctx.runtime.reading() as session:
        return await deliveries.find_delivery(session, ctx.who, delivery_id)


def simulated_message(ctx: Ctx, row: deliveries.Delivery) -> ports.Message | None:
    """What would have been sent, links and all; None of what left, and wherever people's own mail does."""
    if not row.is_simulated or not ctx.runtime.shows_simulated:
        return None
    to = row.email if row.channel is Channel.EMAIL else None
    return letters.message(row.notice, row.channel, delivery_id=row.id, to=to or "", links=ctx.runtime.links)
