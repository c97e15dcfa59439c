"""Stations of a map: bays and racks found in it, and enough of them where it names few."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from domain.values import Box, LatLng

_LEAST_CHARGING = 40
_LEAST_BAYS = 560  # for 400 cars and vans, with bays left free to return to
_LEAST_RACKS = 60
_MOST = 400
_APART_METERS = 180
_BAYS = 14
_RACKS = 12
_MOST_CAPACITY = 40

#: what a tag can become: a rack for bikes and scooters, or bays with chargers; lower rank is taken first
_RACK, _CHARGING = "rack", "charging"
_SOURCES: dict[tuple[str, str], tuple[str, int]] = {
    ("amenity", "charging_station"): (_CHARGING, 0),
    ("amenity", "car_sharing"): (_CHARGING, 0),
    ("amenity", "parking"): (_CHARGING, 2),
    ("amenity", "bicycle_rental"): (_RACK, 0),
    ("amenity", "bicycle_parking"): (_RACK, 2),
    ("highway", "bus_stop"): (_RACK, 3),
}
_CLOSED = ("private", "no", "customers", "permit")


@dataclass(frozen=True, slots=True)
class MapStation:
    name: str
    lat: float
    lon: float
    capacity: int
    is_charging_station: bool
    osm_ref: str


@dataclass(frozen=True, slots=True)
class Stop:
    """Something that is a station or could become one."""

    use: str
    rank: int
    name: str | None
    position: LatLng
    capacity: int | None
    osm_ref: str


def station_of(ref: str, tags: Mapping[str, str], point: tuple[float, float]) -> Stop | None:
    for (key, value), (use, rank) in _SOURCES.items():
        if tags.get(key) == value and tags.get("access") not in _CLOSED:
            capacity = int(tags["capacity"]) if tags.get("capacity", "").isdecimal() else None
            return Stop(use, rank, tags.get("name"), LatLng(*point), capacity or None, ref)
    return None


def choose_stations(
    stops: Iterable[Stop],
    curb: Sequence[LatLng],
    box: Box,
    center: LatLng,
    street_near: Callable[[float, float], str | None],
) -> list[MapStation]:
    """Every real station of the core, then stand-ins from the center outwards until there are enough."""
    inside = [stop for stop in stops if box.south <= stop.position.lat <= box.north and box.west <= stop.position.lon <= box.east]
    inside += _at_the_curb(curb)
    inside.sort(key=lambda stop: (stop.rank, center.meters_to(stop.position), stop.osm_ref))
    chosen: list[MapStation] = []
    for use, least, usual in ((_CHARGING, _LEAST_CHARGING, _BAYS), (_RACK, _LEAST_RACKS, _RACKS)):
        kept: list[MapStation] = []
        for stop in (stop for stop in inside if stop.use == use):
            bays = sum(station.capacity for station in kept)
            enough = len(kept) >= least and (use == _RACK or bays >= _LEAST_BAYS)
            if len(kept) < _MOST and (stop.rank == 0 or not enough) and _is_apart(stop, kept):
                kept.append(_station(stop, usual, street_near))
        chosen += kept
    return chosen


def _at_the_curb(curb: Sequence[LatLng]) -> Iterator[Stop]:
    """For a map that names no parking at all."""
    for index, position in enumerate(curb[:: max(1, len(curb) // _MOST)]):
        ref = f"curb/{position.lat:.6f},{position.lon:.6f}"
        yield Stop(_RACK if index % 2 else _CHARGING, 9, None, position, None, ref)


def _is_apart(stop: Stop, kept: Iterable[MapStation]) -> bool:
    return all(stop.position.meters_to(LatLng(other.lat, other.lon)) >= _APART_METERS for other in kept)


def _station(stop: Stop, usual: int, street_near: Callable[[float, float], str | None]) -> MapStation:
    lat, lon = stop.position.lat, stop.position.lon
    name = stop.name or street_near(lat, lon) or f"Station {stop.osm_ref.partition('/')[2]}"
    capacity = min(max(stop.capacity or usual, usual), _MOST_CAPACITY)
    return MapStation(name, lat, lon, capacity, stop.use == _CHARGING, stop.osm_ref)
