"""Places: what riders call the points of a metro."""

from __future__ import annotations

import re
import unicodedata
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from sqlalchemy import ColumnElement, Float, case, cast, func, select
from sqlalchemy.ext.asyncio import AsyncSession

from domain import errors, tables
from domain.values import LatLng

_PLACES = tables.Place.__table__
MAX_PLACES = 50


@dataclass(frozen=True, slots=True)
class Place:
    id: UUID
    metro_id: UUID
    name: str
    kind: str
    locality: str | None
    importance: int
    lat: float
    lon: float

    @property
    def position(self) -> LatLng:
        return LatLng(self.lat, self.lon)


_COLUMNS = [_PLACES.c[name] for name in ("id", "metro_id", "name", "kind", "locality", "importance", "lat", "lon")]


def fold(name: str) -> str:
    """What a search compares: lower case, no diacritics, no punctuation, single spaces, ß as ss."""
    # Decomposed before and after: some signs decompose to capitals (℡), some capitals fold to signs that decompose.
    plain = unicodedata.normalize("NFKD", unicodedata.normalize("NFKD", name).casefold())
    plain = "".join(letter for letter in plain if not unicodedata.combining(letter))
    return " ".join(re.findall(r"[^\W_]+", plain))


def _rank(folded: str) -> ColumnElement[int]:
    name = _PLACES.c.name_folded
    return case(
        (name == folded, 3),
        (name.startswith(folded, autoescape=True), 2),
        (func.concat(" ", name, " ").contains(f" {folded} ", autoescape=True), 1),
        else_=0,
    )


def _square_degrees(near: LatLng) -> ColumnElement[float]:
    """Squared distance in degrees of latitude: the order of distance within a metro, without trigonometry per row."""
    lon_scale = func.cos(func.radians(cast(near.lat, Float)))
    return func.power(_PLACES.c.lat - near.lat, 2) + func.power((_PLACES.c.lon - near.lon) * lon_scale, 2)


async def search_places(
    session: AsyncSession, metro_id: UUID, text: str | None, *, near: LatLng | None = None, limit: int = 10
) -> list[Place]:
    """Best first: the exact name, then names beginning with the text, having it as a word, containing it; among equals
    the nearer one (with `near`) or the better known. Without text the nearest places, else the best known."""
    order: list[Any] = []
    query = select(*_COLUMNS).where(_PLACES.c.metro_id == metro_id)
    if text and (folded := fold(text)):
        query = query.where(_PLACES.c.name_folded.contains(folded, autoescape=True))
        order.append(_rank(folded).desc())
    if near is not None:
        order.append(_square_degrees(near))
    order += [_PLACES.c.importance.desc(), _PLACES.c.name, _PLACES.c.id]
    rows = await session.execute(query.order_by(*order).limit(min(limit, MAX_PLACES)))
    return [Place(*row) for row in rows]


async def get_place(session: AsyncSession, place_id: UUID) -> Place:
    row = (await session.execute(select(*_COLUMNS).where(_PLACES.c.id == place_id))).one_or_none()
    if row is None:
        raise errors.NotFound("There is no such place.")
    return Place(*row)
