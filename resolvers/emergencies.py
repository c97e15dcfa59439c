"""Calling for help."""

from __future__ import annotations

from dataclasses import dataclass
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncSession

from domain import emergencies, eventlog, fleet, idempotency, ids, incidents, tables, trips
from domain.values import LatLng
from resolvers.context import Ctx
from resolvers.trips import PREFIXES


@dataclass(frozen=True, slots=True)
class Emergency:
    incident_id: UUID
    #: None: it was of no trip of theirs
    trip: trips.Trip | None
    position: eventlog.Position


async def report_emergency(
    ctx: Ctx,
    *,
    trip_id: str | None,
    vehicle_id: str | None,
    kind: tables.EmergencyKind,
    comment: str | None,
    position: LatLng | None,
    idempotency_key: str,
) -> Emergency:
    """Of a trip, which it ends, or of a vehicle that nobody need be riding."""
    target = None if trip_id is None else ids.decode(trip_id, *PREFIXES, path="about.tripId")
    vehicle = None if vehicle_id is None else fleet.VehicleRef.parse(vehicle_id, path="about.vehicleId")
    now, who, incident_id = ctx.runtime.clock.now(), ctx.who, ids.new()
    given = {
        "tripId": trip_id,
        "vehicleId": vehicle_id,
        "kind": kind,
        "comment": comment,
        "position": None if position is None else [position.lat, position.lon],
    }
    async with ctx.runtime.transaction() as session:
        before = await _take_turn(session, ctx, target)
        seen = await idempotency.claim(
            session,
            account_id=who.account_id,
            mutation="report_emergency",
            key=idempotency_key,
            given=given,
            result_id=incident_id,
            now=now,
        )
        if seen is None:
            await emergencies.report_emergency(
                session,
                who,
                trip_id=target,
                vehicle=vehicle,
                kind=kind,
                comment=comment,
                position=position,
                incident_id=incident_id,
                now=now,
            )
        raised = await incidents.get_incident(session, who, seen or incident_id)
        trip = None if raised.trip_id is None else await trips.get_trip(session, who, raised.trip_id)
        return Emergency(raised.id, trip, before)


async def _take_turn(session: AsyncSession, ctx: Ctx, trip_id: UUID | None) -> eventlog.Position:
    """Of the trip that was named, else of the rider's own: it may be with that vehicle."""
    before = await eventlog.current_position(session, eventlog.rider_topic(ctx.who.account_id))
    if trip_id is None:
        ridden = await trips.find_open_trip(session, ctx.who.account_id)
        trip_id = None if ridden is None else ridden.id
    if trip_id is not None:
        await trips.take_turn(session, trip_id)
    return before
