"""Announcements: what is told of a reservation, live and in notifications."""

from __future__ import annotations

from typing import Any

from domain import eventlog, tables


def drafts(row: tables.Reservation, plate: str, kind: str | None = None) -> list[eventlog.Draft]:
    """One change, told twice: to dispatch, and to the rider without what only staff see. Of the kind that its state names
    unless it stays in that."""
    kind = f"reservation.{kind or row.state}"
    shared = {
        "reservationId": str(row.id),
        "vehicleType": row.vehicle_type,
        "state": row.state,
        "startsAt": row.starts_at.isoformat(),
        "endsAt": row.ends_at.isoformat() if row.ends_at else None,
    }
    for_dispatch = {"customerId": str(row.customer_id), "vehicleId": str(row.vehicle_id), "plate": plate}
    for_rider = {
        "publishedVehicleId": str(row.published_vehicle_id),
        "lapsesAt": row.lapses_at.isoformat() if row.lapses_at else None,
        "quotedMinor": row.quoted_minor,
        "currency": row.currency,
    }
    return [
        (eventlog.dispatch_topic(row.metro_id), kind, shared | for_dispatch),
        (eventlog.rider_topic(row.customer_id), kind, shared | for_rider),
    ]


def facts(row: tables.Reservation, plate: str) -> dict[str, Any]:
    """What notifications tell of a reservation."""
    return {
        "reservationId": str(row.id),
        "vehicleType": row.vehicle_type,
        "plate": plate,
        "startsAt": row.starts_at.isoformat(),
    }
