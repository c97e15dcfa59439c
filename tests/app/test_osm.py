"""Reading maps."""

from __future__ import annotations

from pathlib import Path

import osmium
import pytest
from osmium.osm import mutable

from app import osm, osm_kinds
from domain import places
from domain.values import LatLng
from tests.app import map_files


def test_a_real_city_is_read() -> None:
    city_map = osm.read_map(map_files.real_map())
    assert (city_map.name, city_map.country_code, city_map.timezone) == ("Heidelberg", "DE", "Europe/Berlin")
    assert city_map.attribution == "© OpenStreetMap contributors"


@pytest.mark.parametrize(
    ("name", "position"),
    [
        ("Heidelberg Hauptbahnhof", LatLng(49.4037, 8.6757)),
        ("Bismarckplatz", LatLng(49.4098, 8.6935)),
        ("Heidelberger Schloss", LatLng(49.4106, 8.7153)),
    ],
)
def test_landmarks_of_a_real_city_are_where_they_are(name: str, position: LatLng) -> None:
    found = map_files.place(map_files.read(map_files.real_map()), name)
    assert position.meters_to(LatLng(found.lat, found.lon)) < 150


def test_the_core_of_a_real_city_leaves_its_forests_and_villages_out() -> None:
    city_map = map_files.read(map_files.real_map())
    assert LatLng(49.41, 8.70).meters_to(city_map.center) < 1_500
    box = city_map.box
    assert LatLng(box.south, box.west).meters_to(LatLng(box.north, box.east)) < 20_000


def test_a_real_city_without_charging_stations_gets_enough_of_them() -> None:
    stations = map_files.read(map_files.real_map()).stations
    assert len(stations) >= 30
    assert sum(station.capacity for station in stations if station.is_charging_station) > 400


def test_vehicles_can_stand_at_thousands_of_points_inside_the_core(city_map: osm.CityMap) -> None:
    box = city_map.box
    assert len(city_map.street_points) > 3_000
    for point in city_map.street_points:
        assert box.south <= point.lat <= box.north
        assert box.west <= point.lon <= box.east


def test_one_name_is_one_place_nearby(city_map: osm.CityMap) -> None:
    by_name: dict[str, list[osm.MapPlace]] = {}
    for place in city_map.places:
        by_name.setdefault(places.fold(place.name), []).append(place)
    for same in by_name.values():
        here = [LatLng(place.lat, place.lon) for place in same]
        assert all(one.meters_to(two) > 300 for one in here for two in here if one is not two)


def test_references_are_unique(city_map: osm.CityMap) -> None:
    refs = [place.osm_ref for place in city_map.places]
    assert len(set(refs)) == len(refs)
    stations = [station.osm_ref for station in city_map.stations]
    assert len(set(stations)) == len(stations)


def test_reading_twice_gives_the_same(city_file: Path, city_map: osm.CityMap) -> None:
    assert osm.read_map(city_file) == city_map


def test_a_map_without_a_city_is_named_after_its_file(tmp_path: Path) -> None:
    path = tmp_path / "little-town.osm.pbf"
    with osmium.SimpleWriter(str(path)) as writer:
        for number, lat in enumerate((47.5, 47.501, 47.502), start=1):
            writer.add_node(mutable.Node(id=number, location=(19.05, lat), tags={"addr:country": "HU"}))
        writer.add_way(mutable.Way(id=1, nodes=[1, 2, 3], tags={"highway": "residential", "name": "Fő utca"}))
    city_map = osm.read_map(path)
    assert (city_map.name, city_map.country_code) == ("Little Town", "HU")
    assert city_map.timezone == "Europe/Budapest"
    assert [place.name for place in city_map.places] == ["Fő utca"]


def test_a_map_without_streets_is_refused_by_name(tmp_path: Path) -> None:
    path = tmp_path / "sea.osm.pbf"
    with osmium.SimpleWriter(str(path)) as writer:
        writer.add_node(mutable.Node(id=1, location=(3.0, 55.0), tags={"natural": "reef"}))
    with pytest.raises(ValueError, match=r"sea\.osm\.pbf holds no streets"):
        osm.read_map(path)


def test_what_is_inside_a_building_or_private_is_no_place() -> None:
    assert osm_kinds.kind_of({"amenity": "university", "indoor": "yes"}) is None
    assert osm_kinds.kind_of({"leisure": "garden", "access": "private"}) is None
    assert osm_kinds.kind_of({"railway": "station", "wikidata": "Q1"}) == ("railway=station", 98)
