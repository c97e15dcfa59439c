"""Photo files: whatever was sent, what is kept is a JPEG of ours that says nothing but what it shows."""

from __future__ import annotations

import asyncio
import struct
import threading
import zipfile
import zlib
from datetime import UTC, datetime
from hashlib import sha256
from io import BytesIO
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import ExifTags, Image

from app import photo_files
from app.photo_files import PhotoFiles, Unusable, read_picture
from domain.photos import Picture
from tests.app.pictures import LAT, LON, encoded, notes, photo, picture


def code_of(content: bytes) -> str:
    with pytest.raises(Unusable) as refusal:
        read_picture(content)
    assert refusal.value.message.endswith((".", ")"))
    assert 400 <= refusal.value.status < 500
    return refusal.value.code


def opened(kept: Picture) -> Image.Image:
    image = Image.open(BytesIO(kept.content))
    image.load()
    assert (image.format, image.mode, image.size) == ("JPEG", "RGB", (kept.width, kept.height))
    assert kept.sha256 == sha256(kept.content).digest()
    return image


def png(width: int, height: int, *, data: bytes = b"") -> bytes:
    """One that says how large it is, and has no pixels to show for it."""

    def chunk(kind: bytes, body: bytes) -> bytes:
        return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))

    head = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", head) + chunk(b"IDAT", data) + chunk(b"IEND", b"")


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "WEBP"])
def test_photos_of_the_three_kinds_are_taken_whatever_they_are_called(kind: str) -> None:
    assert opened(read_picture(encoded(picture(), kind))).size == (640, 480)


def test_what_the_camera_wrote_is_read_and_then_gone() -> None:
    sent = photo()
    assert b"Kamera von Ada" in sent
    kept = read_picture(sent)
    assert kept.taken_at == datetime(2026, 11, 21, 8, 25, tzinfo=UTC)
    assert kept.taken_from is not None
    assert (round(kept.taken_from.lat, 6), round(kept.taken_from.lon, 6)) == (LAT, LON)
    assert dict(opened(kept).getexif()) == {}
    for word in (b"Exif", b"Ada", b"ICC_PROFILE", b"http://ns.adobe.com"):
        assert word not in kept.content


def test_profiles_and_packets_of_other_programs_are_gone_as_well() -> None:
    sent = encoded(picture(), icc_profile=b"profile of Ada" * 20, xmp=b"<x:xmpmeta>Ada</x:xmpmeta>")
    assert b"Ada" in sent
    assert b"Ada" not in read_picture(sent).content


def test_notes_in_png_and_webp_are_read_and_gone_too() -> None:
    for kind in ("PNG", "WEBP"):
        kept = read_picture(encoded(picture(), kind, exif=notes()))
        assert kept.taken_at == datetime(2026, 11, 21, 8, 25, tzinfo=UTC), kind
        assert b"Ada" not in kept.content


def test_a_camera_that_names_no_offset_has_said_a_time_by_its_wall() -> None:
    assert read_picture(photo(offset=None, place={})).taken_at == datetime(2026, 11, 21, 9, 25)  # noqa: DTZ001


def test_satellites_tell_the_time_where_the_camera_names_no_offset() -> None:
    said = {ExifTags.GPS.GPSDateStamp: "2026:11:21", ExifTags.GPS.GPSTimeStamp: (8.0, 24.0, 59.0)}
    assert read_picture(photo(offset=None, place=said)).taken_at == datetime(2026, 11, 21, 8, 24, 59, tzinfo=UTC)


def test_south_and_west_are_negative() -> None:
    place = {
        ExifTags.GPS.GPSLatitudeRef: "S",
        ExifTags.GPS.GPSLatitude: (10.0, 30.0, 0.0),
        ExifTags.GPS.GPSLongitudeRef: "W",
        ExifTags.GPS.GPSLongitude: (20.0, 0.0, 36.0),
    }
    taken_from = read_picture(photo(place=place)).taken_from
    assert taken_from is not None
    assert (taken_from.lat, round(taken_from.lon, 6)) == (-10.5, -20.01)


