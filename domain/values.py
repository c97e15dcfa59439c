"""Small values that every layer shares: vehicle types and states, money, positions, windows of time."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from math import asin, cos, radians, sin, sqrt

EARTH_RADIUS_METERS = 6_371_008.8


class VehicleType(StrEnum):
    """GBFS form factors, with vans (a GBFS `car` with cargo capacity) kept apart."""

    SCOOTER_STANDING = "scooter_standing"
    BICYCLE = "bicycle"
    CAR = "car"
    VAN = "van"

    @property
    def is_micromobility(self) -> bool:
        """Scooters and bikes: held up to 30 minutes ahead, open-ended. Cars and vans: a fixed window, up to 7 days ahead."""
        return self in (VehicleType.SCOOTER_STANDING, VehicleType.BICYCLE)


class VehicleState(StrEnum):
    """MDS 2.0 vehicle states."""

    AVAILABLE = "available"
    RESERVED = "reserved"
    ON_TRIP = "on_trip"
    STOPPED = "stopped"
    NON_OPERATIONAL = "non_operational"
    REMOVED = "removed"
    NON_CONTACTABLE = "non_contactable"
    MISSING = "missing"
    ELSEWHERE = "elsewhere"


class ReservationState(StrEnum):
    """TOMP-API 2.0 package states."""

    CONFIRMED = "confirmed"
    STARTED = "started"
    ENDED = "ended"
    CANCELLED = "cancelled"
    EXPIRED = "expired"


class LegMode(StrEnum):
    """OpenTripPlanner leg modes."""

    WALK = "walk"
    BICYCLE = "bicycle"
    SCOOTER = "scooter"
    CAR = "car"

    @classmethod
    def of(cls, vehicle_type: VehicleType) -> LegMode:
        return {
            VehicleType.SCOOTER_STANDING: cls.SCOOTER,
            VehicleType.BICYCLE: cls.BICYCLE,
            VehicleType.CAR: cls.CAR,
            VehicleType.VAN: cls.CAR,
        }[vehicle_type]


@dataclass(frozen=True, slots=True)
class Money:
    minor_units: int
    currency: str


def is_storable(text: str) -> bool:
    """Whether PostgreSQL takes it: JSON can carry NUL characters and halves of surrogate pairs, a row cannot."""
    try:
        return b"\0" not in text.encode()
    except UnicodeEncodeError:
        return False


@dataclass(frozen=True, slots=True)
class LatLng:
    lat: float
    lon: float

    def meters_to(self, other: LatLng) -> float:
        """Great-circle distance (haversine, mean Earth radius)."""
        lat1, lat2 = radians(self.lat), radians(other.lat)
        half = sin((lat2 - lat1) / 2) ** 2 + cos(lat1) * cos(lat2) * sin(radians(other.lon - self.lon) / 2) ** 2
        return 2 * EARTH_RADIUS_METERS * asin(sqrt(half))


@dataclass(frozen=True, slots=True)
class Box:
    south: float
    west: float
    north: float
    east: float


@dataclass(frozen=True, slots=True)
class TimeWindow:
    """Half open: [starts_at, ends_at), both aware and in UTC."""

    starts_at: datetime
    ends_at: datetime
