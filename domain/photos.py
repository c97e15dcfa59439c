"""Photos: asked for, uploaded once, used once as proof, forgotten."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from uuid import UUID
from zoneinfo import ZoneInfo

from sqlalchemy import ColumnElement, and_, delete, exists, or_, select, update
from sqlalchemy.ext.asyncio import AsyncSession

from domain import errors, tables
from domain.actor import Actor
from domain.tables import FineState, PhotoPurpose, PhotoState
from domain.values import LatLng

#: how long a link is good, to upload by and to look at
UPLOADED_WITHIN = timedelta(minutes=10)
SHOWN_FOR = timedelta(minutes=10)
#: photos that a rider may ask for in an hour
PER_HOUR = 30
#: what was never uploaded is forgotten this long after its link; no upload that began before is under way any more
ASKED_KEPT = timedelta(days=1)
UNDER_WAY = timedelta(minutes=10)
#: what is taken
MAX_BYTES = 10 * 1024 * 1024
ACCEPTED_TYPES = ("image/jpeg", "image/png", "image/webp")
#: a camera's clock may be ahead of ours
AHEAD = timedelta(days=1)
#: photos that one round of the sweep takes
BATCH = 100

_rows = tables.Photo


@dataclass(frozen=True, slots=True)
class Photo:
    id: UUID
    customer_id: UUID
    purpose: PhotoPurpose
    state: PhotoState
    expires_at: datetime
    stored_at: datetime | None
    store_key: str | None
    sha256: bytes | None
    taken_at: datetime | None
    taken_from: LatLng | None
    used_at: datetime | None


@dataclass(frozen=True, slots=True)
class Picture:
    """What is kept of an upload: a JPEG without a word of the camera, and what the camera had said."""

    content: bytes
    sha256: bytes
    width: int
    height: int
    #: without an offset when the camera named none
    taken_at: datetime | None = None
    taken_from: LatLng | None = None


def folder(photo_id: UUID) -> str:
    """Where the store has all files of a photo, also those whose upload broke off: whoever has the row finds them."""
    return f"photos/{photo_id}"


def key_of(photo_id: UUID, picture: Picture) -> str:
    """By content: the same picture sent again is the same file, and two that race are two."""
    return f"{folder(photo_id)}/{picture.sha256.hex()}.jpg"


def _of(row: tables.Photo) -> Photo:
    taken_from = LatLng(row.taken_lat, row.taken_lon) if row.taken_lat is not None and row.taken_lon is not None else None
    return Photo(
        id=row.id,
        customer_id=row.customer_id,
        purpose=row.purpose,
        state=row.state,
        expires_at=row.expires_at,
        stored_at=row.stored_at,
        store_key=row.store_key,
        sha256=row.sha256,
        taken_at=row.taken_at,
        taken_from=taken_from,
        used_at=row.used_at,
    )


async def request_upload(session: AsyncSession, who: Actor, *, purpose: PhotoPurpose, photo_id: UUID, now: datetime) -> None:
    """Raises TooManyTries."""
    hour = timedelta(hours=1)
    recent = select(_rows.requested_at).where(_rows.customer_id == who.account_id, _rows.requested_at > now - hour)
    asked = (await session.execute(recent.order_by(_rows.requested_at.desc()).limit(PER_HOUR))).scalars().all()
    if len(asked) >= PER_HOUR:
        raise errors.TooManyTries(max(1, int((asked[-1] + hour - now).total_seconds())))
    session.add(
        tables.Photo(
            id=photo_id,
            customer_id=who.account_id,
            purpose=purpose,
            state=PhotoState.REQUESTED,
            requested_at=now,
            expires_at=now + UPLOADED_WITHIN,
        )
    )
    await session.flush()


async def get_photo(session: AsyncSession, who: Actor, photo_id: UUID) -> Photo:
    """Their own. Raises NotFound."""
    own = select(_rows).where(_rows.id == photo_id, _rows.customer_id == who.account_id, _rows.forget_at.is_(None))
    row = (await session.execute(own)).scalar_one_or_none()
    if row is None:
        raise errors.NotFound("There is no such photo.", path="photoId")
    return _of(row)


async def find_photo(session: AsyncSession, photo_id: UUID) -> Photo | None:
    """Anybody's, for who has a link. None: there is none, or none any more."""
    row = (await session.execute(select(_rows).where(_rows.id == photo_id, _rows.forget_at.is_(None)))).scalar_one_or_none()
    return None if row is None else _of(row)


