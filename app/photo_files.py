"""Photo files: what a rider sent becomes a JPEG of ours, without a word of the camera, or is refused."""

from __future__ import annotations

import asyncio
import hashlib
import re
from io import BytesIO

from PIL import Image, UnidentifiedImageError

from app import camera_notes
from domain.photos import Picture

_FORMATS = ("JPEG", "PNG", "WEBP")
MAX_PIXELS = 25_000_000
MIN_SIDE = 200
MAX_SIDE = 2048
QUALITY = 85
#: decoding takes a core for a second and a hundred MiB: more at a time would starve everything else
AT_A_TIME = 2
#: parts of a progressive JPEG, each of which costs as much as the whole picture; cameras write a dozen
MAX_SCANS = 100
#: of any kind; an honest file has some dozens
MAX_SEGMENTS = 10_000
_SEGMENT = re.compile(rb"\xff([^\x00\xff\xd0-\xd7])")
_START_OF_SCAN, _END_OF_IMAGE = b"\xda", b"\xd9"
_TURNS = {
    2: (Image.Transpose.FLIP_LEFT_RIGHT,),
    3: (Image.Transpose.ROTATE_180,),
    4: (Image.Transpose.FLIP_TOP_BOTTOM,),
    5: (Image.Transpose.TRANSPOSE,),
    6: (Image.Transpose.ROTATE_270,),
    7: (Image.Transpose.TRANSVERSE,),
    8: (Image.Transpose.ROTATE_90,),
}
_HEIC = {b"heic", b"heix", b"hevc", b"heim", b"heis", b"mif1", b"msf1"}
_OTHERS = (b"GIF8", b"BM", b"II*\x00", b"MM\x00*")


class Unusable(Exception):
    """What was sent is no photo that can be kept."""

    def __init__(self, code: str, message: str, *, status: int = 422) -> None:
        self.code = code
        self.message = message
        self.status = status
        super().__init__(message)


class PhotoFiles:
    """Reads pictures off the event loop, two at a time."""

    def __init__(self) -> None:
        self._gate = asyncio.Semaphore(AT_A_TIME)

    async def read(self, content: bytes) -> Picture:
        """Raises Unusable."""
        async with self._gate:
            return await asyncio.to_thread(read_picture, content)


def read_picture(content: bytes) -> Picture:
    """Nothing of the bytes that came is kept: whatever else they were, a web page or an archive, is gone. Raises Unusable."""
    try:
        with Image.open(BytesIO(content), formats=_FORMATS) as image:
            _check(image, content)
            notes = camera_notes.read(image)
            return _written(_upright(image, notes.orientation), notes)
    except UnidentifiedImageError as error:
        raise _refusal(content) from error
    except (Image.DecompressionBombError, Image.DecompressionBombWarning) as error:
        raise _too_many_pixels() from error
    except Unusable:
        raise
    except Exception as error:  # a decoder may raise anything on bytes that a stranger made
        raise Unusable("PHOTO_DAMAGED", "The photo is damaged or incomplete. Send it again, or take a new one.") from error


def _check(image: Image.Image, content: bytes) -> None:
    """By the head of the file alone: no pixel has been decoded yet."""
    if image.width * image.height > MAX_PIXELS:
        raise _too_many_pixels()
    if min(image.size) < MIN_SIDE:
        raise Unusable("PHOTO_TOO_SMALL", f"The photo is smaller than {MIN_SIDE} pixels a side. Take a larger one.")
    # Phones add a second picture to a JPEG (MPO); that is not a film.
    if image.format != "MPO" and getattr(image, "is_animated", False):
        raise Unusable("PHOTO_ANIMATED", "This is a film, not a photo. Send a single picture.")
    if image.format in ("JPEG", "MPO") and not _is_simple(content):
        raise Unusable(
            "PHOTO_TOO_COMPLEX", "The photo would take too long to decode. Take it with a camera, and send it as it is."
        )


def _is_simple(content: bytes) -> bool:
    """Of the first picture of a JPEG file: whether decoding it ends soon."""
    scans = segments = 0
    at = 2
    while scans <= MAX_SCANS and segments <= MAX_SEGMENTS:
        found = _SEGMENT.search(content, at)
        if found is None or found[1] == _END_OF_IMAGE:
            return True
        segments += 1
        scans += found[1] == _START_OF_SCAN
        at = found.end() + int.from_bytes(content[found.end() : found.end() + 2])
    return False


def _upright(image: Image.Image, orientation: int) -> Image.Image:
    """Its pixels alone, as large as they are kept."""
    image.draft("RGB", (MAX_SIDE, MAX_SIDE))
    image.load()
    plain: Image.Image = image
    if image.has_transparency_data:
        seen = image.convert("RGBA")
        plain = Image.new("RGB", seen.size, "white")
        plain.paste(seen, mask=seen)
    elif image.mode != "RGB":
        plain = image.convert("RGB")
    plain.thumbnail((MAX_SIDE, MAX_SIDE))
    for turn in _TURNS.get(orientation, ()):
        plain = plain.transpose(turn)
    return plain


def _written(image: Image.Image, notes: camera_notes.Notes) -> Picture:
    # The library copies comments and profiles from here into what it writes.
    image.info = {}
    written = BytesIO()
    image.save(written, "JPEG", quality=QUALITY, exif=b"", icc_profile=None)
    content = written.getvalue()
    return Picture(
        content=content,
        sha256=hashlib.sha256(content).digest(),
        width=image.width,
        height=image.height,
        taken_at=notes.taken_at,
        taken_from=notes.taken_from,
    )


def _too_many_pixels() -> Unusable:
    most = MAX_PIXELS // 1_000_000
    return Unusable("PHOTO_TOO_MANY_PIXELS", f"The photo has more than {most} megapixels. Set the camera to a smaller size.")


def _refusal(content: bytes) -> Unusable:
    is_heic = content[4:8] == b"ftyp" and content[8:12] in _HEIC
    if is_heic:
        message = "HEIC photos cannot be read. Set the camera to its most compatible format (JPEG), or send a JPEG."
    elif content[4:8] == b"ftyp" or content.startswith(_OTHERS):
        message = "Files of this kind are not taken. Send a photo as JPEG, PNG or WebP."
    else:
        return Unusable("NOT_A_PHOTO", "This is not a photo. Send one as JPEG, PNG or WebP.")
    return Unusable("PHOTO_FORMAT_NOT_TAKEN", message, status=415)
