"""Uploads and views: photos, for whoever has the link."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from uuid import UUID

import orjson
from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from app.gateways.throttles import MinuteThrottle
from app.photo_files import PhotoFiles, Unusable
from domain import errors, ids
from domain.photos import MAX_BYTES
from resolvers import photos

#: links that are none which one address may try, and uploads of one photo
PER_MINUTE = 20
#: from the first byte to the last
SECONDS = 60.0
#: under way at a time in this process, each with its file in memory; and of one rider
AT_ONCE, AT_ONCE_EACH = 32, 3
#: what is read of a file that is too large, so that its sender hears why
_READ_AT_MOST = 4 * MAX_BYTES
_HEADERS = {"Cache-Control": "no-store", "X-Content-Type-Options": "nosniff", "Referrer-Policy": "no-referrer"}
_SHOWN = {**_HEADERS, "Content-Security-Policy": "default-src 'none'; sandbox", "Content-Disposition": "inline"}
_STATUS: dict[type[errors.DomainError], tuple[int, str]] = {
    errors.NotFound: (404, "NOT_FOUND"),
    errors.LinkExpired: (410, "LINK_EXPIRED"),
    errors.TooManyTries: (429, "RATE_LIMITED"),
    errors.OutOfReach: (503, "UNAVAILABLE"),
}


class _Links:
    """What both routes share: a method, a throttle, one shape of refusals."""

    method = "GET"

    def __init__(self, redis_url: str | None) -> None:
        self._throttle = MinuteThrottle(PER_MINUTE, redis_url)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        request = Request(scope, receive)
        try:
            response = await self._answer(request)
        except ClientDisconnect:
            return
        except Unusable as error:
            response = _error(error.status, error.code, error.message)
        except errors.DomainError as error:
            response = _refused(error)
        await response(scope, receive, send)

    async def _answer(self, request: Request) -> Response:
        if request.method != self.method:
            return Response(status_code=405, headers={**_HEADERS, "Allow": self.method})
        try:
            return await self._act(request)
        except errors.NotFound:
            # Nobody guesses a link, but trying costs us.
            await self._count(f"photo link:{request.client.host if request.client else ''}")
            raise

    async def _count(self, key: str) -> None:
        if wait := await self._throttle.hit(key):
            raise errors.TooManyTries(wait)

    async def _act(self, request: Request) -> Response:
        raise NotImplementedError


class Uploads(_Links):
    """`PUT /uploads/{token}`: the body is the photo. What type it is said to be does not matter."""

    method = "PUT"

    def __init__(self, redis_url: str | None, files: PhotoFiles) -> None:
        super().__init__(redis_url)
        self._files = files
        self._under_way = Counter[UUID]()

    @contextmanager
    def _turn(self, customer_id: UUID) -> Iterator[None]:
        if self._under_way[customer_id] >= AT_ONCE_EACH:
            raise errors.TooManyTries(1)
        if self._under_way.total() >= AT_ONCE:
            raise errors.OutOfReach("Too many photos are being sent just now. Try again in a few seconds.")
        self._under_way[customer_id] += 1
        try:
            yield
        finally:
            self._under_way[customer_id] -= 1
            self._under_way += Counter()  # forgets those without any

    async def _act(self, request: Request) -> Response:
        runtime = request.app.state.runtime
        asked = await photos.find_upload(runtime, request.path_params["token"])
        with self._turn(asked.customer_id):
            await self._count(f"upload:{asked.id}")
            picture = await self._files.read(await _body(request))
            is_ours = await photos.store_photo(runtime, asked.id, picture)
        if not is_ours:
            raise Unusable("PHOTO_UPLOADED", "Another photo was sent to this link. Ask for a new link.", status=409)
        body = {"photoId": ids.encode(ids.PHOTO, asked.id), "state": "STORED"}
        return Response(orjson.dumps(body), 201, _HEADERS, "application/json")


class Views(_Links):
    """`GET /photos/{token}`: the link is the permission, and runs out by itself."""

    async def _act(self, request: Request) -> Response:
        content = await photos.open_photo(request.app.state.runtime, request.path_params["token"])
        return Response(content, 200, _SHOWN, "image/jpeg")


async def _body(request: Request) -> bytes:
    """All of it, however long it is said to be. Raises Unusable: too large or too slow."""
    said = request.headers.get("content-length", "")
    if said.isascii() and said.isdigit() and int(said) > _READ_AT_MOST:
        raise _too_large()
    kept, count = bytearray(), 0
    try:
        async with asyncio.timeout(SECONDS):
            async for piece in request.stream():
                count += len(piece)
                if count > _READ_AT_MOST:
                    break
                if count <= MAX_BYTES:
                    kept += piece
    except TimeoutError as error:
        message = f"The photo took more than {SECONDS:.0f} s to arrive. Try again where the network is better."
        raise Unusable("UPLOAD_TOO_SLOW", message, status=408) from error
    if count > MAX_BYTES:
        raise _too_large()
    return bytes(kept)


def _too_large() -> Unusable:
    message = f"The file is larger than {MAX_BYTES // 1024 // 1024} MiB. Set the camera to a smaller size."
    return Unusable("PHOTO_TOO_LARGE", message, status=413)


def _refused(error: errors.DomainError) -> Response:
    status, code = _STATUS.get(type(error), (400, "BAD_USER_INPUT"))
    response = _error(status, code, error.message)
    if isinstance(error, errors.TooManyTries):
        response.headers["Retry-After"] = str(error.retry_after_seconds)
    return response


def _error(status: int, code: str, message: str) -> Response:
    """In the shape of the GraphQL endpoint. Whoever is cut short or kept waiting is not read any further."""
    headers = {**_HEADERS, "Connection": "close"} if status in (408, 413) else _HEADERS
    body = {"errors": [{"message": message, "extensions": {"code": code}}]}
    return Response(orjson.dumps(body), status, headers, "application/json")
