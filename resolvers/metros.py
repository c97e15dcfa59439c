"""Metros and their places, as requests read them."""

from __future__ import annotations

from collections.abc import Sequence
from uuid import UUID

from domain import errors, ids, metros, places
from domain.values import LatLng
from resolvers.context import Ctx, Runtime


async def load_metros(runtime: Runtime, metro_ids: Sequence[UUID]) -> list[metros.Metro | BaseException]:
    """For a data loader: one query for all metros that an operation shows."""
    async with runtime.reading() as session:
        found = await metros.find_metros(session, metro_ids)
    return [found.get(metro_id) or errors.NotFound("There is no such metro.") for metro_id in metro_ids]


async def get_metro(ctx: Ctx, metro_id: str | None) -> metros.Metro | None:
    """By id, else the default one; for staff only a metro they work in."""
    async with ctx.runtime.reading() as session:
        try:
            if metro_id is None:
                metro = await metros.get_default_metro(session)
            else:
                metro = await metros.get_metro(session, ids.decode(metro_id, ids.METRO, path="metroId"))
            if ctx.actor is not None:
                ctx.actor.require_metro(metro.id)
        except errors.NotFound:
            return None
    return metro


async def list_metros(ctx: Ctx) -> list[metros.Metro]:
    async with ctx.runtime.reading() as session:
        found = await metros.list_metros(session)
    allowed = ctx.actor.metro_ids if ctx.actor is not None else None
    return found if allowed is None else [metro for metro in found if metro.id in allowed]


async def search_places(ctx: Ctx, *, metro_id: str, search: str | None, near: LatLng | None, first: int) -> list[places.Place]:
    if not 1 <= first <= places.MAX_PLACES:
        raise errors.InvalidInput.of("first", f"first lies between 1 and {places.MAX_PLACES}.")
    metro = ids.decode(metro_id, ids.METRO, path="metroId")
    async with ctx.runtime.reading() as session:
        return await places.search_places(session, metro, search, near=near, limit=first)


async def find_place(ctx: Ctx, place_id: UUID) -> places.Place | None:
    async with ctx.runtime.reading() as session:
        try:
            return await places.get_place(session, place_id)
        except errors.NotFound:
            return None
