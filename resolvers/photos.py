"""Photos, as riders ask for a link, upload to it and look at them."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime
from hashlib import sha256
from uuid import UUID

from domain import errors, idempotency, ids, photos
from domain.photos import Photo, Picture
from domain.seals import Purpose
from domain.tables import PhotoPurpose, PhotoState
from resolvers.context import Ctx, Runtime


@dataclass(frozen=True, slots=True)
class Upload:
    """Where a photo may be sent, once."""

    photo_id: UUID
    url: str
    expires_at: datetime


async def request_photo_upload(ctx: Ctx, *, purpose: PhotoPurpose, idempotency_key: str) -> Upload:
    """Raises TooManyTries, InvalidInput, IdempotencyConflict."""
    now = ctx.runtime.clock.now()
    photo_id = ids.new()
    async with ctx.runtime.transaction() as session:
        seen = await idempotency.claim(
            session,
            account_id=ctx.who.account_id,
            mutation="request_photo_upload",
            key=idempotency_key,
            given={"purpose": purpose},
            result_id=photo_id,
            now=now,
        )
        if seen is None:
            await photos.request_upload(session, ctx.who, purpose=purpose, photo_id=photo_id, now=now)
        asked = await photos.get_photo(session, ctx.who, seen or photo_id)
    token = ctx.runtime.seals.seal(Purpose.PHOTO_UPLOAD, asked.id)
    return Upload(asked.id, f"{ctx.runtime.public_url}/uploads/{token}", asked.expires_at)


async def find_photo(ctx: Ctx, photo_id: UUID) -> Photo | None:
    """Their own."""
    async with ctx.runtime.reading() as session:
        try:
            return await photos.get_photo(session, ctx.who, photo_id)
        except errors.NotFound:
            return None


def photo_url(runtime: Runtime, photo_id: UUID, now: datetime) -> str:
    """A link that shows a stored photo to whoever has it, for ten minutes from `now`."""
    token = runtime.seals.seal_until(Purpose.PHOTO_VIEW, photo_id, now + photos.SHOWN_FOR)
    return f"{runtime.public_url}/photos/{token}"


async def find_upload(runtime: Runtime, token: str) -> Photo:
    """The photo that may be sent to a link. Raises NotFound (not a link of ours), LinkExpired."""
    try:
        photo_id = runtime.seals.open(Purpose.PHOTO_UPLOAD, token)
    except errors.LinkExpired as error:
        raise errors.NotFound("There is no such upload link.", path="token") from error
    async with runtime.reading() as session:
        found = await photos.find_photo(session, photo_id)
    if found is None or found.expires_at <= runtime.clock.now():
        raise errors.LinkExpired(path="token")
    return found


async def store_photo(runtime: Runtime, photo_id: UUID, picture: Picture) -> bool:
    """First the file, then the row; what broke off in between lies in the folder of the photo. False: another upload was
    first, and nothing of this one is left. Raises LinkExpired, OutOfReach (the link is still good)."""
    key = photos.key_of(photo_id, picture)
    await runtime.photo_store.put(key, picture.content)
    try:
        async with runtime.transaction() as session:
            is_ours = await photos.record_upload(session, photo_id, picture, now=runtime.clock.now())
    except errors.LinkExpired:
        await _take_back(runtime, key)
        raise
    if not is_ours:
        await _take_back(runtime, key)
    return is_ours


async def _take_back(runtime: Runtime, key: str) -> None:
    # Where the store is away, it goes with the folder of its photo.
    with suppress(errors.OutOfReach):
        await runtime.photo_store.delete(key)


async def open_photo(runtime: Runtime, token: str) -> bytes:
    """The picture behind a link. Raises NotFound (not a link of ours), LinkExpired, OutOfReach."""
    try:
        photo_id, until = runtime.seals.open_until(Purpose.PHOTO_VIEW, token)
    except errors.LinkExpired as error:
        raise errors.NotFound("There is no such photo.", path="token") from error
    if until <= runtime.clock.now():
        raise errors.LinkExpired(path="token")
    async with runtime.reading() as session:
        found = await photos.find_photo(session, photo_id)
    if found is None or found.state is not PhotoState.STORED or found.store_key is None:
        raise errors.LinkExpired(path="token")
    content = await runtime.photo_store.get(found.store_key)
    if sha256(content).digest() != found.sha256:
        raise errors.OutOfReach("The picture is damaged where it is stored.")
    return content
