"""The rows of a new metro: what stands where on the day it opens, the same for the same map."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator, Mapping, Sequence
from datetime import datetime
from itertools import cycle, islice
from math import cos, exp, radians
from random import Random
from typing import Any
from uuid import UUID

import h3

from app import countries
from app.osm import CityMap
from app.osm_streets import connected
from domain import ids, places, telemetry
from domain.tables import geography
from domain.values import LatLng, VehicleState, VehicleType

Row = dict[str, Any]

FLEET: Mapping[VehicleType, int] = {
    VehicleType.SCOOTER_STANDING: 2000,
    VehicleType.BICYCLE: 2000,
    VehicleType.CAR: 200,
    VehicleType.VAN: 200,
}
_PLATE = {
    VehicleType.SCOOTER_STANDING: "{}-S{:04}",
    VehicleType.BICYCLE: "{}-B{:04}",
    VehicleType.CAR: "{}-MC {:04}E",
    VehicleType.VAN: "{}-MV {:04}E",
}
_LEAST_RENTABLE_PERCENT = 12
_OUT_OF_ORDER = 0.015
_BIKES_AT_RACKS = 0.4
_KNOWN = 60  # importance from which a place draws riders
_ZONE_RESOLUTION = 10  # cells about 130 m across


def metro_row(city_map: CityMap, slug: str, now: datetime) -> Row:
    country = countries.get_country(city_map.country_code)
    return {
        "id": ids.new(),
        "slug": slug,
        "name": city_map.name,
        "country_code": country.code,
        "timezone": city_map.timezone,
        "currency": country.currency,
        "languages": list(city_map.languages),
        "lat": city_map.center.lat,
        "lon": city_map.center.lon,
        "south": city_map.box.south,
        "west": city_map.box.west,
        "north": city_map.box.north,
        "east": city_map.box.east,
        "map_digest": city_map.digest,
        "attribution": city_map.attribution,
        "is_default": False,
        "created_at": now,
    }


def slug_of(name: str) -> str:
    return re.sub(r"[^a-z0-9]+", "-", places.fold(name)).strip("-") or "metro"


def place_rows(city_map: CityMap, metro_id: UUID) -> list[Row]:
    return [
        {
            "id": ids.new(),
            "metro_id": metro_id,
            "name": place.name,
            "name_folded": places.fold(place.name),
            "kind": place.kind,
            "locality": place.locality,
            "importance": place.importance,
            "lat": place.lat,
            "lon": place.lon,
            "h3_cell": _cell(place.lat, place.lon),
            "osm_ref": place.osm_ref,
        }
        for place in city_map.places
    ]


def station_rows(city_map: CityMap, metro_id: UUID) -> list[Row]:
    return [
        {
            "id": ids.new(),
            "metro_id": metro_id,
            "name": station.name,
            "lat": station.lat,
            "lon": station.lon,
            "h3_cell": _cell(station.lat, station.lon),
            "capacity": station.capacity,
            "is_charging_station": station.is_charging_station,
            "osm_ref": station.osm_ref,
        }
        for station in city_map.stations
    ]


def zone_rows(city_map: CityMap, metro_id: UUID) -> list[Row]:
    """The largest pedestrian area, where nothing may be left, and a belt around it to ride slowly in."""
    core = _pedestrian_cells(city_map)
    if not core:
        return []
    belt = {near for cell in core for near in h3.grid_disk(cell, 2)} - core
    rules = [("Pedestrian area", core, False, 10), ("Slow zone", belt, True, 15)]
    return [
        {
            "id": ids.new(),
            "metro_id": metro_id,
            "name": name,
            "geometry": _geojson(cells),
            "ride_start_allowed": True,
            "ride_end_allowed": may_end,
            "ride_through_allowed": True,
            "maximum_speed_kph": speed,
        }
        for name, cells, may_end, speed in rules
    ]


def vehicle_rows(
    city_map: CityMap, metro_id: UUID, stations: Sequence[Row], fleet: Mapping[VehicleType, int], now: datetime
) -> list[Row]:
    """Cars and vans at chargers, some bikes at racks, everything else along the streets, denser where riders are."""
    rng = Random(city_map.digest)  # noqa: S311 - where a demo fleet stands is no secret
    bays = _berths([station for station in stations if station["is_charging_station"]], rng)
    racks = _berths([station for station in stations if not station["is_charging_station"]], rng)
    curb = _curb(city_map, rng)
    letters = re.sub(r"[^A-Z]", "", places.fold(city_map.name).upper())[:3] or "MC"
    rows = []
    for vehicle_type, count in fleet.items():
        for number in range(1, count + 1):
            at_rack = vehicle_type is VehicleType.BICYCLE and rng.random() < _BIKES_AT_RACKS
            station = next(racks, None) if at_rack else None
            if not vehicle_type.is_micromobility:
                station = next(bays)
            position = _beside(station, rng) if station is not None else next(curb)
            plate = _PLATE[vehicle_type].format(letters, number)
            rows.append(_vehicle(metro_id, vehicle_type, plate, position, station, now, rng))
    return rows


def _vehicle(
    metro_id: UUID,
    vehicle_type: VehicleType,
    plate: str,
    position: LatLng,
    station: Row | None,
    now: datetime,
    rng: Random,
) -> Row:
    charged = station is not None and station["is_charging_station"]
    battery = round(rng.triangular(45, 100, 96) if charged else rng.triangular(4, 100, 78))
    is_down = battery < _LEAST_RENTABLE_PERCENT or rng.random() < _OUT_OF_ORDER
    per_vehicle = 60_000_000 if charged else 4_000_000
    return {
        "id": ids.new(),
        "published_id": ids.new(),
        "metro_id": metro_id,
        "vehicle_type": vehicle_type,
        "state": VehicleState.NON_OPERATIONAL if is_down else VehicleState.AVAILABLE,
        "plate": plate,
        "nfc_token": f"{rng.getrandbits(64):016x}",
        "battery_percent": battery,
        "current_range_meters": telemetry.range_meters(vehicle_type, battery),
        "odometer_meters": rng.randrange(per_vehicle),
        "lat": position.lat,
        "lon": position.lon,
        "h3_cell": _cell(position.lat, position.lon),
        "station_id": station["id"] if station is not None else None,
        "updated_at": now,
    }


def _berths(stations: Sequence[Row], rng: Random) -> Iterator[Row]:
    """One by one, shuffled, never more than the capacity while there is room; endless for chargers only."""
    berths = [station for station in stations for _ in range(station["capacity"])]
    rng.shuffle(berths)
    return cycle(berths) if stations and stations[0]["is_charging_station"] else iter(berths)


def _curb(city_map: CityMap, rng: Random) -> Iterator[LatLng]:
    """Points along the streets, drawn more often near the center and near places that many people go to."""
    closed = _pedestrian_cells(city_map)
    points = [
        point for point in city_map.street_points if h3.latlng_to_cell(point.lat, point.lon, _ZONE_RESOLUTION) not in closed
    ]
    box = city_map.box
    spread = LatLng(box.south, box.west).meters_to(LatLng(box.north, box.east)) / 5
    busy = {
        cell
        for place in city_map.places
        if place.importance >= _KNOWN
        for cell in h3.grid_disk(h3.latlng_to_cell(place.lat, place.lon, geography.H3_RESOLUTION), 1)
    }
    weights = [
        (exp(-city_map.center.meters_to(point) / spread) + 0.05)
        * (3 if h3.latlng_to_cell(point.lat, point.lon, geography.H3_RESOLUTION) in busy else 1)
        for point in points
    ]
    while True:
        for point in rng.choices(points, weights, k=500):
            yield _moved(point, 4, rng)


def _beside(station: Row, rng: Random) -> LatLng:
    return _moved(LatLng(station["lat"], station["lon"]), 8, rng)


def _moved(point: LatLng, meters: float, rng: Random) -> LatLng:
    north, east = rng.uniform(-meters, meters) / 111_195, rng.uniform(-meters, meters) / 111_195
    return LatLng(round(point.lat + north, 6), round(point.lon + east / cos(radians(point.lat)), 6))


def _pedestrian_cells(city_map: CityMap) -> set[str]:
    clusters = connected(h3.latlng_to_cell(point.lat, point.lon, _ZONE_RESOLUTION) for point in city_map.pedestrian_points)
    return max(clusters, key=len, default=set())


def _geojson(cells: Collection[str]) -> Row:
    shape: Row = h3.cells_to_h3shape(sorted(cells), tight=False).__geo_interface__
    return {"type": shape["type"], "coordinates": [[list(map(list, ring)) for ring in part] for part in shape["coordinates"]]}


def _cell(lat: float, lon: float) -> int:
    cell: int = h3.str_to_int(h3.latlng_to_cell(lat, lon, geography.H3_RESOLUTION))
    return cell


def chunks(rows: Sequence[Row], size: int = 1000) -> Iterator[list[Row]]:
    left = iter(rows)
    while chunk := list(islice(left, size)):
        yield chunk
