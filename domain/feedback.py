"""Feedback: how a rider liked a trip that is over, in one to five and in words."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from sqlalchemy import Row, Select, select
from sqlalchemy.ext.asyncio import AsyncSession

from domain import errors, ids, tables
from domain.actor import Actor, Audience
from domain.values import is_storable

MAX_COMMENT_LENGTH = 1000
RATINGS = range(1, 6)
#: for how long it may be given anew
CHANGED_WITHIN = timedelta(days=7)

_ROWS = tables.Feedback


@dataclass(frozen=True, slots=True)
class Feedback:
    id: UUID
    trip_id: UUID
    customer_id: UUID
    vehicle_id: UUID
    rating: int
    comment: str | None
    #: for the first time
    given_at: datetime


def _check(rating: int, comment: str | None) -> str | None:
    """The comment as it is kept."""
    issues = []
    if rating not in RATINGS:
        issues.append(errors.Issue("rating", f"A rating lies between {RATINGS[0]} and {RATINGS[-1]}."))
    if comment is not None and (len(comment) > MAX_COMMENT_LENGTH or not is_storable(comment)):
        issues.append(errors.Issue("comment", f"A comment has {MAX_COMMENT_LENGTH:,} characters at most."))
    if issues:
        raise errors.InvalidInput(issues)
    return comment.strip() or None if comment is not None else None


async def give_feedback(
    session: AsyncSession, who: Actor, *, trip_id: UUID, rating: int, comment: str | None, now: datetime
) -> None:
    """Once for a trip of theirs that is over; again within a week replaces what was said.
    Raises InvalidInput, NotFound, TripClosed (not over, never begun, or too late to change it)."""
    kept = _check(rating, comment)
    trips = tables.Trip
    # Two that come at once take turns.
    own = select(trips.state).where(trips.id == trip_id, trips.customer_id == who.account_id)
    state = (await session.execute(own.with_for_update(key_share=True))).scalar_one_or_none()
    if state is None:
        raise errors.NotFound("There is no such trip.", path="tripId")
    if state is not tables.TripState.ENDED:
        over = "never began" if state is tables.TripState.CANCELLED else "is not over yet"
        raise errors.TripClosed(f"The trip {over}: only trips that are over are rated.", path="tripId")
    given = (await session.execute(select(_ROWS).where(_ROWS.trip_id == trip_id))).scalar_one_or_none()
    if given is None:
        given = _ROWS(id=ids.new(), trip_id=trip_id, customer_id=who.account_id, given_at=now)
        session.add(given)
    elif (given.rating, given.comment) == (rating, kept):
        return
    elif now >= given.given_at + CHANGED_WITHIN:
        raise errors.TripClosed(f"Feedback can be changed for {CHANGED_WITHIN.days} days after it was given.", path="tripId")
    given.rating, given.comment = rating, kept
    await session.flush()


def _select() -> Select[Any]:
    columns: list[Any] = [
        _ROWS.id,
        _ROWS.trip_id,
        _ROWS.customer_id,
        tables.Trip.vehicle_id,
        _ROWS.rating,
        _ROWS.comment,
        _ROWS.given_at,
    ]
    return select(*columns).join(tables.Trip, tables.Trip.id == _ROWS.trip_id)


def _of(row: Row[Any]) -> Feedback:
    return Feedback(*tuple(row))


async def find_feedback(session: AsyncSession, who: Actor, trip_id: UUID) -> Feedback | None:
    """A rider's own."""
    own = _select().where(_ROWS.trip_id == trip_id, _ROWS.customer_id == who.account_id)
    row = (await session.execute(own)).one_or_none()
    return None if row is None else _of(row)


async def list_feedback(
    session: AsyncSession,
    who: Actor,
    *,
    trip_id: UUID | None = None,
    vehicle_id: UUID | None = None,
    before: UUID | None,
    limit: int,
) -> list[Feedback]:
    """The latest first. Riders see their own, staff that of their metros."""
    query = _select()
    if who.audience is Audience.CUSTOMER:
        query = query.where(_ROWS.customer_id == who.account_id)
    if who.metro_ids is not None:
        query = query.where(tables.Trip.metro_id.in_(who.metro_ids))
    for column, wanted in ((_ROWS.trip_id, trip_id), (tables.Trip.vehicle_id, vehicle_id)):
        if wanted is not None:
            query = query.where(column == wanted)
    if before is not None:
        query = query.where(_ROWS.id < before)
    return [_of(row) for row in await session.execute(query.order_by(_ROWS.id.desc()).limit(limit))]
