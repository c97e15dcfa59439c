"""The maps that the tests read: a generated city, and a real one where it is at hand."""

from __future__ import annotations

from functools import cache
from pathlib import Path

import pytest

from app import city, osm

HEIDELBERG = Path(__file__).parents[3] / "shared" / "data" / "heidelberg.osm.pbf"


def real_map() -> Path:
    if not HEIDELBERG.is_file():
        pytest.skip(f"no real map at {HEIDELBERG}")
    return HEIDELBERG


@cache
def read(path: Path) -> osm.CityMap:
    return osm.read_map(path)


def place(city_map: osm.CityMap, name: str) -> osm.MapPlace:
    """The best known place of that name."""
    return next(place for place in city_map.places if place.name == name)


def generated(folder: Path) -> Path:
    return city.generate_city(folder / "nimburg.osm.pbf")
