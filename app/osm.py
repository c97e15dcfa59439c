"""A city map: what Nimrod needs to know of an OpenStreetMap file, read once when a metro is set up."""

from __future__ import annotations

import hashlib
from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import osmium

from app import countries, osm_kinds
from app.osm_stations import MapStation, Stop, choose_stations, station_of
from app.osm_streets import Point, Streets, box_of
from domain import places
from domain.values import Box, LatLng

OSM_ATTRIBUTION = "© OpenStreetMap contributors"
_SAME_PLACE_METERS = 300
_SAME_STREET_METERS = 1500
_HUB_BONUS = 3
_DISTRICTS = ("place=suburb", "place=quarter", "place=neighbourhood", "place=village", "place=town")
_DISTRICT_METERS = 2500
_OUTSKIRTS = 0.35  # of the core's width and height: places that far outside still belong
_CITY_RANK = {"city": 2, "town": 1}


@dataclass(frozen=True, slots=True)
class MapPlace:
    name: str
    #: `key=value`
    kind: str
    #: 0..100
    importance: int
    lat: float
    lon: float
    #: `node/1`, `way/1`, `relation/1`
    osm_ref: str
    #: nearest district or street
    locality: str | None = None


@dataclass(frozen=True, slots=True)
class CityMap:
    name: str
    country_code: str
    timezone: str
    languages: tuple[str, ...]
    center: LatLng
    #: around the dense core
    box: Box
    #: SHA-256 of the file
    digest: str
    attribution: str
    places: tuple[MapPlace, ...]
    stations: tuple[MapStation, ...]
    #: on streets open to everybody, connected with each other, inside the core
    street_points: tuple[LatLng, ...]
    #: on streets without cars
    pedestrian_points: tuple[LatLng, ...]


@dataclass(slots=True)
class _Found:
    streets: Streets = field(default_factory=Streets)
    places: list[MapPlace] = field(default_factory=list)
    lanes: list[MapPlace] = field(default_factory=list)
    stops: list[Stop] = field(default_factory=list)
    cities: Counter[str] = field(default_factory=Counter)
    countries: Counter[str] = field(default_factory=Counter)
    capital: dict[str, str] | None = None
    capital_rank: tuple[int, int] = (0, 0)
    capital_point: Point | None = None


