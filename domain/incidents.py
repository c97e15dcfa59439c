"""Incidents: what staff have to answer, from an emergency that a rider reports until somebody has dealt with it."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import Row, Select, select
from sqlalchemy.ext.asyncio import AsyncSession

from domain import errors, eventlog, fleet, tables
from domain.actor import Actor
from domain.values import LatLng

MAX_COMMENT_LENGTH = 1000

_ROWS = tables.Incident


@dataclass(frozen=True, slots=True)
class Incident:
    id: UUID
    metro_id: UUID
    #: as it stands now; None when none was named
    vehicle: fleet.Vehicle | None
    trip_id: UUID | None
    #: who reported it
    customer_id: UUID | None
    #: 1: somebody may be in danger
    severity: int
    kind: tables.EmergencyKind
    comment: str | None
    #: where it was reported from
    position: LatLng | None
    reported_at: datetime
    resolved_at: datetime | None
    resolved_by: UUID | None


async def raise_incident(
    session: AsyncSession,
    *,
    metro_id: UUID,
    vehicle_id: UUID | None,
    trip_id: UUID | None,
    customer_id: UUID | None,
    kind: tables.EmergencyKind,
    severity: int,
    comment: str | None,
    position: LatLng | None,
    incident_id: UUID,
    now: datetime,
) -> None:
    """Written, and shown to dispatchers at once. Nobody in need is refused for how it is said: what no row takes is left out,
    and a comment is cut."""
    session.add(
        _ROWS(
            id=incident_id,
            metro_id=metro_id,
            vehicle_id=vehicle_id,
            trip_id=trip_id,
            customer_id=customer_id,
            severity=severity,
            kind=kind,
            comment=_storable(comment),
            lat=position.lat if position else None,
            lon=position.lon if position else None,
            reported_at=now,
        )
    )
    await session.flush()
    payload = {
        "incidentId": str(incident_id),
        "severity": severity,
        "kind": kind,
        "lat": position.lat if position else None,
        "lon": position.lon if position else None,
        "vehicleId": str(vehicle_id) if vehicle_id else None,
        "tripId": str(trip_id) if trip_id else None,
    }
    await eventlog.append(session, eventlog.dispatch_topic(metro_id), "incident.raised", payload)


def _storable(comment: str | None) -> str | None:
    if comment is None:
        return None
    written = comment.encode(errors="ignore").replace(b"\0", b"").decode().strip()
    return written[:MAX_COMMENT_LENGTH] or None


async def resolve_incident(session: AsyncSession, who: Actor, *, incident_id: UUID, now: datetime) -> None:
    """Somebody has dealt with it. What is resolved stays as it was resolved first. Raises NotFound."""
    row = await session.get(_ROWS, incident_id, with_for_update=True)
    if row is None:
        raise errors.NotFound("There is no such incident.", path="incidentId")
    who.require_metro(row.metro_id)
    if row.resolved_at is not None:
        return
    row.resolved_at, row.resolved_by = now, who.account_id
    await session.flush()
    topic = eventlog.dispatch_topic(row.metro_id)
    await eventlog.append(session, topic, "incident.resolved", {"incidentId": str(row.id), "severity": row.severity})


def _select() -> Select[Any]:
    vehicles = tables.Vehicle
    return (
        select(*_ROWS.__table__.c, *fleet.COLUMNS)
        .select_from(_ROWS)
        .outerjoin(vehicles, vehicles.id == _ROWS.vehicle_id)
        .outerjoin(tables.Station, tables.Station.id == vehicles.station_id)
    )


def _of(row: Row[Any]) -> Incident:
    vehicle = fleet.of_columns(tuple(row)[-len(fleet.COLUMNS) :]) if row.vehicle_id is not None else None
    position = LatLng(row.lat, row.lon) if row.lat is not None and row.lon is not None else None
    return Incident(
        row.id,
        row.metro_id,
        vehicle,
        row.trip_id,
        row.customer_id,
        row.severity,
        row.kind,
        row.comment,
        position,
        row.reported_at,
        row.resolved_at,
        row.resolved_by,
    )


async def list_incidents(
    session: AsyncSession, who: Actor, *, metro_id: UUID | None, is_open: bool | None, before: UUID | None, limit: int
) -> list[Incident]:
    """Of the metros that the asker works in, the latest first."""
    query = _select()
    if metro_id is not None:
        query = query.where(_ROWS.metro_id == metro_id)
    if who.metro_ids is not None:
        query = query.where(_ROWS.metro_id.in_(who.metro_ids))
    if is_open is not None:
        query = query.where(_ROWS.resolved_at.is_(None) if is_open else _ROWS.resolved_at.is_not(None))
    if before is not None:
        query = query.where(_ROWS.id < before)
    return [_of(row) for row in await session.execute(query.order_by(_ROWS.id.desc()).limit(limit))]


async def find_incident(session: AsyncSession, who: Actor, incident_id: UUID) -> Incident | None:
    """None for what is not in the asker's metros."""
    row = (await session.execute(_select().where(_ROWS.id == incident_id))).one_or_none()
    if row is None or (who.metro_ids is not None and row.metro_id not in who.metro_ids):
        return None
    return _of(row)


async def get_incident(session: AsyncSession, who: Actor, incident_id: UUID) -> Incident:
    found = await find_incident(session, who, incident_id)
    if found is None:
        raise errors.NotFound("There is no such incident.", path="incidentId")
    return found
