"""Routing tiles."""

from __future__ import annotations

from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from pathlib import Path

import pytest

from app import city, osm, tiles


def test_tiles_are_built_once(city_file: Path, city_map: osm.CityMap, city_tiles: Path, map_data: Path) -> None:
    built_at = city_tiles.stat().st_mtime_ns
    assert tiles.build_tiles(map_data, city_map.digest, city_file) == city_tiles
    assert tiles.tiles_for(map_data, city_map.digest) == city_tiles
    assert city_tiles.stat().st_mtime_ns == built_at


def test_the_map_is_kept_beside_its_tiles(city_map: osm.CityMap, city_tiles: Path, map_data: Path) -> None:
    copy = tiles.map_copy(map_data, city_map.digest)
    assert copy is not None
    assert osm.digest_of(copy) == city_map.digest
    assert {path.name for path in city_tiles.parent.iterdir()} == {"map.osm.pbf", "tiles.tar", "build.log"}


def test_a_matrix_of_a_whole_metro_is_within_the_limits(city_map: osm.CityMap, city_tiles: Path) -> None:
    import valhalla

    stations = [{"lat": station.lat, "lon": station.lon} for station in city_map.stations[:80]]
    actor = valhalla.Actor(tiles.configuration(city_tiles))
    matrix = actor.matrix({"sources": stations, "targets": stations, "costing": "bicycle"})
    assert len(matrix["sources_to_targets"]) == 80


def test_a_map_that_was_never_built_has_no_tiles(tmp_path: Path) -> None:
    assert tiles.tiles_for(tmp_path, "0" * 64) is None
    assert tiles.map_copy(tmp_path, "0" * 64) is None


def test_two_processes_at_once_build_one_set_of_tiles(tmp_path: Path, city_tiles: Path) -> None:
    source = city.generate_city(tmp_path / "city.osm.pbf", seed=2)
    digest = osm.digest_of(source)
    with ProcessPoolExecutor(2, mp_context=get_context("spawn")) as pool:
        both = [pool.submit(tiles.build_tiles, tmp_path, digest, source) for _ in range(2)]
        assert {future.result() for future in both} == {tiles.tiles_for(tmp_path, digest)}
    log = (tiles.map_folder(tmp_path, digest) / "build.log").read_text()
    assert log.count("End stage = cleanup") == 1


def test_what_a_killed_build_left_is_cleared_away(tmp_path: Path, city_file: Path, city_tiles: Path) -> None:
    digest = osm.digest_of(city_file)
    (tiles.map_folder(tmp_path, digest) / ".build-abandoned").mkdir(parents=True)
    assert tiles.build_tiles(tmp_path, digest, city_file) is not None
    assert not list(tiles.map_folder(tmp_path, digest).glob(".build-*"))


def test_a_broken_map_is_named_and_leaves_no_tiles(tmp_path: Path, city_tiles: Path) -> None:
    broken = tmp_path / "broken.osm.pbf"
    broken.write_bytes(b"this is no map")
    with pytest.raises(tiles.TilesNotBuilt, match=r"build\.log"):
        tiles.build_tiles(tmp_path, "b" * 64, broken)
    assert tiles.tiles_for(tmp_path, "b" * 64) is None
