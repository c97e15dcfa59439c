"""The generated city: Nimburg, written as an OpenStreetMap file so that it goes down the same road as a real one."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from itertools import pairwise
from math import cos, radians, sin
from pathlib import Path
from random import Random

import osmium
from osmium.osm import mutable

from app import city_plan as plan

Tags = dict[str, str]
Cross = tuple[int, int]  # column and row of a crossing

CITY = "Nimburg"
ATTRIBUTION = "Nimburg is a made-up city; its map is generated."
_GENERATOR = "nimrod city"

_METERS_PER_DEGREE = 111_195.0


def generate_city(path: Path, seed: int = 1) -> Path:
    """Writes the city of that seed to `path` (.osm.pbf): the same bytes for the same seed, in one rename."""
    draft = _Draft()
    rng = Random(f"nimburg-{seed}")  # noqa: S311 - a believable city, not a secret
    _streets(draft, rng)
    _river(draft)
    _paths(draft)
    _landmarks(draft)
    _small_places(draft, rng)
    _stations(draft, rng)
    part = path.with_name(f".{os.getpid()}-{path.name}")
    path.parent.mkdir(parents=True, exist_ok=True)
    draft.save(part)
    part.replace(path)
    return path


def position(column: float, row: float) -> tuple[float, float]:
    """Latitude and longitude of a point of the street grid, bent a little: no city is a chessboard."""
    east, north = (column - plan.MIDDLE) * plan.SPACING_METERS, (row - plan.MIDDLE) * plan.SPACING_METERS
    bent_east = east + 60 * sin(north / 800) + 25 * sin(east / 330)
    bent_north = north + 55 * sin(east / 900) + 20 * sin(north / 370)
    lat = plan.CENTER_LAT + bent_north / _METERS_PER_DEGREE
    lon = plan.CENTER_LON + bent_east / (_METERS_PER_DEGREE * cos(radians(plan.CENTER_LAT)))
    return round(lat, 7), round(lon, 7)


class _Draft:
    """Nodes and ways in the order they were drawn, numbered from 1."""

    def __init__(self) -> None:
        self._nodes: list[tuple[float, float, Tags]] = []
        self._ways: list[tuple[list[int], Tags]] = []
        self._crossings: dict[tuple[float, float], int] = {}

    def node(self, column: float, row: float, tags: Tags) -> int:
        self._nodes.append((*position(column, row), tags))
        return len(self._nodes)

    def shared(self, column: float, row: float) -> int:
        """The untagged node of that point: ways that name the same point meet there."""
        if (column, row) not in self._crossings:
            self._crossings[column, row] = self.node(column, row, {})
        return self._crossings[column, row]

    def way(self, points: Sequence[tuple[float, float]], tags: Tags) -> None:
        self._ways.append(([self.shared(*point) for point in points], tags))

    def area(self, west: float, south: float, east: float, north: float, tags: Tags) -> None:
        corners = [(west, south), (east, south), (east, north), (west, north)]
        refs = [self.node(*corner, {}) for corner in corners]
        self._ways.append(([*refs, refs[0]], tags))

    def save(self, path: Path) -> None:
        header = osmium.io.Header()
        header.set("generator", _GENERATOR)
        # uncompressed: the bytes, and so the digest, do not depend on the machine's zlib
        target = osmium.io.File(str(path), "pbf,pbf_compression=none")
        with osmium.SimpleWriter(target, header=header, overwrite=True) as writer:
            for number, (lat, lon, tags) in enumerate(self._nodes, start=1):
                writer.add_node(mutable.Node(id=number, version=1, location=(lon, lat), tags=tags))
            for number, (refs, tags) in enumerate(self._ways, start=1):
                writer.add_way(mutable.Way(id=number, version=1, nodes=refs, tags=tags))


def _streets(draft: _Draft, rng: Random) -> None:
    closed = _closed_to_cars(rng)
    for index in range(plan.SIZE):
        for across in (True, False):
            line = [(step, index) if across else (index, step) for step in range(plan.SIZE)]
            for points, tags in _runs(line, index, across, closed):
                draft.way(points, tags)
    for name, points in plan.AVENUES.items():
        draft.way(points, {"highway": "secondary", "name": name, "maxspeed": "50", "lit": "yes"})
    draft.way(plan.AIRPORT_ROAD, {"highway": "secondary", "name": "Airport Road", "maxspeed": "70"})


def _runs(
    line: Sequence[Cross], index: int, across: bool, closed: set[tuple[Cross, Cross]]
) -> Iterator[tuple[list[Cross], Tags]]:
    """A line of the grid, cut where its character changes."""
    points: list[Cross] = []
    tags: Tags | None = None
    for start, end in pairwise(line):
        found = _edge_tags(start, end, index, across, closed)
        if found != tags:
            if tags is not None:
                yield points, tags
            points, tags = [start], found
        points.append(end)
    if tags is not None:
        yield points, tags


def _edge_tags(start: Cross, end: Cross, index: int, across: bool, closed: set[tuple[Cross, Cross]]) -> Tags | None:
    name = plan.ROW_NAMES[index] if across else plan.COLUMN_NAMES[index]
    if _is_pedestrian(start, end):
        return {"highway": "pedestrian", "name": plan.LANE_NAMES[(index + 5 * across) % 6], "bicycle": "yes"}
    kind = plan.row_class(index) if across else plan.column_class(index)
    tags = {"highway": kind, "name": name, "maxspeed": "30" if kind == "residential" else "50", "lit": "yes"}
    if not across and (start[1], end[1]) == plan.RIVER_ROWS:
        if index in plan.BRIDGES:
            return {**tags, "highway": "secondary", "name": plan.BRIDGES[index], "bridge": "yes", "layer": "1"}
        if index in plan.FOOTBRIDGES:
            named = {"highway": "cycleway", "name": plan.FOOTBRIDGES[index], "foot": "designated"}
            return {**named, "bridge": "yes", "layer": "1"}
        return None
    if (start, end) in closed:
        return {"highway": "path", "name": name, "foot": "designated", "bicycle": "designated"}
    if (direction := plan.one_way(index, across)) is not None:
        return {**tags, "oneway": direction, "oneway:bicycle": "no"}
    if kind != "residential":
        return {**tags, "cycleway:both": "lane", "sidewalk": "both"}
    return tags


def _is_pedestrian(start: Cross, end: Cross) -> bool:
    """Strictly inside the old town; the streets around it stay open to cars."""
    low, high = plan.OLD_TOWN
    column, row = (start[0] + end[0]) / 2, (start[1] + end[1]) / 2
    return low < column < high and low < row < high


def _closed_to_cars(rng: Random) -> set[tuple[Cross, Cross]]:
    """Some side streets, never two at one crossing, so that cars still get everywhere."""
    closed: set[tuple[Cross, Cross]] = set()
    touched: set[Cross] = set()
    for column in range(1, plan.SIZE - 2):
        for row in range(1, plan.SIZE - 2):
            across = rng.random() < 0.5
            chosen = rng.random() < 0.1
            start, end = (column, row), (column + 1, row) if across else (column, row + 1)
            kind = plan.row_class(row) if across else plan.column_class(column)
            one_way = plan.one_way(column, False) or plan.one_way(row, True)
            if chosen and kind == "residential" and not one_way and not {start, end} & touched:
                closed.add((start, end))
                touched |= {start, end}
    return closed


def _river(draft: _Draft) -> None:
    south, north = plan.RIVER_ROWS[0] + 0.25, plan.RIVER_ROWS[1] - 0.2
    columns = [step - 0.5 for step in range(plan.SIZE + 1)]
    banks = [(column, south) for column in columns] + [(column, north) for column in reversed(columns)]
    draft.way([*banks, banks[0]], {"natural": "water", "water": "river", "name": "Nim"})
    draft.way([(column, (south + north) / 2) for column in columns], {"waterway": "river", "name": "Nim"})
    track = [(column, 7.5) for column in columns]
    draft.way(track, {"railway": "rail", "usage": "main", "bridge": "yes", "layer": "2", "electrified": "contact_line"})


def _paths(draft: _Draft) -> None:
    """A riverside cycleway and the ways through the parks."""
    row = plan.RIVER_ROWS[0] + 0.15
    promenade = {"highway": "cycleway", "name": "River Path", "foot": "designated", "segregated": "no"}
    draft.way([(column, row) for column in range(1, plan.SIZE - 1)], promenade)
    for column in range(1, plan.SIZE - 1, 2):
        draft.way([(column, row), (column, plan.RIVER_ROWS[0])], {"highway": "footway", "bicycle": "yes"})
    for name, west, south in plan.PARKS:
        draft.area(west + 0.1, south + 0.1, west + 0.9, south + 0.9, {"leisure": "park", "name": name})
        middle = (west + 0.5, south + 0.5)
        walk = {"highway": "footway", "bicycle": "yes", "surface": "fine_gravel"}
        draft.way([(west, south), middle, (west + 1, south + 1)], walk)
        draft.way([(west + 1, south), middle, (west, south + 1)], walk)


def _landmarks(draft: _Draft) -> None:
    draft.node(plan.MIDDLE, plan.MIDDLE, plan.CITY_TAGS | {"name": CITY, "attribution": ATTRIBUTION})
    for name, column, row in plan.DISTRICTS:
        draft.node(column, row, {"place": "suburb", "name": name})
    for name, column, row, key, value in plan.LANDMARKS:
        draft.node(column, row, {key: value, "name": name})
    for name, west, south, key, value in plan.GROUNDS:
        draft.area(west + 0.12, south + 0.12, west + 0.88, south + 0.88, {key: value, "name": name})
    for index, stop in enumerate(plan.bus_stops()):
        column, row = stop
        name = plan.COLUMN_NAMES[int(column)] if index % 2 else plan.ROW_NAMES[int(row)]
        draft.node(column + 0.06, row + 0.04, {"highway": "bus_stop", "public_transport": "platform", "name": name})


def _small_places(draft: _Draft, rng: Random) -> None:
    taken: set[str] = set()
    for key, value, nouns, count in plan.SMALL_PLACES:
        for _ in range(count):
            name = f"{rng.choice(plan.WORDS)} {rng.choice(nouns)}"
            if name in taken:
                continue
            taken.add(name)
            column, row = rng.triangular(0.5, plan.SIZE - 1.5, plan.MIDDLE), rng.triangular(0.5, 27.5, 14)
            if not plan.RIVER_ROWS[0] < row < plan.RIVER_ROWS[1]:
                draft.node(round(column) + 0.3, round(row) + 0.08, {key: value, "name": name})


def _stations(draft: _Draft, rng: Random) -> None:
    for column, row in plan.charging_spots():
        name = _corner(column, row)
        tags = {"amenity": "charging_station", "name": name, "capacity": str(rng.randint(14, 20)), "car": "yes"}
        draft.node(column + 0.1, row - 0.06, tags)
    for column, row in plan.rental_spots():
        tags = {"amenity": "bicycle_rental", "name": _corner(column, row), "capacity": str(rng.randint(10, 24))}
        draft.node(column - 0.08, row + 0.05, tags)
    for column, row in plan.CAR_SHARING:
        tags = {"amenity": "car_sharing", "name": _corner(column, row), "capacity": str(rng.randint(3, 6))}
        draft.node(column + 0.15, row + 0.06, tags)


def _corner(column: float, row: float) -> str:
    return f"{plan.ROW_NAMES[int(row)]} / {plan.COLUMN_NAMES[int(column)]}"