async def record_upload(session: AsyncSession, photo_id: UUID, picture: Picture, *, now: datetime) -> bool:
    """Makes it STORED, once: of uploads that race the first is the photo. True also for the very picture that it already is.
    Raises LinkExpired when the photo was forgotten meanwhile."""
    row = (await session.execute(select(_rows).where(_rows.id == photo_id).with_for_update())).scalar_one_or_none()
    if row is None or row.forget_at is not None:
        raise errors.LinkExpired(path="token")
    if row.state is PhotoState.STORED:
        return row.sha256 == picture.sha256
    row.state, row.stored_at, row.store_key = PhotoState.STORED, now, key_of(photo_id, picture)
    row.sha256, row.size_bytes, row.width, row.height = picture.sha256, len(picture.content), picture.width, picture.height
    row.taken_at = await _instant(session, row.customer_id, picture.taken_at, now)
    if picture.taken_from is not None:
        row.taken_lat, row.taken_lon = picture.taken_from.lat, picture.taken_from.lon
    await session.flush()
    return True


async def _instant(session: AsyncSession, customer_id: UUID, taken_at: datetime | None, now: datetime) -> datetime | None:
    """A camera that names no offset shows the time of where its rider rides; without a trip that is taken for UTC."""
    if taken_at is not None and taken_at.tzinfo is None:
        trips, metros = tables.Trip, tables.Metro
        last = select(metros.timezone).join(trips, trips.metro_id == metros.id).where(trips.customer_id == customer_id)
        zone = (await session.execute(last.order_by(trips.id.desc()).limit(1))).scalar_one_or_none()
        taken_at = taken_at.replace(tzinfo=ZoneInfo(zone) if zone else UTC)
    if taken_at is None or taken_at > now + AHEAD:
        return None
    return taken_at.astimezone(UTC)


async def use_photo(session: AsyncSession, who: Actor, photo_id: UUID, purpose: PhotoPurpose, now: datetime) -> tables.Photo:
    """Takes a photo of theirs as proof of one thing: no second one is proved by it. Locks its row.
    Raises NotFound, InvalidInput (for another purpose, not uploaded, used)."""
    own = select(_rows).where(_rows.id == photo_id, _rows.customer_id == who.account_id, _rows.forget_at.is_(None))
    row = (await session.execute(own.with_for_update().execution_options(populate_existing=True))).scalar_one_or_none()
    if row is None:
        raise errors.NotFound("There is no such photo.", path="photoId")
    if row.purpose is not purpose:
        raise errors.InvalidInput.of("photoId", f"This photo was asked for to show a {row.purpose}, not a {purpose}.")
    if row.state is not PhotoState.STORED:
        raise errors.InvalidInput.of("photoId", "This photo has not been uploaded. Send it to its link first.")
    if row.used_at is not None:
        raise errors.InvalidInput.of("photoId", "This photo has shown something already. Take a new one.")
    row.used_at = now
    await session.flush()
    return row


async def list_stored(session: AsyncSession, customer_id: UUID) -> Sequence[tuple[UUID, str]]:
    """Ids and keys of all pictures of a rider."""
    own = select(_rows.id, _rows.store_key).where(_rows.customer_id == customer_id, _rows.state == PhotoState.STORED)
    found = await session.execute(own.where(_rows.forget_at.is_(None)).order_by(_rows.id))
    return [(photo_id, key) for photo_id, key in found if key is not None]


def is_contested(now: datetime) -> ColumnElement[bool]:
    """Whether it is evidence of a fine that is appealed against, or still may be."""
    fines = tables.Fine
    open_ = or_(fines.state == FineState.APPEALED, and_(fines.state == FineState.ISSUED, fines.appeal_until > now))
    return exists().where(fines.photo_id == _rows.id, open_)


def _is_due(now: datetime) -> ColumnElement[bool]:
    """Its row says that it is to go, and no upload of it can be under way."""
    asked = _rows.state == PhotoState.REQUESTED
    never_came = and_(asked, _rows.expires_at < now - ASKED_KEPT)
    is_quiet = or_(_rows.state == PhotoState.STORED, _rows.expires_at < now - UNDER_WAY)
    return or_(never_came, and_(_rows.forget_at <= now, is_quiet))


async def list_due(session: AsyncSession, *, now: datetime, limit: int = BATCH) -> list[UUID]:
    """Photos whose files, then rows, are to be deleted."""
    return list((await session.execute(select(_rows.id).where(_is_due(now)).order_by(_rows.id).limit(limit))).scalars())


async def forget_photo(session: AsyncSession, photo_id: UUID, *, now: datetime) -> None:
    """The row, once its files are gone."""
    await session.execute(delete(_rows).where(_rows.id == photo_id, _is_due(now)))


async def mark_old(session: AsyncSession, *, before: datetime, now: datetime, limit: int = BATCH) -> int:
    """For the sweep: what was stored before an instant, and what proved nothing within a day; nothing that a fine stands on."""
    unused = and_(_rows.used_at.is_(None), _rows.stored_at < now - ASKED_KEPT)
    over = (_rows.forget_at.is_(None), or_(_rows.stored_at < before, unused), ~is_contested(now))
    old = select(_rows.id).where(*over).order_by(_rows.stored_at).limit(limit).with_for_update(skip_locked=True)
    marking = update(_rows).where(_rows.id.in_(old)).values(forget_at=now)
    return len((await session.execute(marking.returning(_rows.id))).all())
