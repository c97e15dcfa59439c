"""What a rider of their own was charged and given back, for the scene of the operations."""

from __future__ import annotations

from datetime import timedelta
from decimal import Decimal

from app.database import SessionFactory
from domain import ids, meters, pricing, receipts, tables
from domain.actor import Actor
from domain.tables import LineKind
from tests import factories
from tests.conftest import FixedClock


async def add_bills(sessions: SessionFactory, clock: FixedClock, metro: tables.Metro) -> tuple[Actor, dict[str, str]]:
    """By a tariff that nobody else is quoted: a ride with a pause and a fine, and the credit note for that. The ids by name."""
    now = clock.now()
    async with sessions.begin() as session:
        row = await factories.add_tariff(
            session, metro, version=0, pause_per_minute_minor=Decimal("4.5"), wrong_place_fine_minor=2500, reservation_minor=50
        )
        customer = await factories.add_customer(session, email="lou@example.org", name="Lou")
        vehicle = await factories.add_vehicle(session, metro, plate="B-1", at=factories.FAR)
        begun = now - timedelta(minutes=20)
        trip = await factories.add_trip(session, vehicle, row, customer.id, started_at=begun, ended_at=now, closed_at=now)
        tariff = await pricing.get_tariff_version(session, row.id)
        pause = meters.Pause(begun + timedelta(minutes=5), begun + timedelta(minutes=8))
        ride = meters.Ride(begun, now, (pause,), was_reserved=True, left_in_wrong_place=True)
        bill = meters.bill(tariff, ride)
        receipt = await receipts.issue_trip_receipt(session, trip=trip, tariff=tariff, bill=bill, country_code="DE", now=now)
        await receipts.issue_credit_note(session, receipt=receipt, kinds=[LineKind.WRONG_PLACE], now=now)
    known = {
        "receipt": ids.encode(ids.RECEIPT, receipt.id),
        "opsReceipt": ids.encode(ids.OPS_RECEIPT, receipt.id),
        "payer": ids.encode(ids.CUSTOMER, customer.id),
    }
    return factories.rider(customer), known
