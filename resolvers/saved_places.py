"""Saved places of the rider who asks."""

from __future__ import annotations

from uuid import UUID

from domain import ids, saved_places
from domain.values import LatLng, SavedPlaceKind
from resolvers.context import Ctx


async def save_place(
    ctx: Ctx, *, place_id: str | None, kind: SavedPlaceKind, name: str, position: LatLng
) -> saved_places.SavedPlace:
    saved = None if place_id is None else ids.decode(place_id, ids.SAVED_PLACE, path="id")
    async with ctx.runtime.transaction() as session:
        return await saved_places.save_place(
            session, ctx.who, place_id=saved, kind=kind, name=name, position=position, now=ctx.runtime.clock.now()
        )


async def forget_saved_place(ctx: Ctx, *, saved_place_id: str) -> None:
    saved = ids.decode(saved_place_id, ids.SAVED_PLACE, path="savedPlaceId")
    async with ctx.runtime.transaction() as session:
        await saved_places.forget_saved_place(session, ctx.who, place_id=saved)


async def find_saved_place(ctx: Ctx, place_id: UUID) -> saved_places.SavedPlace | None:
    async with ctx.runtime.reading() as session:
        return await saved_places.find_saved_place(session, ctx.who, place_id)


async def list_saved_places(ctx: Ctx) -> list[saved_places.SavedPlace]:
    async with ctx.runtime.reading() as session:
        return await saved_places.list_saved_places(session, ctx.who)
