"""Routers."""

from __future__ import annotations

import sys
from itertools import permutations
from pathlib import Path
from subprocess import run

import pytest

from app import osm, tiles
from app.gateways import maps
from domain import errors
from domain.ports import GeoRouter
from domain.values import LatLng, LegMode
from tests.app import map_files

_MAJOR = 60  # importance from which everybody knows a place


def _at(city_map: osm.CityMap, name: str) -> LatLng:
    place = map_files.place(city_map, name)
    return LatLng(place.lat, place.lon)


@pytest.mark.parametrize("mode", list(LegMode))
async def test_every_major_place_is_reached_from_every_other(
    mode: LegMode, city_map: osm.CityMap, city_tiles: Path, router: maps.Maps
) -> None:
    major = [place for place in city_map.places if place.importance >= _MAJOR]
    assert len(major) > 20
    for one, two in permutations(major, 2):
        start, end = LatLng(one.lat, one.lon), LatLng(two.lat, two.lon)
        route = await router.route(city_map.digest, mode, start, end)
        assert route is not None, f"{mode}: no way from {one.name} to {two.name}"
        assert not route.estimated
        crow = start.meters_to(end)
        assert crow - 500 <= route.distance_meters <= crow * 3 + 1_500, f"{mode}: {one.name} to {two.name}"


@pytest.mark.parametrize(
    ("mode", "slowest", "fastest"),
    [(LegMode.WALK, 4, 6), (LegMode.BICYCLE, 11, 22), (LegMode.SCOOTER, 12, 24), (LegMode.CAR, 18, 60)],
)
async def test_speeds_are_those_of_a_city(
    mode: LegMode, slowest: float, fastest: float, city_map: osm.CityMap, city_tiles: Path, router: maps.Maps
) -> None:
    start, end = _at(city_map, "Central Station"), _at(city_map, "University")
    route = await router.route(city_map.digest, mode, start, end)
    assert route is not None
    assert slowest < route.distance_meters / route.duration_seconds * 3.6 < fastest


async def test_a_route_has_a_line_and_instructions_in_the_language_asked_for(
    city_map: osm.CityMap, city_tiles: Path, router: maps.Maps
) -> None:
    start, end = _at(city_map, "Central Station"), _at(city_map, "Harbour")
    route = await router.route(city_map.digest, LegMode.BICYCLE, start, end, language="de")
    assert route is not None
    assert start.meters_to(route.geometry[0]) < 300
    assert end.meters_to(route.geometry[-1]) < 300
    length = sum(one.meters_to(two) for one, two in zip(route.geometry, route.geometry[1:], strict=False))
    assert length == pytest.approx(route.distance_meters, rel=0.02)
    assert any("abbiegen" in step for step in route.instructions)


async def test_there_is_no_way_to_a_point_off_the_map(city_map: osm.CityMap, city_tiles: Path, router: maps.Maps) -> None:
    start = _at(city_map, "Central Station")
    assert await router.route(city_map.digest, LegMode.CAR, start, LatLng(48.85, 2.35)) is None


async def test_without_tiles_the_answer_is_an_estimate_and_says_so(tmp_path: Path) -> None:
    router: GeoRouter = maps.Maps(tmp_path)
    start, end = LatLng(49.40, 8.67), LatLng(49.42, 8.70)
    route = await router.route("0" * 64, LegMode.WALK, start, end)
    assert route is not None
    assert route.estimated
    assert route.distance_meters == round(start.meters_to(end) * 1.35)
    assert route.distance_meters / route.duration_seconds * 3.6 == pytest.approx(5, rel=0.01)
    assert route.geometry == ()


async def test_the_engine_without_tiles_is_out_of_reach(tmp_path: Path) -> None:
    if not tiles.is_installed():
        pytest.skip(tiles.NOT_INSTALLED)
    with pytest.raises(errors.OutOfReach):
        await maps.ValhallaRouter(tmp_path).route("0" * 64, LegMode.WALK, LatLng(49, 8), LatLng(49, 8.1))


async def test_a_real_city_is_routed(map_data: Path, router: maps.Maps, city_tiles: Path) -> None:
    real = map_files.real_map()
    city_map = map_files.read(real)
    tiles.build_tiles(map_data, city_map.digest, real)
    start, end = _at(city_map, "Heidelberg Hauptbahnhof"), _at(city_map, "Bismarckplatz")
    for mode in LegMode:
        route = await router.route(city_map.digest, mode, start, end)
        assert route is not None
        assert not route.estimated
        assert 1_300 < route.distance_meters < 4_000


def test_a_process_that_does_not_route_does_not_load_the_engine() -> None:
    check = "import sys, app.gateways.maps as m, pathlib; m.Maps(pathlib.Path('.')); sys.exit('valhalla' in sys.modules)"
    assert run([sys.executable, "-c", check], cwd=Path(__file__).parents[2], check=False).returncode == 0
