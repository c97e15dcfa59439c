"""Trip charges: what a ride that is over costs, from its rows to the receipt, the payment and the fines."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from domain import fines, meters, metros, payments, pricing, receipts, tables, trip_announcements
from domain.tables import FineKind


async def charge_trip(session: AsyncSession, row: tables.Trip, reservation: tables.Reservation, *, now: datetime) -> None:
    """In the transaction that ends it: nothing is ridden that the books do not know."""
    metro = await metros.get_metro(session, row.metro_id)
    tariff = await pricing.get_tariff_version(session, row.tariff_id)
    due = trip_announcements.due_at(row.started_at, reservation.ends_at, metro.ride_max_hours)
    fined_after = None if due is None else due + timedelta(minutes=metro.late_grace_minutes)
    bill = meters.bill(tariff, await _ride(session, row, fined_after))
    country = metro.country_code
    receipt = await receipts.issue_trip_receipt(session, trip=row, tariff=tariff, bill=bill, country_code=country, now=now)
    await payments.collect(session, receipt, now)
    await fines.issue(
        session,
        trip=row,
        receipt=receipt,
        bill=bill,
        evidence=await _evidence(session, row, due),
        photo_id=row.return_photo_id,
        now=now,
    )


async def _ride(session: AsyncSession, row: tables.Trip, fined_after: datetime | None) -> meters.Ride:
    rows = tables.TripPause
    found = select(rows.started_at, rows.ended_at).where(rows.trip_id == row.id).order_by(rows.started_at)
    return meters.Ride(
        started_at=row.started_at or row.requested_at,
        ended_at=row.ended_at,
        pauses=tuple(meters.Pause(*each) for each in await session.execute(found)),
        was_reserved=not row.is_walk_up,
        fined_after=fined_after,
        left_in_wrong_place=row.accepted_fine_minor is not None,
    )


async def _evidence(session: AsyncSession, row: tables.Trip, due: datetime | None) -> dict[FineKind, dict[str, Any]]:
    rows = tables.ReturnAttempt
    last = select(rows).where(rows.trip_id == row.id).order_by(rows.at.desc(), rows.id.desc()).limit(1)
    attempt = (await session.execute(last)).scalar_one_or_none()
    refusals = [] if attempt is None else list(attempt.refusals)
    return {
        FineKind.LATE_RETURN: {
            "dueAt": None if due is None else due.isoformat(),
            "endedAt": None if row.ended_at is None else row.ended_at.isoformat(),
        },
        FineKind.WRONG_PLACE: {"lat": row.end_lat, "lon": row.end_lon, "refusals": refusals},
    }