@pytest.mark.parametrize(
    "said",
    [
        {"taken": "0000:00:00 00:00:00", "place": {}},
        {"taken": "yesterday", "offset": "later", "place": {}},
        {"taken": None, "offset": "+01:00", "place": {ExifTags.GPS.GPSLatitude: (1.0, 2.0)}},
        {"taken": None, "place": {ExifTags.GPS.GPSDateStamp: "2026:13:40", ExifTags.GPS.GPSTimeStamp: (99.0, 0.0, 0.0)}},
    ],
)
def test_nonsense_of_a_camera_refuses_no_photo(said: dict[str, Any]) -> None:
    kept = read_picture(photo(**said))
    assert (kept.taken_at, kept.taken_from) == (None, None)


@pytest.mark.parametrize("degrees", [(0.0, 0.0, 0.0), (91.0, 0.0, 0.0), (float("inf"), 0.0, 0.0)])
def test_a_place_that_is_none_counts_as_none(degrees: tuple[float, ...]) -> None:
    place = {
        ExifTags.GPS.GPSLatitudeRef: "N",
        ExifTags.GPS.GPSLatitude: degrees,
        ExifTags.GPS.GPSLongitudeRef: "E",
        ExifTags.GPS.GPSLongitude: (0.0, 0.0, 0.0),
    }
    assert read_picture(photo(place=place)).taken_from is None


@pytest.mark.parametrize("orientation", range(1, 9))
def test_the_picture_stands_as_the_camera_was_held(orientation: int) -> None:
    upright = picture()
    undone = {
        2: Image.Transpose.FLIP_LEFT_RIGHT,
        3: Image.Transpose.ROTATE_180,
        4: Image.Transpose.FLIP_TOP_BOTTOM,
        5: Image.Transpose.TRANSPOSE,
        6: Image.Transpose.ROTATE_90,
        7: Image.Transpose.TRANSVERSE,
        8: Image.Transpose.ROTATE_270,
    }
    held = upright.transpose(undone[orientation]) if orientation in undone else upright
    kept = opened(read_picture(encoded(held, exif=notes(orientation=orientation), quality=95)))
    assert kept.size == (640, 480)
    above, below = kept.getpixel((320, 60)), kept.getpixel((320, 420))
    assert isinstance(above, tuple)
    assert isinstance(below, tuple)
    assert above[0] > 200 > below[0]
    assert above[2] < 100 < below[2]


def test_a_large_photo_is_made_smaller_and_keeps_its_shape() -> None:
    assert opened(read_picture(encoded(picture(4000, 3000)))).size == (2048, 1536)
    assert opened(read_picture(encoded(picture(300, 6000)))).size == (102, 2048)


def test_the_same_file_is_always_the_same_picture() -> None:
    sent = photo()
    assert read_picture(sent) == read_picture(sent)


def test_what_can_be_seen_through_is_seen_on_white() -> None:
    glass = Image.new("RGBA", (300, 300), (0, 0, 0, 0))
    assert opened(read_picture(encoded(glass, "PNG"))).getpixel((150, 150)) == (255, 255, 255)


@pytest.mark.parametrize("mode", ["L", "CMYK", "P", "1", "LA", "I;16"])
def test_a_photo_of_other_colours_is_taken(mode: str) -> None:
    image = picture(mode="L").convert("I;16") if mode == "I;16" else picture(mode=mode)
    opened(read_picture(encoded(image, "JPEG" if mode == "CMYK" else "PNG")))


def test_forty_megapixels_are_refused_before_a_pixel_is_decoded() -> None:
    assert code_of(png(8000, 5000)) == "PHOTO_TOO_MANY_PIXELS"
    assert code_of(png(5001, 5000)) == "PHOTO_TOO_MANY_PIXELS"
    assert code_of(png(5000, 5000)) == "PHOTO_DAMAGED"


def test_what_would_be_gigabytes_when_decoded_is_refused() -> None:
    for size in (12_000, 60_000, 2**31 - 1):
        assert code_of(png(size, size, data=zlib.compress(bytes(1000)))) == "PHOTO_TOO_MANY_PIXELS"


def test_what_is_no_photo_is_refused() -> None:
    for content in (b"", b"GIF", b"<svg xmlns='http://www.w3.org/2000/svg'/>", b"%PDF-1.7", b"\xff\xd8\xff", bytes(5000)):
        assert code_of(content) == "NOT_A_PHOTO", content[:20]


