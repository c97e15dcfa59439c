"""Unsubscribing: the one-click answer to an optional mail (RFC 8058), and a page with a button for people.

Only POST does it: mail programs and scanners open links by themselves.
"""

from __future__ import annotations

from html import escape

from starlette.requests import Request
from starlette.responses import HTMLResponse, Response

from domain import errors, wording
from domain.channels import Category
from domain.wording import Reader
from resolvers import notifications
from resolvers.context import Ctx, Runtime

_HEADERS = {
    "cache-control": "no-store",
    "content-security-policy": "default-src 'none'; form-action 'self'; frame-ancestors 'none'",
    "referrer-policy": "no-referrer",
}
#: of an address with a token
LONGEST = 200


class Unsubscribing:
    def __init__(self, runtime: Runtime) -> None:
        self._runtime = runtime

    async def __call__(self, request: Request) -> Response:
        """Needs no sign-in: the token in the address is the key to that one switch. A form that is sent along is not read."""
        token, named = request.query_params.get("token", ""), request.query_params.get("category", "")
        reader = Reader(_language(request), "UTC")
        ctx = Ctx(self._runtime, None, request.client.host if request.client else "", request.headers.get("x-request-id", ""))
        try:
            if named not in list(Category) or len(token) > LONGEST:
                raise errors.LinkExpired(path="token")
            if request.method == "POST":
                await notifications.unsubscribe(ctx, token=token, category=Category(named))
                return _page(reader, f"<p>{_said('page_done', reader)}</p>")
            notifications.check_unsubscribing(ctx, token=token)
        except errors.LinkExpired:
            return _page(reader, f"<p>{_said('page_bad', reader)}</p>", status=404)
        except errors.OutOfReach as error:
            return _page(reader, f"<p>{escape(error.message)}</p>", status=503)
        button = f'<form method="post"><button>{_said("page_button", reader)}</button></form>'
        return _page(reader, f"<p>{_said('page_title', reader)}</p>{button}")


def _language(request: Request) -> str:
    """The first that the browser asks for."""
    return request.headers.get("accept-language", "")[:100].partition(",")[0].partition(";")[0].strip() or wording.FALLBACK


def _said(name: str, reader: Reader) -> str:
    return escape(wording.common(name, reader))


def _page(reader: Reader, body: str, *, status: int = 200) -> Response:
    language = wording.language_of(reader.language)
    head = '<meta charset="utf-8"><meta name="viewport" content="width=device-width"><title>Nimrod</title>'
    html = f'<!doctype html><html lang="{language}"><head>{head}</head><body>{body}</body></html>'
    return HTMLResponse(html, status, headers=_HEADERS)
