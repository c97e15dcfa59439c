"""Support tickets, as riders report faults and staff close them."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from domain import errors, fleet, idempotency, ids, support_tickets
from domain.support_tickets import Fault, SupportTicket
from domain.tables import SupportState
from resolvers import paging
from resolvers.context import Ctx
from resolvers.paging import Page


def _given(fault: Fault, trip_id: str | None, vehicle_id: str | None) -> dict[str, Any]:
    position = fault.position
    return {
        "tripId": trip_id,
        "vehicleId": vehicle_id,
        "supportType": fault.support_type,
        "priority": fault.priority,
        "damagedParts": list(fault.damaged_parts),
        "comment": fault.comment,
        "photoId": str(fault.photo_id) if fault.photo_id else None,
        "position": [position.lat, position.lon] if position else None,
    }


async def report_fault(
    ctx: Ctx, fault: Fault, *, trip_id: str | None, vehicle_id: str | None, idempotency_key: str
) -> SupportTicket:
    """On one of a trip and a vehicle. Raises InvalidInput, NotFound, TooManyTries, IdempotencyConflict."""
    if (trip_id is None) == (vehicle_id is None):
        raise errors.InvalidInput.of("vehicleId", "Name one of vehicleId and tripId.")
    trip = None if trip_id is None else ids.decode(trip_id, ids.TRIP, path="tripId")
    vehicle = None if vehicle_id is None else fleet.VehicleRef.parse(vehicle_id)
    now, ticket_id = ctx.runtime.clock.now(), ids.new()
    fault.check()
    async with ctx.runtime.transaction() as session:
        seen = await idempotency.claim(
            session,
            account_id=ctx.who.account_id,
            mutation="report_fault",
            key=idempotency_key,
            given=_given(fault, trip_id, vehicle_id),
            result_id=ticket_id,
            now=now,
        )
        if seen is None:
            await support_tickets.report_fault(
                session, ctx.who, fault, trip_id=trip, vehicle=vehicle, ticket_id=ticket_id, now=now
            )
        return await support_tickets.get_support_ticket(session, ctx.who, seen or ticket_id)


async def list_support_tickets(
    ctx: Ctx,
    *,
    metro_id: str | None = None,
    vehicle_id: str | None = None,
    state: SupportState | None = None,
    first: int,
    after: str | None,
) -> Page[SupportTicket]:
    """Raises NotFound (no such vehicle)."""
    metro = None if metro_id is None else ids.decode(metro_id, ids.METRO, path="metroId")
    ref = None if vehicle_id is None else fleet.VehicleRef.parse(vehicle_id)
    before, limit = paging.uuid_after(after, ctx.runtime.cursors), paging.check_first(first) + 1
    async with ctx.runtime.reading() as session:
        vehicle = None if ref is None else (await fleet.get_vehicle(session, ref)).id
        found = await support_tickets.list_support_tickets(
            session, ctx.who, metro_id=metro, vehicle_id=vehicle, state=state, before=before, limit=limit
        )
    return paging.page_of(found, first, after, ctx.runtime.cursors, lambda row: row.id.bytes)


async def find_support_ticket(ctx: Ctx, ticket_id: UUID) -> SupportTicket | None:
    async with ctx.runtime.reading() as session:
        return await support_tickets.find_support_ticket(session, ctx.who, ticket_id)


async def resolve_support_ticket(ctx: Ctx, *, ticket_id: str, state: SupportState) -> SupportTicket:
    """Raises InvalidInput, NotFound."""
    wanted = ids.decode(ticket_id, ids.OPS_SUPPORT_TICKET, path="ticketId")
    async with ctx.runtime.transaction() as session:
        await support_tickets.resolve_support_ticket(session, ctx.who, ticket_id=wanted, state=state, now=ctx.runtime.clock.now())
        return await support_tickets.get_support_ticket(session, ctx.who, wanted)