def test_other_kinds_of_files_are_named_as_such() -> None:
    for kind in ("GIF", "BMP", "TIFF"):
        assert code_of(encoded(picture(), kind)) == "PHOTO_FORMAT_NOT_TAKEN", kind
    assert code_of(b"\x00\x00\x00\x18ftypavif" + bytes(200)) == "PHOTO_FORMAT_NOT_TAKEN"


def test_who_sends_heic_hears_what_to_set_the_camera_to() -> None:
    with pytest.raises(Unusable, match="JPEG") as refusal:
        read_picture(b"\x00\x00\x00\x18ftypheic" + bytes(200))
    assert (refusal.value.code, refusal.value.status) == ("PHOTO_FORMAT_NOT_TAKEN", 415)


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "WEBP"])
def test_half_a_photo_is_refused(kind: str) -> None:
    content = encoded(picture(), kind)
    assert code_of(content[: len(content) // 2]) == "PHOTO_DAMAGED"


@pytest.mark.parametrize("size", [(199, 4000), (4000, 199), (1, 1)])
def test_a_photo_on_which_nothing_can_be_seen_is_refused(size: tuple[int, int]) -> None:
    assert code_of(encoded(picture(*size))) == "PHOTO_TOO_SMALL"


@pytest.mark.parametrize("kind", ["PNG", "WEBP"])
def test_a_film_is_refused(kind: str) -> None:
    frames = [picture(), picture(mode="L").convert("RGB")]
    assert code_of(encoded(frames[0], kind, save_all=True, append_images=frames[1:])) == "PHOTO_ANIMATED"


def test_a_photo_with_a_second_one_behind_it_is_a_photo() -> None:
    """Phones add one for depth or for larger screens."""
    kept = read_picture(encoded(picture(), "MPO", save_all=True, append_images=[picture(300, 300)]))
    assert opened(kept).size == (640, 480)


def test_of_a_photo_that_is_an_archive_or_a_page_as_well_nothing_else_is_kept() -> None:
    hidden = BytesIO()
    with zipfile.ZipFile(hidden, "w") as archive:
        archive.writestr("evil.html", "<script>alert(1)</script>")
    kept = read_picture(photo() + hidden.getvalue() + b"<script>alert(2)</script>")
    assert not zipfile.is_zipfile(BytesIO(kept.content))
    assert b"script" not in kept.content
    assert opened(kept).size == (640, 480)


def test_a_progressive_photo_is_taken_and_one_of_a_thousand_scans_is_not() -> None:
    """Each scan costs as much as the whole picture: a small file could keep a core busy for hours."""
    content = encoded(picture(), progressive=True)
    assert opened(read_picture(content)).size == (640, 480)
    first = content.index(b"\xff\xda")
    second = content.index(b"\xff\xda", first + 2)
    bomb = content[:second] + content[first:second] * 1000 + content[second:]
    assert code_of(bomb) == "PHOTO_TOO_COMPLEX"


def test_a_photo_of_countless_empty_parts_is_refused() -> None:
    content = encoded(picture())
    assert code_of(content[:2] + b"\xff\xfe\x00\x02" * (photo_files.MAX_SEGMENTS + 1) + content[2:]) == "PHOTO_TOO_COMPLEX"


SMALL = encoded(picture(240, 200), exif=notes())


@settings(max_examples=100, deadline=None)
@given(st.lists(st.tuples(st.integers(0, len(SMALL) - 1), st.integers(0, 255)), max_size=20), st.integers(0, len(SMALL)))
def test_whatever_the_bytes_they_are_kept_as_a_photo_or_refused(changes: list[tuple[int, int]], length: int) -> None:
    content = bytearray(SMALL)
    for at, value in changes:
        content[at] = value
    try:
        kept = read_picture(bytes(content[:length] if length % 2 else content))
    except Unusable:
        return
    opened(kept)


async def test_two_are_decoded_at_a_time(monkeypatch: pytest.MonkeyPatch) -> None:
    most = now = 0
    lock, both = threading.Lock(), threading.Barrier(photo_files.AT_A_TIME)

    def slow(content: bytes) -> bytes:
        nonlocal most, now
        with lock:
            now += 1
            most = max(most, now)
        both.wait(20)
        with lock:
            now -= 1
        return content

    monkeypatch.setattr(photo_files, "read_picture", slow)
    files = PhotoFiles()
    await asyncio.gather(*(files.read(b"") for _ in range(6)))
    assert most == photo_files.AT_A_TIME
