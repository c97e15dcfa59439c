"""Saved places: home, work and favourites of a rider."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from sqlalchemy import delete, func, select
from sqlalchemy.ext.asyncio import AsyncSession

from domain import commutes, errors, ids, profiles, tables
from domain.actor import Actor
from domain.values import LatLng, SavedPlaceKind

MAX_PLACES = 50


@dataclass(frozen=True, slots=True)
class SavedPlace:
    id: UUID
    kind: SavedPlaceKind
    name: str
    lat: float
    lon: float
    updated_at: datetime

    @property
    def position(self) -> LatLng:
        return LatLng(self.lat, self.lon)


_COLUMNS = [getattr(tables.SavedPlace, name) for name in SavedPlace.__slots__]


async def save_place(
    session: AsyncSession,
    who: Actor,
    *,
    place_id: UUID | None,
    kind: SavedPlaceKind,
    name: str,
    position: LatLng,
    now: datetime,
) -> SavedPlace:
    """Saves a new place, or changes the one of `place_id`. A rider has one home, one work and one favourite of a name:
    saving another takes its place, so that a repeat changes nothing. Commutes follow. Raises InvalidInput, NotFound."""
    if issues := profiles.name_issues("name", name):
        raise errors.InvalidInput(issues)
    name = name.strip()
    await profiles.hold_rider(session, who)
    row = await _row_to_write(session, who, place_id, kind, name)
    is_new = row is None
    if row is None:
        row = tables.SavedPlace(id=ids.new(), customer_id=who.account_id)
        session.add(row)
    row.kind, row.name, row.lat, row.lon, row.updated_at = kind, name, position.lat, position.lon, now
    await session.flush()
    if not is_new:
        await commutes.follow_place(session, row, now=now)
    return SavedPlace(*(getattr(row, column) for column in SavedPlace.__slots__))


async def _row_to_write(
    session: AsyncSession, who: Actor, place_id: UUID | None, kind: SavedPlaceKind, name: str
) -> tables.SavedPlace | None:
    """The row that is changed; None when a new one is needed and there is room for it."""
    places = tables.SavedPlace
    own = select(places).where(places.customer_id == who.account_id)
    same = own.where(places.kind == kind)
    if kind is SavedPlaceKind.FAVOURITE:
        same = same.where(places.name == name)
    taken = (await session.execute(same)).scalar_one_or_none()
    if place_id is None:
        if taken is None and await _count(session, who) >= MAX_PLACES:
            raise errors.InvalidInput.of("name", f"You have {MAX_PLACES} places, as many as can be saved: forget one first.")
        return taken
    row = (await session.execute(own.where(places.id == place_id))).scalar_one_or_none()
    if row is None:
        raise errors.NotFound("There is no such place.", path="id")
    if taken is not None and taken is not row:
        if kind is SavedPlaceKind.FAVOURITE:
            raise errors.InvalidInput.of("name", "You have a favourite of that name: give this one another.")
        await session.delete(taken)
        await session.flush()
    return row


async def _count(session: AsyncSession, who: Actor) -> int:
    counted = select(func.count()).select_from(tables.SavedPlace).where(tables.SavedPlace.customer_id == who.account_id)
    return (await session.execute(counted)).scalar_one()


async def forget_saved_place(session: AsyncSession, who: Actor, *, place_id: UUID) -> None:
    """Raises NotFound."""
    places = tables.SavedPlace
    forgetting = delete(places).where(places.id == place_id, places.customer_id == who.account_id)
    if (await session.execute(forgetting.returning(places.id))).one_or_none() is None:
        raise errors.NotFound("There is no such place.", path="savedPlaceId")


async def find_saved_place(session: AsyncSession, who: Actor, place_id: UUID) -> SavedPlace | None:
    places = tables.SavedPlace
    query = select(*_COLUMNS).where(places.id == place_id, places.customer_id == who.account_id)
    row = (await session.execute(query)).one_or_none()
    return None if row is None else SavedPlace(*row)


async def list_saved_places(session: AsyncSession, who: Actor) -> list[SavedPlace]:
    """Home, work, then favourites by name."""
    places = tables.SavedPlace
    query = select(*_COLUMNS).where(places.customer_id == who.account_id).limit(MAX_PLACES)
    found = [SavedPlace(*row) for row in await session.execute(query)]
    return sorted(found, key=lambda place: (list(SavedPlaceKind).index(place.kind), place.name.casefold(), place.name))
