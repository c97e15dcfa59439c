"""Points and boxes on the map."""

from __future__ import annotations

import math

import strawberry
from strawberry import field

from domain import errors, values


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
