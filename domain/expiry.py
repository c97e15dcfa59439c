"""Expiry: what becomes of reservations that time has overtaken."""

from __future__ import annotations

from collections.abc import Collection
from datetime import datetime
from uuid import UUID

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from domain import announcements, eventlog, fleet, notifications, reservations, tables
from domain.values import NotificationKind, ReservationState, VehicleState


async def sweep_reservations(session: AsyncSession, *, now: datetime, limit: int = 100) -> int:
    """Lets holds lapse that nobody unlocked, ends bookings whose time is over, marks booked vehicles reserved at their
    start. Returns how many rows it changed; several sweepers may run at once."""
    due = (
        select(tables.Reservation)
        .where(
            tables.Reservation.state == ReservationState.CONFIRMED,
            (tables.Reservation.lapses_at <= now) | (tables.Reservation.ends_at <= now),
        )
        .order_by(tables.Reservation.id)
        .limit(limit)
        .with_for_update(skip_locked=True)
    )
    lapsed = (await session.execute(due)).scalars().all()
    if lapsed:
        await fleet.lock_vehicles(session, {row.vehicle_id for row in lapsed})
    for row in lapsed:
        await _expire(session, row, now)
    starting = (
        select(tables.Vehicle)
        .join(tables.Reservation, tables.Reservation.vehicle_id == tables.Vehicle.id)
        .where(
            tables.Reservation.state == ReservationState.CONFIRMED,
            tables.Reservation.starts_at <= now,
            tables.Vehicle.state == VehicleState.AVAILABLE,
        )
        .limit(limit)
        .with_for_update(of=tables.Vehicle, skip_locked=True)
    )
    found = (await session.execute(starting)).scalars().all()
    # Who gave a reservation up after this had looked, and before it had the vehicle, has left the vehicle as it was.
    held = await _held(session, [vehicle.id for vehicle in found], now) if found else set()
    begun = [vehicle for vehicle in found if vehicle.id in held]
    for vehicle in begun:
        vehicle.state, vehicle.updated_at = VehicleState.RESERVED, now
        await session.flush()
        await eventlog.append_all(session, [fleet.changed(vehicle, VehicleState.AVAILABLE)])
    return len(lapsed) + len(begun)


async def _held(session: AsyncSession, vehicle_ids: Collection[UUID], now: datetime) -> set[UUID]:
    """Of vehicles that the transaction has locked: those whose reservation has begun."""
    rows = tables.Reservation
    begun = select(rows.vehicle_id).where(
        rows.vehicle_id.in_(vehicle_ids), rows.state == ReservationState.CONFIRMED, rows.starts_at <= now
    )
    return set((await session.execute(begun)).scalars())


async def _expire(session: AsyncSession, row: tables.Reservation, now: datetime) -> None:
    vehicle = await reservations.close_reservation(session, row, ReservationState.EXPIRED, now)
    await notifications.notify(
        session,
        NotificationKind.RESERVATION_EXPIRED,
        customer_id=row.customer_id,
        metro_id=row.metro_id,
        facts=announcements.facts(row, vehicle.plate),
        key=f"reservation:{row.id}:expired",
        now=now,
    )
