"""Pictures as cameras make them, and as nobody should."""

from __future__ import annotations

import random
from io import BytesIO
from typing import Any

from PIL import ExifTags, Image

#: where the camera of the tests stands: 49° 24' 12.96" N, 8° 40' 32.52" E
LAT, LON = 49.4036, 8.6757
_PLACE: dict[int, Any] = {
    ExifTags.GPS.GPSLatitudeRef: "N",
    ExifTags.GPS.GPSLatitude: (49.0, 24.0, 12.96),
    ExifTags.GPS.GPSLongitudeRef: "E",
    ExifTags.GPS.GPSLongitude: (8.0, 40.0, 32.52),
}


def picture(width: int = 640, height: int = 480, *, mode: str = "RGB") -> Image.Image:
    """Noise, which no format makes small: red above, blue below."""
    dice = random.Random(width * height)
    tile = Image.frombytes("L", (64, 64), dice.randbytes(64 * 64)).resize((width, height))
    red = Image.new("L", (width, height), 255)
    red.paste(0, (0, height // 2, width, height))
    blue = Image.new("L", (width, height), 0)
    blue.paste(255, (0, height // 2, width, height))
    return Image.merge("RGB", (red, tile, blue)).convert(mode)


def encoded(image: Image.Image, kind: str = "JPEG", **given: Any) -> bytes:
    written = BytesIO()
    image.save(written, kind, **given)
    return written.getvalue()


def notes(
    *,
    taken: str | None = "2026:11:21 09:25:00",
    offset: str | None = "+01:00",
    place: dict[int, Any] | None = None,
    orientation: int | None = None,
) -> Image.Exif:
    exif = Image.Exif()
    exif[ExifTags.Base.Make] = "Kamera von Ada"
    if orientation is not None:
        exif[ExifTags.Base.Orientation] = orientation
    original = exif.get_ifd(ExifTags.IFD.Exif)
    if taken is not None:
        original[ExifTags.Base.DateTimeOriginal] = taken
    if offset is not None:
        original[ExifTags.Base.OffsetTimeOriginal] = offset
    exif.get_ifd(ExifTags.IFD.GPSInfo).update(_PLACE if place is None else place)
    return exif


def photo(**given: Any) -> bytes:
    """A JPEG as a phone takes it."""
    return encoded(picture(), exif=notes(**given), comment=b"taken by Ada", quality=90)
