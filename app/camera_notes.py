"""Camera notes: what a camera wrote into a photo about when, where and how it was held (EXIF)."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from typing import Any, TypeVar

from PIL import ExifTags, Image

from domain.values import LatLng

_UPRIGHT = 1
T = TypeVar("T")
#: the largest offset that a clock on earth has
_MAX_OFFSET = timedelta(hours=14)


@dataclass(frozen=True, slots=True)
class Notes:
    orientation: int = _UPRIGHT
    #: without an offset when the camera named none, and no satellite gave the time
    taken_at: datetime | None = None
    taken_from: LatLng | None = None


def read(image: Image.Image) -> Notes:
    """What can be understood; cameras and strangers write anything."""
    exif = _attempt(image.getexif)
    if exif is None:
        return Notes()
    original = _attempt(lambda: exif.get_ifd(ExifTags.IFD.Exif)) or {}
    place = _attempt(lambda: exif.get_ifd(ExifTags.IFD.GPSInfo)) or {}
    return Notes(
        orientation=_attempt(lambda: int(exif.get(ExifTags.Base.Orientation, _UPRIGHT))) or _UPRIGHT,
        taken_at=_taken_at(original, place),
        taken_from=_attempt(lambda: _taken_from(place)),
    )


def _attempt(act: Callable[[], T]) -> T | None:
    try:
        return act()
    except Exception:  # the library raises whatever malformed notes lead it to
        return None


def _taken_at(original: Mapping[int, Any], place: Mapping[int, Any]) -> datetime | None:
    said = _attempt(lambda: datetime.strptime(_text(original[ExifTags.Base.DateTimeOriginal]), "%Y:%m:%d %H:%M:%S"))  # noqa: DTZ007
    offset = _attempt(lambda: datetime.strptime(_text(original[ExifTags.Base.OffsetTimeOriginal]), "%z").utcoffset())
    if said is not None and offset is not None and abs(offset) <= _MAX_OFFSET:
        return said.replace(tzinfo=UTC) - offset
    return _attempt(lambda: _by_satellite(place)) or said


def _by_satellite(place: Mapping[int, Any]) -> datetime:
    day = date.fromisoformat(_text(place[ExifTags.GPS.GPSDateStamp]).replace(":", "-"))
    hour, minute, second = (int(part) for part in place[ExifTags.GPS.GPSTimeStamp])
    return datetime.combine(day, time(hour, minute, second), UTC)


def _taken_from(place: Mapping[int, Any]) -> LatLng | None:
    lat = _degrees(place[ExifTags.GPS.GPSLatitude], place[ExifTags.GPS.GPSLatitudeRef], "S")
    lon = _degrees(place[ExifTags.GPS.GPSLongitude], place[ExifTags.GPS.GPSLongitudeRef], "W")
    # A camera without a fix writes zeros.
    is_place = math.isfinite(lat) and math.isfinite(lon) and abs(lat) <= 90 and abs(lon) <= 180 and (lat, lon) != (0.0, 0.0)
    return LatLng(lat, lon) if is_place else None


def _degrees(parts: Any, ref: Any, negative: str) -> float:
    degrees, minutes, seconds = (float(part) for part in parts)
    value = degrees + minutes / 60 + seconds / 3600
    return -value if _text(ref) == negative else value


def _text(value: Any) -> str:
    found = value.decode("ascii") if isinstance(value, bytes) else value
    if not isinstance(found, str):
        raise TypeError("a text was expected")
    return found.strip(" \0")
