"""Places are found by what people type."""

from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.database import SessionFactory
from domain import errors, ids, places
from domain.places import fold
from domain.values import LatLng
from tests import factories
from tests.domain.conftest import City


@pytest.mark.parametrize(
    ("name", "folded"),
    [
        ("Märkische Straße", "markische strasse"),
        ("  St.-Petri  Kirche ", "st petri kirche"),
        ("CAFÉ Æther", "cafe æther"),
        ("Łódź Fabryczna", "łodz fabryczna"),
        ("北京站", "北京站"),
        ("O'Connell Street", "o connell street"),
        ("snake_case", "snake case"),
        ("№ 5", "no 5"),
        ("…", ""),
    ],
)
def test_names_are_folded_to_what_people_type(name: str, folded: str) -> None:
    assert fold(name) == folded


@given(st.text(max_size=80))
def test_folding_again_changes_nothing(name: str) -> None:
    folded = fold(name)
    assert fold(folded) == folded
    assert not re.search(r"[^\w ]|_|  |^ | $", folded)


async def test_the_best_match_comes_first(session_factory: SessionFactory, city: City) -> None:
    names = ["Old Museum", "Museum of Art", "Museumsplatz", "Museum", "Bistro am Altmuseum", "Park"]
    async with session_factory.begin() as session:
        for name in names:
            await factories.add_place(session, city.metro, name, importance=90 if name == "Old Museum" else 10)
        found = await places.search_places(session, city.metro.id, " MUSEUM ")
    assert [place.name for place in found] == ["Museum", "Museum of Art", "Museumsplatz", "Old Museum", "Bistro am Altmuseum"]


async def test_among_equals_the_nearer_or_the_better_known_comes_first(session_factory: SessionFactory, city: City) -> None:
    here, there = LatLng(49.40, 8.67), LatLng(49.45, 8.70)
    async with session_factory.begin() as session:
        await factories.add_place(session, city.metro, "Market", at=here, importance=1)
        await factories.add_place(session, city.metro, "Market", at=there, importance=99)
        near = await places.search_places(session, city.metro.id, "market", near=here)
        known = await places.search_places(session, city.metro.id, "market")
        other = await factories.add_metro(session)
        assert await places.search_places(session, other.id, "market") == []
    assert near[0].position == here
    assert known[0].position == there


@pytest.mark.parametrize("text", ["50%", "_", "\\", "'"])
async def test_wildcards_are_letters_like_any_other(session_factory: SessionFactory, city: City, text: str) -> None:
    async with session_factory.begin() as session:
        await factories.add_place(session, city.metro, "Plain")
        found = await places.search_places(session, city.metro.id, text + "x")
    assert found == []


async def test_a_place_that_does_not_exist_is_not_found(session_factory: SessionFactory) -> None:
    async with session_factory() as session:
        with pytest.raises(errors.NotFound):
            await places.get_place(session, ids.new())
