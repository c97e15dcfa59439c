"""Downloads: archives of riders' data, for whoever has the link."""

from __future__ import annotations

import orjson
from starlette.requests import Request
from starlette.responses import Response, StreamingResponse
from starlette.types import Receive, Scope, Send

from app.gateways.throttles import MinuteThrottle
from domain import errors
from resolvers import privacy

#: downloads that one address may begin: nobody guesses a link, but trying costs us
PER_MINUTE = 20
_HEADERS = {"Cache-Control": "no-store", "X-Content-Type-Options": "nosniff", "Referrer-Policy": "no-referrer"}
_STATUS: dict[type[errors.DomainError], tuple[int, str]] = {
    errors.NotFound: (404, "NOT_FOUND"),
    errors.LinkExpired: (410, "LINK_EXPIRED"),
    errors.TooManyTries: (429, "RATE_LIMITED"),
    errors.OutOfReach: (503, "UNAVAILABLE"),
}


class Exports:
    """`GET /exports/{token}`: the link is the permission, and runs out by itself."""

    def __init__(self, redis_url: str | None) -> None:
        self._throttle = MinuteThrottle(PER_MINUTE, redis_url)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        request = Request(scope)
        try:
            response = await self._download(request)
        except errors.DomainError as error:
            response = _refused(error)
        await response(scope, receive, send)

    async def _download(self, request: Request) -> Response:
        if request.method != "GET":
            return Response(status_code=405, headers={**_HEADERS, "Allow": "GET"})
        if wait := await self._throttle.hit(f"download:{request.client.host if request.client else ''}"):
            raise errors.TooManyTries(wait)
        pieces = await privacy.open_archive(request.app.state.runtime, request.path_params["token"])
        attached = {"Content-Disposition": 'attachment; filename="nimrod-export.zip"'}
        return StreamingResponse(pieces, headers={**_HEADERS, **attached}, media_type="application/zip")


def _refused(error: errors.DomainError) -> Response:
    """In the shape of the GraphQL endpoint, whatever was wrong with the link."""
    status, code = _STATUS.get(type(error), (400, "BAD_USER_INPUT"))
    headers = dict(_HEADERS)
    if isinstance(error, errors.TooManyTries):
        headers["Retry-After"] = str(error.retry_after_seconds)
    body = {"errors": [{"message": error.message, "extensions": {"code": code}}]}
    return Response(orjson.dumps(body), status, headers, "application/json")
