"""Downloads: the link opens its archive until it expires; everything else is refused in one shape."""

from __future__ import annotations

import logging
from collections.abc import AsyncIterator
from datetime import timedelta
from uuid import UUID

import httpx
import pytest
import structlog
from fastapi import FastAPI
from starlette.responses import Response
from starlette.routing import Route
from starlette.types import Receive, Scope, Send

from app import downloads, telemetry
from app.auth import AccessTokens
from app.database import SessionFactory
from app.main import build_runtime
from app.settings import Settings
from domain import exports, ids
from domain.actor import Actor
from domain.seals import Purpose
from resolvers import privacy
from resolvers.context import Ctx, Runtime
from resolvers.streams import Feed
from tests import factories
from tests.conftest import FixedClock
from tests.resolvers.doorbells import HandBell


@pytest.fixture
async def runtime(session_factory: SessionFactory, clock: FixedClock) -> Runtime:
    settings = Settings(signing_key="k" * 32, public_url="https://nimrod.example")
    tokens = AccessTokens(settings.secret(), clock, minutes=15)
    return build_runtime(settings, session_factory, tokens, Feed(session_factory, HandBell()), clock)


@pytest.fixture
async def browser(runtime: Runtime) -> AsyncIterator[httpx.AsyncClient]:
    app = FastAPI()
    app.state.runtime = runtime
    app.router.routes.append(Route("/exports/{token}", downloads.Exports(None)))
    async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="https://nimrod.example") as client:
        yield client


@pytest.fixture
async def who(session_factory: SessionFactory) -> Actor:
    async with session_factory.begin() as session:
        return await factories.add_rider(session)


@pytest.fixture
async def export_id(runtime: Runtime, who: Actor) -> UUID:
    """Of a ready archive of two parts."""
    made, now = ids.new(), runtime.clock.now()
    async with runtime.transaction() as session:
        await exports.request_data_export(session, who, export_id=made, per_day=1, now=now)
        claimed = await exports.claim_export(session, made)
        assert claimed is not None
        for number, content in enumerate((b"PK", b"\x03\x04")):
            assert await exports.add_part(session, claimed, number, content)
        assert await exports.finish_export(session, claimed, size_bytes=4, kept=timedelta(days=7), now=now)
    return made


def code_of(response: httpx.Response) -> str:
    (error,) = response.json()["errors"]
    assert set(error) == {"message", "extensions"}
    assert response.headers["cache-control"] == "no-store"
    return str(error["extensions"]["code"])


async def url(runtime: Runtime, who: Actor, export_id: UUID) -> str | None:
    ctx = Ctx(runtime, who, "127.0.0.1", "test")
    found = await privacy.find_export(ctx, export_id)
    assert found is not None
    return privacy.download_url(ctx, found)


async def test_the_link_is_all_that_it_needs(browser: httpx.AsyncClient, runtime: Runtime, who: Actor, export_id: UUID) -> None:
    link = await url(runtime, who, export_id)
    assert link is not None
    assert link.startswith("https://nimrod.example/exports/")
    answer = await browser.get(link)
    assert (answer.status_code, answer.content) == (200, b"PK\x03\x04")
    assert answer.headers["content-type"] == "application/zip"
    assert answer.headers["content-disposition"].startswith("attachment;")
    assert answer.headers["cache-control"] == "no-store"


async def test_a_link_that_has_expired_is_gone_and_not_shown_any_more(
    browser: httpx.AsyncClient, runtime: Runtime, who: Actor, export_id: UUID, clock: FixedClock
) -> None:
    link = await url(runtime, who, export_id)
    clock.advance(days=7)
    assert await url(runtime, who, export_id) is None
    answer = await browser.get(str(link))
    assert (answer.status_code, code_of(answer)) == (410, "LINK_EXPIRED")


async def test_a_link_to_what_does_not_exist_is_gone(browser: httpx.AsyncClient, runtime: Runtime) -> None:
    answer = await browser.get(f"/exports/{runtime.seals.seal(Purpose.DATA_EXPORT, ids.new())}")
    assert (answer.status_code, code_of(answer)) == (410, "LINK_EXPIRED")


async def test_a_link_that_was_not_given_out_is_not_found(browser: httpx.AsyncClient, runtime: Runtime, export_id: UUID) -> None:
    good = runtime.seals.seal(Purpose.DATA_EXPORT, export_id)
    for token in (
        "guess",
        str(export_id),
        good[:-1],
        good + "A",
        "%00",
        "é",
        runtime.seals.seal(Purpose.PASSWORD_RESET, export_id),
    ):
        answer = await browser.get(f"/exports/{token}")
        assert (answer.status_code, code_of(answer)) == (404, "NOT_FOUND"), token


async def test_an_archive_is_only_read(browser: httpx.AsyncClient, runtime: Runtime, export_id: UUID) -> None:
    answer = await browser.post(f"/exports/{runtime.seals.seal(Purpose.DATA_EXPORT, export_id)}")
    assert (answer.status_code, answer.headers["allow"]) == (405, "GET")


async def test_an_address_that_tries_too_often_waits(browser: httpx.AsyncClient) -> None:
    for _ in range(downloads.PER_MINUTE):
        assert (await browser.get("/exports/guess")).status_code == 404
    answer = await browser.get("/exports/guess")
    assert (answer.status_code, code_of(answer)) == (429, "RATE_LIMITED")
    assert 1 <= int(answer.headers["retry-after"]) <= 60


async def test_the_log_of_requests_has_no_link_that_opens_anything(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    async def answer(scope: Scope, receive: Receive, send: Send) -> None:
        await Response("archive")(scope, receive, send)

    with structlog.testing.capture_logs() as lines:
        monkeypatch.setattr(telemetry, "access_log", structlog.get_logger("shown"))
        caplog.set_level(logging.INFO, telemetry.logger.name)
        async with httpx.AsyncClient(transport=httpx.ASGITransport(telemetry.RequestLog(answer)), base_url="http://n") as client:
            for path in ("/exports/opens-an-archive", "/uploads/takes-a-photo", "/photos/shows-one"):
                await client.get(path)
    assert [line["path"] for line in lines] == ["/exports/…", "/uploads/…", "/photos/…"]
