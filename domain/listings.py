"""Listings: the reservations that a rider or staff look through, latest first."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from dataclasses import dataclass, replace
from datetime import datetime
from uuid import UUID

from sqlalchemy import ColumnElement
from sqlalchemy.ext.asyncio import AsyncSession

from domain import reservations, tables
from domain.actor import Actor, Audience
from domain.tables.reservations import BLOCKING
from domain.values import ReservationState, VehicleType

_RESERVATIONS = tables.Reservation.__table__


@dataclass(frozen=True, slots=True)
class Wanted:
    """Which reservations a list shows; what is left empty does not matter."""

    customer_id: UUID | None = None
    states: Collection[ReservationState] = ()
    vehicle_types: Collection[VehicleType] = ()
    metro_id: UUID | None = None
    #: that instant included
    starts_after: datetime | None = None
    #: that instant not
    starts_before: datetime | None = None

    def conditions(self) -> Iterator[ColumnElement[bool]]:
        rows = _RESERVATIONS.c
        if self.customer_id is not None:
            yield rows.customer_id == self.customer_id
        if self.metro_id is not None:
            yield rows.metro_id == self.metro_id
        if self.states:
            yield rows.state.in_(self.states)
        if self.vehicle_types:
            yield rows.vehicle_type.in_(self.vehicle_types)
        if self.starts_after is not None:
            yield rows.starts_at >= self.starts_after
        if self.starts_before is not None:
            yield rows.starts_at < self.starts_before


async def list_reservations(
    session: AsyncSession, who: Actor, wanted: Wanted, *, before: UUID | None = None, limit: int
) -> list[reservations.Reservation]:
    """Latest first. Riders see their own; staff those of their metros."""
    if who.audience is Audience.CUSTOMER:
        wanted = replace(wanted, customer_id=who.account_id)
    query = reservations.select_rows().where(*wanted.conditions())
    if who.metro_ids is not None:
        query = query.where(_RESERVATIONS.c.metro_id.in_(who.metro_ids))
    if before is not None:
        query = query.where(_RESERVATIONS.c.id < before)
    return [reservations.of_row(row) for row in await session.execute(query.order_by(_RESERVATIONS.c.id.desc()).limit(limit))]


async def list_open_reservations(session: AsyncSession, who: Actor, *, limit: int = 20) -> list[reservations.Reservation]:
    """The actor's own."""
    return await list_reservations(session, who, Wanted(customer_id=who.account_id, states=BLOCKING), limit=limit)
