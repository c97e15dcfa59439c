"""What riders report and object to, for the scene of the operations."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from app.database import SessionFactory
from domain import feedback, fines, ids, incidents, meters, pricing, receipts, support_tickets, tables
from domain.actor import Actor
from domain.values import LatLng, VehicleType
from tests import factories
from tests.conftest import FixedClock

KIM = "kim"


async def add_complaints(
    sessions: SessionFactory, clock: FixedClock, metro: tables.Metro, people: dict[str, Actor | None]
) -> dict[str, str]:
    """Of a rider of their own, Kim; the ids by name."""
    async with sessions.begin() as session:
        tariff = await factories.add_tariff(
            session, metro, VehicleType.SCOOTER_STANDING, version=2, late_fine_minor=1000, wrong_place_fine_minor=2500
        )
        scooter = await factories.add_vehicle(session, metro, VehicleType.SCOOTER_STANDING, plate="T-OLD", at=factories.FAR)
        kim = await factories.add_rider(session, email="kim@example.org", name="Kim")
        started = clock.now() - timedelta(hours=1)
        trip = await factories.add_trip(session, scooter, tariff, kim.account_id, started_at=started)
        now, ticket_id, incident_id = clock.now(), ids.new(), ids.new()
        await feedback.give_feedback(session, kim, trip_id=trip.id, rating=2, comment="It squeaks.", now=now)
        fault = support_tickets.Fault(
            tables.SupportType.REPORT_DAMAGE,
            tables.SupportPriority.ERROR_CAN_CONTINUE,
            damaged_parts=(tables.DamagedPart.TIRE,),
            comment="The brake squeaks.",
        )
        await support_tickets.report_fault(session, kim, fault, trip_id=trip.id, ticket_id=ticket_id, now=now)
        await incidents.raise_incident(
            session,
            metro_id=metro.id,
            vehicle_id=scooter.id,
            trip_id=trip.id,
            customer_id=kim.account_id,
            kind=tables.EmergencyKind.ACCIDENT,
            severity=1,
            comment="A fall.",
            position=LatLng(49.41, 8.69),
            incident_id=incident_id,
            now=now,
        )
        fined = await _fine(session, trip, tariff, now)
        await fines.appeal_fine(session, kim, fine_id=fined["appealed"], text="The road was closed.", now=now)
    people[KIM] = kim
    return {
        "incident": ids.encode(ids.OPS_INCIDENT, incident_id),
        "scooter": ids.encode(ids.VEHICLE, scooter.published_id),
        "fleetScooter": ids.encode(ids.FLEET_VEHICLE, scooter.id),
        "overTrip": ids.encode(ids.TRIP, trip.id),
        "opsTicket": ids.encode(ids.OPS_SUPPORT_TICKET, ticket_id),
        "fine": ids.encode(ids.FINE, fined["issued"]),
        "appealedFine": ids.encode(ids.OPS_FINE, fined["appealed"]),
    }


async def _fine(session: AsyncSession, trip: tables.Trip, tariff: tables.Tariff, now: datetime) -> dict[str, UUID]:
    """Two for one trip."""
    version = await pricing.get_tariff_version(session, tariff.id)
    ended, due = trip.ended_at or now, trip.requested_at
    bill = meters.bill(version, meters.Ride(trip.requested_at, ended, fined_after=due, left_in_wrong_place=True))
    receipt = await receipts.issue_trip_receipt(session, trip=trip, tariff=version, bill=bill, country_code="DE", now=now)
    evidence: dict[tables.FineKind, dict[str, Any]] = {
        tables.FineKind.LATE_RETURN: {"dueAt": due.isoformat()},
        tables.FineKind.WRONG_PLACE: {"refusals": ["outside_metro"], "lat": 49.4, "lon": 8.7},
    }
    await fines.issue(session, trip=trip, receipt=receipt, bill=bill, evidence=evidence, photo_id=None, now=now)
    rows = tables.Fine
    found = {row.kind: row.id for row in await session.execute(select(rows.kind, rows.id).where(rows.trip_id == trip.id))}
    return {"issued": found[tables.FineKind.LATE_RETURN], "appealed": found[tables.FineKind.WRONG_PLACE]}