def digest_of(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def read_map(path: Path) -> CityMap:
    """Reads any .osm.pbf. Raises ValueError when it is something else or holds no streets."""
    try:
        found = _scan(path)
    except RuntimeError as error:
        raise ValueError(f"{path} cannot be read as an OpenStreetMap extract (.osm.pbf): {error}") from error
    core = found.streets.core()
    if not core:
        raise ValueError(f"{path} holds no streets: is it an OpenStreetMap extract of a city?")
    tags = found.capital or {}
    box = box_of(core)
    center = LatLng(*found.capital_point) if found.capital_point else found.streets.center(core)
    code = tags.get("addr:country") or (found.countries.most_common(1) or [(countries.DEFAULT.code, 0)])[0][0]
    country = countries.get_country(code)
    named = _distinct(
        [place for place in found.places if _is_near(place, box, _OUTSKIRTS)],
        [lane for lane in found.lanes if _is_near(lane, box, 0)],
    )
    street_points = found.streets.open_points(core)
    return CityMap(
        name=tags.get("name") or (found.cities.most_common(1) or [(_title(path), 0)])[0][0],
        country_code=country.code,
        timezone=tags.get("timezone") or countries.timezone_at(country, center.lat, center.lon),
        languages=country.languages,
        center=center,
        box=box,
        digest=digest_of(path),
        attribution=tags.get("attribution", OSM_ATTRIBUTION),
        places=tuple(_localized(named, found.streets)),
        stations=tuple(choose_stations(found.stops, street_points, box, center, found.streets.nearest_name)),
        street_points=tuple(street_points),
        pedestrian_points=tuple(LatLng(lat, lon) for lat, lon in found.streets.pedestrian),
    )


def _scan(path: Path) -> _Found:
    found = _Found()
    wanted = osmium.filter.KeyFilter(*osm_kinds.KEYS, "building", "addr:country", "addr:city")
    things: Iterable[Any] = osmium.FileProcessor(str(path)).with_areas(wanted).with_filter(wanted)
    for thing in things:
        if thing.is_relation() or (thing.is_way() and thing.is_closed() and "highway" not in thing.tags):
            continue  # comes back as an area
        tags = dict(thing.tags)
        found.cities.update([tags["addr:city"]] if "addr:city" in tags else [])
        found.countries.update([tags["addr:country"]] if tags.get("addr:country") in countries.COUNTRIES else [])
        if thing.is_way():
            _add_way(found, thing, tags)
        elif (point := _point_of(thing)) is not None:
            _add_feature(found, _ref(thing), tags, point)
    return found


def _add_way(found: _Found, way: Any, tags: dict[str, str]) -> None:
    valid = [(node.ref, node.lat, node.lon) for node in way.nodes if node.location.valid()]
    line: list[Point] = [(lat, lon) for _, lat, lon in valid]
    if not line:
        return
    if "highway" in tags:
        found.streets.add(tags, [ref for ref, _, _ in valid], line)
        if "name" in tags and (kind := osm_kinds.street_kind_of(tags)) is not None:
            lat, lon = line[len(line) // 2]
            found.lanes.append(MapPlace(tags["name"], *kind, lat, lon, f"way/{way.id}"))
    else:
        _add_feature(found, f"way/{way.id}", tags, _middle(line))


def _add_feature(found: _Found, ref: str, tags: dict[str, str], point: Point) -> None:
    if (rank := _CITY_RANK.get(tags.get("place", ""))) is not None and "name" in tags:
        population = "".join(filter(str.isdigit, tags.get("population", "")))
        if (size := (rank, int(population or 0))) > found.capital_rank:
            found.capital, found.capital_rank, found.capital_point = tags, size, point
    if (stop := station_of(ref, tags, point)) is not None:
        found.stops.append(stop)
    name = tags.get("name", "").strip()
    if len(name) < 2 or not any(letter.isalpha() for letter in name):
        return
    if (kind := osm_kinds.kind_of(tags)) is not None:
        found.places.append(MapPlace(name, *kind, *point, ref))


def _ref(thing: Any) -> str:
    if thing.is_node():
        return f"node/{thing.id}"
    return f"{'way' if thing.from_way() else 'relation'}/{thing.orig_id()}"


def _point_of(thing: Any) -> Point | None:
    if thing.is_node():
        return thing.lat, thing.lon
    rings = [[(node.lat, node.lon) for node in ring] for ring in thing.outer_rings()]
    return _middle(max(rings, key=len)) if rings else None


def _middle(line: list[Point]) -> Point:
    """The middle of the surrounding rectangle: inside enough for a place, whatever the shape."""
    lats, lons = [lat for lat, _ in line], [lon for _, lon in line]
    return round((min(lats) + max(lats)) / 2, 7), round((min(lons) + max(lons)) / 2, 7)


def _distinct(places_found: list[MapPlace], lanes: list[MapPlace]) -> list[MapPlace]:
    """One of each name nearby, the best known; streets only where nothing else has their name."""
    kept: dict[str, list[MapPlace]] = defaultdict(list)
    for place in sorted(places_found, key=_rank):
        same = kept[places.fold(place.name)]
        twin = _within(_SAME_PLACE_METERS, place, same)
        if twin is None:
            same.append(place)
        else:  # what the map names over and over, such as a square with many stops, is a hub
            same.remove(twin)
            same.append(replace(twin, importance=min(twin.importance + _HUB_BONUS, 100)))
    for lane in sorted(lanes, key=_rank):
        same = kept[places.fold(lane.name)]
        if _within(_SAME_STREET_METERS, lane, same) is None:
            same.append(lane)
    return sorted((place for group in kept.values() for place in group), key=_rank)


def _rank(place: MapPlace) -> tuple[int, str, str]:
    return -place.importance, place.name, place.osm_ref


def _within(meters: float, place: MapPlace, others: Iterable[MapPlace]) -> MapPlace | None:
    here = LatLng(place.lat, place.lon)
    return next((other for other in others if here.meters_to(LatLng(other.lat, other.lon)) <= meters), None)


def _is_near(place: MapPlace, box: Box, outskirts: float) -> bool:
    high, wide = (box.north - box.south) * outskirts, (box.east - box.west) * outskirts
    return box.south - high <= place.lat <= box.north + high and box.west - wide <= place.lon <= box.east + wide


def _localized(ranked: Sequence[MapPlace], streets: Streets) -> list[MapPlace]:
    districts = [(place.name, LatLng(place.lat, place.lon)) for place in ranked if place.kind in _DISTRICTS]

    def locality(place: MapPlace) -> str | None:
        here = LatLng(place.lat, place.lon)
        near = min(((here.meters_to(there), name) for name, there in districts), default=None)
        if near is not None and near[0] <= _DISTRICT_METERS and place.kind not in _DISTRICTS:
            return near[1]
        return streets.nearest_name(place.lat, place.lon, other_than=place.name)

    return [replace(place, locality=locality(place)) for place in ranked]


def _title(path: Path) -> str:
    return path.name.split(".")[0].replace("-", " ").replace("_", " ").title()
