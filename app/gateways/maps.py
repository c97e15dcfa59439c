"""Routers: Valhalla on the tiles of a map, and a calibrated great circle where there are none."""

from __future__ import annotations

import asyncio
import importlib
import threading
from concurrent.futures import ThreadPoolExecutor
from functools import cache
from pathlib import Path
from typing import Any

from app import tiles
from domain import errors, estimates
from domain.ports import Route
from domain.values import LatLng, LegMode

_THREADS = 2
_PATIENCE_SECONDS = 5.0
_SNAP_METERS = 2_000  # farther from any street than this is not on this map
_POLYLINE_PRECISION = 1e6
#: there is no costing for kick scooters: a bicycle at their speed comes close, a moped does not
_COSTING: dict[LegMode, dict[str, Any]] = {
    LegMode.WALK: {"costing": "pedestrian"},
    LegMode.BICYCLE: {"costing": "bicycle"},
    LegMode.SCOOTER: {"costing": "bicycle", "costing_options": {"bicycle": {"cycling_speed": 20}}},
    LegMode.CAR: {"costing": "auto"},
}
#: no street near a point, points in parts that are not connected, too far apart, no path
_NO_WAY = frozenset({154, 170, 171, 442, 443, 444, 445})


class GreatCircleRouter:
    """Great circle times a detour factor, at a typical speed: says so with `estimated`."""

    async def route(self, map_digest: str, mode: LegMode, start: LatLng, end: LatLng, *, language: str = "en") -> Route | None:
        del map_digest, language  # every map looks the same from here
        way = estimates.way(mode, start, end)
        return Route(mode, way.distance_meters, way.duration_seconds, estimated=True)


class ValhallaRouter:
    """The street network. Its engine is synchronous: one per thread and map, off the event loop."""

    def __init__(self, data_dir: Path) -> None:
        self._data_dir = data_dir
        self._threads = ThreadPoolExecutor(_THREADS, thread_name_prefix="valhalla")
        self._local = threading.local()

    async def route(self, map_digest: str, mode: LegMode, start: LatLng, end: LatLng, *, language: str = "en") -> Route | None:
        """Raises OutOfReach when the engine takes too long or has no tiles of that map."""
        request = {
            "locations": [_location(start), _location(end)],
            "directions_options": {"units": "kilometers", "language": language},
            **_COSTING[mode],
        }
        try:
            async with asyncio.timeout(_PATIENCE_SECONDS):
                loop = asyncio.get_running_loop()
                trip = await loop.run_in_executor(self._threads, self._trip, map_digest, request)
        except TimeoutError as error:
            raise errors.OutOfReach("The router does not answer. Try again.") from error
        return None if trip is None else _route(mode, trip)

    def close(self) -> None:
        self._threads.shutdown(wait=False, cancel_futures=True)

    def _trip(self, map_digest: str, request: dict[str, Any]) -> dict[str, Any] | None:
        actor = self._actor(map_digest)
        try:
            answer: dict[str, Any] = actor.route(request)
        except RuntimeError as error:  # ValhallaError is one, with a code
            if getattr(error, "code", None) in _NO_WAY:
                return None
            raise errors.OutOfReach(f"The router failed: {error}.") from error
        trip: dict[str, Any] = answer["trip"]
        return trip

    def _actor(self, map_digest: str) -> Any:
        actors: dict[str, Any] = self._local.__dict__.setdefault("actors", {})
        if map_digest not in actors:
            found = tiles.tiles_for(self._data_dir, map_digest)
            if found is None:
                raise errors.OutOfReach("There are no routing tiles of this map.")
            actors[map_digest] = importlib.import_module("valhalla").Actor(tiles.configuration(found))
        return actors[map_digest]


class Maps:
    """The street network where its tiles are built, an estimate elsewhere."""

    def __init__(self, data_dir: Path) -> None:
        self._data_dir = data_dir
        self._valhalla = ValhallaRouter(data_dir)
        self._great_circle = GreatCircleRouter()

    async def route(self, map_digest: str, mode: LegMode, start: LatLng, end: LatLng, *, language: str = "en") -> Route | None:
        has_streets = _is_installed() and tiles.tiles_for(self._data_dir, map_digest) is not None
        router = self._valhalla if has_streets else self._great_circle
        return await router.route(map_digest, mode, start, end, language=language)

    def close(self) -> None:
        self._valhalla.close()


@cache
def _is_installed() -> bool:
    return tiles.is_installed()


def _location(position: LatLng) -> dict[str, Any]:
    return {"lat": position.lat, "lon": position.lon, "search_cutoff": _SNAP_METERS}


def _route(mode: LegMode, trip: dict[str, Any]) -> Route:
    legs = trip["legs"]
    return Route(
        mode,
        distance_meters=round(trip["summary"]["length"] * 1000),
        duration_seconds=round(trip["summary"]["time"]),
        estimated=False,
        geometry=tuple(point for leg in legs for point in _decode(leg["shape"])),
        instructions=tuple(step["instruction"] for leg in legs for step in leg["maneuvers"]),
    )


def _decode(polyline: str) -> list[LatLng]:
    """Google's encoded polyline, with six decimals as Valhalla writes it."""
    points: list[LatLng] = []
    position = [0, 0]
    axis = shift = chunk = 0
    for letter in polyline:
        value = ord(letter) - 63
        chunk |= (value & 31) << shift
        shift += 5
        if value < 32:
            position[axis] += ~(chunk >> 1) if chunk & 1 else chunk >> 1
            if axis:
                points.append(LatLng(position[0] / _POLYLINE_PRECISION, position[1] / _POLYLINE_PRECISION))
            axis, shift, chunk = 1 - axis, 0, 0
    return points
