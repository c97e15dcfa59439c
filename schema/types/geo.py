"""Points, boxes and shapes on the map."""

from __future__ import annotations

import math
from typing import cast

import strawberry
from strawberry import field

from domain import errors, search, values
from resolvers import areas


@strawberry.type(description="A point, WGS 84.")
class LatLng:
    lat: float = field(description="Degrees north, -90 to 90.")
    lon: float = field(description="Degrees east, -180 to 180.")


@strawberry.input(description="A point, WGS 84.")
class LatLngInput:
    lat: float = field(description="Degrees north, -90 to 90.")
    lon: float = field(description="Degrees east, -180 to 180.")

    def value(self, path: str) -> values.LatLng:
        if not (math.isfinite(self.lat) and abs(self.lat) <= 90 and math.isfinite(self.lon) and abs(self.lon) <= 180):
            raise errors.InvalidInput.of(path, "lat lies between -90 and 90, lon between -180 and 180.")
        return values.LatLng(self.lat, self.lon)


@strawberry.input(description="A box on the map that does not cross the 180th meridian.")
class BoxInput:
    south: float = field(description="Least latitude, degrees.")
    west: float = field(description="Least longitude, degrees.")
    north: float = field(description="Greatest latitude, degrees.")
    east: float = field(description="Greatest longitude, degrees.")

    def value(self) -> values.Box:
        return values.Box(self.south, self.west, self.north, self.east)


@strawberry.input(description="What lies around a point.")
class CircleInput:
    center: LatLngInput = field(description="Its middle.")
    radius_meters: int = field(description="How far from there, 1 to 20,000.", default=1000)


@strawberry.input(one_of=True, description="Where to look: around a point, or in a box.")
class AreaInput:
    near: CircleInput | None = field(description="Around a point.", default=strawberry.UNSET)
    box: BoxInput | None = field(description="In a box, 5 degrees wide and high at most.", default=strawberry.UNSET)

    def value(self, path: str) -> search.Area:
        if self.near:
            return areas.around(
                self.near.center.value(f"{path}.near.center"), self.near.radius_meters, f"{path}.near.radiusMeters"
            )
        return areas.within(cast("BoxInput", self.box).value(), f"{path}.box")
