"""Rides that are over and their receipts, for tests of what comes of them."""

from __future__ import annotations

from datetime import datetime, timedelta
from decimal import Decimal

from app.database import SessionFactory
from domain import meters, pricing, receipts, tables
from domain.actor import Actor
from domain.values import VehicleType
from tests import factories
from tests.domain.conftest import City


class Undone(Exception):
    """What came after the receipt failed, and all of it with that."""


async def issue(
    session_factory: SessionFactory,
    city: City,
    now: datetime,
    *,
    rider: Actor | None = None,
    minutes: int = 9,
    is_late: bool = False,
    left_in_wrong_place: bool = False,
    is_undone: bool = False,
    **tariff_columns: object,
) -> tables.Receipt:
    """Of a ride that ends now: 100 to unlock and 19 a minute, unless the tariff is told otherwise."""
    columns = {"version": 7, "late_fine_minor": 1000, "wrong_place_fine_minor": 2500, "pause_per_minute_minor": Decimal(5)}
    begun = now - timedelta(minutes=minutes)
    who = rider or city.rider
    async with session_factory.begin() as session:
        given = columns | tariff_columns
        row = await factories.add_tariff(session, city.metro, VehicleType.SCOOTER_STANDING, **given)
        vehicle = await factories.add_vehicle(session, city.metro, VehicleType.SCOOTER_STANDING)
        trip = await factories.add_trip(session, vehicle, row, who.account_id, started_at=begun, ended_at=now, closed_at=now)
        tariff = await pricing.get_tariff_version(session, row.id)
        fined_after = begun if is_late else None
        ride = meters.Ride(begun, now, fined_after=fined_after, left_in_wrong_place=left_in_wrong_place)
        receipt = await receipts.issue_trip_receipt(
            session,
            trip=trip,
            tariff=tariff,
            bill=meters.bill(tariff, ride),
            country_code=city.metro.country_code,
            now=now,
        )
        if is_undone:
            raise Undone
        return receipt
