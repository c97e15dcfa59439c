"""A rider has one home, one work and fifty places at most, whoever saves them at the same moment."""

from __future__ import annotations

import asyncio
from uuid import UUID

import pytest

from app.database import SessionFactory
from domain import errors, ids, saved_places
from domain.actor import Actor
from domain.values import LatLng, SavedPlaceKind
from tests import factories
from tests.conftest import FixedClock

HERE, THERE = LatLng(49.40, 8.67), LatLng(49.41, 8.68)
HOME, WORK, FAVOURITE = SavedPlaceKind


@pytest.fixture
async def rider(session_factory: SessionFactory) -> Actor:
    async with session_factory.begin() as session:
        return await factories.add_rider(session)


async def save(
    session_factory: SessionFactory,
    who: Actor,
    kind: SavedPlaceKind,
    name: str,
    at: LatLng = HERE,
    place_id: UUID | None = None,
) -> saved_places.SavedPlace:
    now = FixedClock().now()
    async with session_factory.begin() as session:
        return await saved_places.save_place(session, who, place_id=place_id, kind=kind, name=name, position=at, now=now)


async def listed(session_factory: SessionFactory, who: Actor) -> list[tuple[SavedPlaceKind, str, LatLng]]:
    async with session_factory() as session:
        return [(one.kind, one.name, one.position) for one in await saved_places.list_saved_places(session, who)]


async def test_a_second_home_takes_the_place_of_the_first(session_factory: SessionFactory, rider: Actor) -> None:
    first = await save(session_factory, rider, HOME, "Flat")
    await save(session_factory, rider, FAVOURITE, "Zoo")
    await save(session_factory, rider, WORK, "Office")
    second = await save(session_factory, rider, HOME, "House", THERE)
    assert second.id == first.id
    assert await listed(session_factory, rider) == [(HOME, "House", THERE), (WORK, "Office", HERE), (FAVOURITE, "Zoo", HERE)]


async def test_a_favourite_may_become_the_home(session_factory: SessionFactory, rider: Actor) -> None:
    await save(session_factory, rider, HOME, "Flat")
    zoo = await save(session_factory, rider, FAVOURITE, "Zoo")
    await save(session_factory, rider, HOME, "Cage", THERE, zoo.id)
    assert await listed(session_factory, rider) == [(HOME, "Cage", THERE)]


async def test_saving_a_favourite_again_changes_it_and_a_name_is_not_taken_from_another(
    session_factory: SessionFactory, rider: Actor
) -> None:
    await save(session_factory, rider, FAVOURITE, "Zoo")
    await save(session_factory, rider, FAVOURITE, " Zoo ", THERE)
    museum = await save(session_factory, rider, FAVOURITE, "Museum")
    with pytest.raises(errors.InvalidInput, match="favourite of that name"):
        await save(session_factory, rider, FAVOURITE, "Zoo", HERE, museum.id)
    assert await listed(session_factory, rider) == [(FAVOURITE, "Museum", HERE), (FAVOURITE, "Zoo", THERE)]


async def test_the_fiftieth_is_the_last_also_of_many_at_once(session_factory: SessionFactory, rider: Actor) -> None:
    async with session_factory.begin() as session:
        for number in range(47):
            await saved_places.save_place(
                session, rider, place_id=None, kind=FAVOURITE, name=f"Place {number}", position=HERE, now=FixedClock().now()
            )
    tries = (save(session_factory, rider, FAVOURITE, f"Late {number}") for number in range(6))
    tries_at_home = (save(session_factory, rider, HOME, f"Home {number}") for number in range(2))
    outcomes = await asyncio.gather(*tries_at_home, *tries, return_exceptions=True)
    refused = [one for one in outcomes if isinstance(one, BaseException)]
    assert {type(one) for one in refused} == {errors.InvalidInput}
    found = await listed(session_factory, rider)
    assert len(found) == saved_places.MAX_PLACES
    assert [kind for kind, *_ in found].count(HOME) <= 1
    await save(session_factory, rider, FAVOURITE, "Place 1", THERE)


async def test_the_places_of_others_do_not_exist(session_factory: SessionFactory, rider: Actor) -> None:
    async with session_factory.begin() as session:
        stranger = await factories.add_rider(session)
    home = await save(session_factory, rider, HOME, "Flat")
    with pytest.raises(errors.NotFound):
        await save(session_factory, stranger, HOME, "Mine", HERE, home.id)
    async with session_factory.begin() as session:
        assert await saved_places.find_saved_place(session, stranger, home.id) is None
        for who, place_id in ((stranger, home.id), (rider, ids.new())):
            with pytest.raises(errors.NotFound):
                await saved_places.forget_saved_place(session, who, place_id=place_id)
        await saved_places.forget_saved_place(session, rider, place_id=home.id)
    assert await listed(session_factory, rider) == []
