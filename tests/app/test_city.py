"""The generated city."""

from __future__ import annotations

from pathlib import Path

import osmium

from app import city, osm
from tests.app import map_files


def test_the_same_seed_writes_the_same_bytes(tmp_path: Path) -> None:
    first = city.generate_city(tmp_path / "a.osm.pbf", seed=7)
    second = city.generate_city(tmp_path / "b.osm.pbf", seed=7)
    other = city.generate_city(tmp_path / "c.osm.pbf", seed=8)
    assert first.read_bytes() == second.read_bytes()
    assert first.read_bytes() != other.read_bytes()


def test_nothing_half_written_is_left_behind(tmp_path: Path) -> None:
    city.generate_city(tmp_path / "city.osm.pbf")
    assert [path.name for path in tmp_path.iterdir()] == ["city.osm.pbf"]


def test_the_city_says_where_it_lies_and_that_it_is_made_up(city_map: osm.CityMap) -> None:
    assert (city_map.name, city_map.country_code, city_map.timezone) == ("Nimburg", "DE", "Europe/Berlin")
    assert city_map.languages == ("de", "en")
    assert city_map.attribution == city.ATTRIBUTION


def test_the_city_has_what_riders_ask_for(city_map: osm.CityMap) -> None:
    kinds = {place.name: place.kind for place in city_map.places}
    assert kinds["Central Station"] == "railway=station"
    assert kinds["Old Town Square"] == "place=square"
    assert kinds["University"] == "amenity=university"
    assert kinds["Museum"] == "tourism=museum"
    assert kinds["Harbour"] == "landuse=harbour"
    assert kinds["Airport"] == "aeroway=aerodrome"
    assert {"City Hospital", "City Park", "Northbank", "Market Street"} <= kinds.keys()


def test_two_cafes_share_a_name_and_differ_by_district(city_map: osm.CityMap) -> None:
    cafes = [place for place in city_map.places if place.name == "Park Cafe"]
    assert {cafe.locality for cafe in cafes} == {"Old Town", "University Quarter"}


def test_there_are_one_way_streets_bridges_lanes_and_cycleways(city_file: Path) -> None:
    tags = [dict(way.tags) for way in osmium.FileProcessor(str(city_file), osmium.osm.WAY)]
    assert {"yes", "-1"} <= {way.get("oneway") for way in tags}
    assert sum(way.get("bridge") == "yes" and "highway" in way for way in tags) == 8
    kinds = {way.get("highway") for way in tags}
    assert {"secondary", "tertiary", "residential", "pedestrian", "cycleway", "footway", "path"} <= kinds


def test_bays_with_chargers_hold_every_car_and_van(city_map: osm.CityMap) -> None:
    charging = [station for station in city_map.stations if station.is_charging_station]
    racks = [station for station in city_map.stations if not station.is_charging_station]
    assert len(racks) >= 30
    assert sum(station.capacity for station in charging) > 400


def test_the_map_cached_by_the_tests_is_the_file(city_file: Path, city_map: osm.CityMap) -> None:
    assert map_files.read(city_file).digest == osm.digest_of(city_file) == city_map.digest
