"""One generated city and one set of tiles for all tests of this folder."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from app import osm, tiles
from app.gateways import maps
from tests.app import map_files


@pytest.fixture(scope="session")
def city_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return map_files.generated(tmp_path_factory.mktemp("city"))


@pytest.fixture(scope="session")
def city_map(city_file: Path) -> osm.CityMap:
    return map_files.read(city_file)


@pytest.fixture(scope="session")
def map_data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A data directory whose tiles are built once."""
    return tmp_path_factory.mktemp("nimrod")


@pytest.fixture(scope="session")
def city_tiles(city_file: Path, city_map: osm.CityMap, map_data: Path) -> Path:
    if not tiles.is_installed():
        pytest.skip(tiles.NOT_INSTALLED)
    built = tiles.build_tiles(map_data, city_map.digest, city_file)
    assert built is not None
    return built


@pytest.fixture
def router(map_data: Path) -> Iterator[maps.Maps]:
    router = maps.Maps(map_data)
    yield router
    router.close()
