"""The streets of a map: where the dense core is, which points are open to everybody, which street is nearest."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping
from itertools import pairwise
from math import cos, floor, hypot, radians

import h3

from domain.values import Box, LatLng

Point = tuple[float, float]

_DROP = frozenset({"residential", "living_street", "tertiary", "unclassified", "secondary"})
_PUBLIC = _DROP | {"primary", "pedestrian", "service", "primary_link", "secondary_link", "tertiary_link", "cycleway"}
_CLOSED = frozenset({"no", "private", "customers", "delivery", "permit"})
_CORE_RESOLUTION = 8  # cells about 900 m across
_CORE_SHARE = 0.1  # of the busiest cell's road nodes
_STEP_METERS = 70.0
_METERS_PER_DEGREE = 111_195.0
_GRID_DEGREES = 0.002


class Streets:
    """Public streets, added way by way."""

    def __init__(self) -> None:
        self._ways: list[tuple[int, list[Point], bool]] = []  # first node, line, may vehicles stand there
        self._parent: dict[int, int] = {}
        self._names: dict[tuple[int, int], list[tuple[float, float, str]]] = defaultdict(list)
        self._cells: Counter[str] = Counter()
        self.pedestrian: list[Point] = []

    def add(self, tags: Mapping[str, str], refs: list[int], line: list[Point]) -> None:
        kind = tags["highway"]
        if kind not in _PUBLIC or not line or tags.get("access") in _CLOSED or tags.get("area") == "yes":
            return
        root = self._root(refs[0])
        for ref in refs[1:]:
            self._parent[self._root(ref)] = root
        off_ground = "bridge" in tags or "tunnel" in tags or tags.get("foot") == "no"
        self._ways.append((refs[0], line, kind in _DROP and not off_ground))
        if kind == "pedestrian":
            self.pedestrian += _along(line, _STEP_METERS / 2)
        if "name" in tags and "tunnel" not in tags:
            for lat, lon in _along(line, _STEP_METERS):
                self._names[_square(lat, lon)].append((lat, lon, tags["name"]))
        if kind in _DROP or kind == "pedestrian":
            self._cells.update(h3.latlng_to_cell(lat, lon, _CORE_RESOLUTION) for lat, lon in line)

    def core(self) -> set[str]:
        """The largest connected cluster of busy cells: the city without the villages around it."""
        if not self._cells:
            return set()
        least = self._cells.most_common(1)[0][1] * _CORE_SHARE
        clusters = connected(cell for cell, count in self._cells.items() if count >= least)
        return max(clusters, key=lambda cells: sum(self._cells[cell] for cell in cells))

    def center(self, core: set[str]) -> LatLng:
        """The middle of the busiest neighborhood."""
        busiest = max(sorted(core), key=lambda cell: sum(self._cells[near] for near in h3.grid_disk(cell, 1)))
        lat, lon = h3.cell_to_latlng(busiest)
        return LatLng(round(lat, 6), round(lon, 6))

    def open_points(self, core: set[str]) -> list[LatLng]:
        """Points on streets of the core where a vehicle may stand, all connected with each other."""
        roots = Counter(self._root(first) for first, _, _ in self._ways)
        if not roots:
            return []
        main = roots.most_common(1)[0][0]
        return [
            LatLng(round(lat, 6), round(lon, 6))
            for first, line, may_stand in self._ways
            if may_stand and self._root(first) == main
            for lat, lon in _along(line, _STEP_METERS)
            if h3.latlng_to_cell(lat, lon, _CORE_RESOLUTION) in core
        ]

    def nearest_name(self, lat: float, lon: float, other_than: str = "") -> str | None:
        """The nearest named street within about 200 m."""
        row, column = _square(lat, lon)
        near = [
            (hypot((there[0] - lat), (there[1] - lon) * cos(radians(lat))), there[2])
            for dy in (-1, 0, 1)
            for dx in (-1, 0, 1)
            for there in self._names.get((row + dy, column + dx), ())
            if there[2] != other_than
        ]
        return min(near)[1] if near else None

    def _root(self, ref: int) -> int:
        parent = self._parent
        while (above := parent.setdefault(ref, ref)) != ref:
            parent[ref] = parent[above]
            ref = above
        return ref


def connected(cells: Iterable[str]) -> list[set[str]]:
    """Clusters of neighboring H3 cells."""
    left = set(cells)
    clusters = []
    while left:
        frontier = [min(left)]
        cluster = set(frontier)
        left -= cluster
        while frontier:
            found = left.intersection(h3.grid_disk(frontier.pop(), 1))
            left -= found
            cluster |= found
            frontier += found
        clusters.append(cluster)
    return clusters


def box_of(cells: Iterable[str]) -> Box:
    corners = [corner for cell in cells for corner in h3.cell_to_boundary(cell)]
    lats, lons = [lat for lat, _ in corners], [lon for _, lon in corners]
    return Box(south=min(lats), west=min(lons), north=max(lats), east=max(lons))


def _square(lat: float, lon: float) -> tuple[int, int]:
    return floor(lat / _GRID_DEGREES), floor(lon / _GRID_DEGREES)


def _along(line: list[Point], step: float) -> list[Point]:
    """Points inside a line, `step` meters apart, starting half a step from its beginning; the middle of a short one."""
    points: list[Point] = []
    left = step / 2
    for (lat, lon), (lat2, lon2) in pairwise(line):
        north = (lat2 - lat) * _METERS_PER_DEGREE
        east = (lon2 - lon) * _METERS_PER_DEGREE * cos(radians(lat))
        length = hypot(north, east)
        while left <= length and length > 0:
            share = left / length
            points.append((lat + (lat2 - lat) * share, lon + (lon2 - lon) * share))
            left += step
        left -= length
    return points or [line[len(line) // 2]]
