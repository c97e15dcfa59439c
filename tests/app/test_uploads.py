"""Uploads: a link takes one photo, from whoever has it, whatever the network and the sender do."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import replace
from datetime import UTC, datetime
from hashlib import sha256
from io import BytesIO
from uuid import UUID

import httpx
import pytest
from fastapi import FastAPI
from PIL import Image
from starlette.routing import Route

from app import photo_files, uploads
from app.auth import AccessTokens
from app.database import SessionFactory
from app.gateways.photos import ObjectPhotos
from app.main import build_runtime
from app.photo_files import PhotoFiles
from app.settings import Settings
from domain import errors, ids, photos, tables
from domain.actor import Actor
from domain.photos import Picture
from domain.seals import Purpose
from domain.tables import PhotoPurpose, PhotoState
from resolvers import photos as photo_resolvers
from resolvers.context import Ctx, Runtime
from resolvers.streams import Feed
from tests import factories
from tests.app.pictures import encoded, notes, photo, picture
from tests.conftest import FixedClock
from tests.resolvers.doorbells import HandBell

PHOTO = photo()
OTHER = encoded(picture(500, 500))


class Shelf(ObjectPhotos):
    """Pictures in memory, which may be away, or do something else first."""

    def __init__(self) -> None:
        super().__init__("memory:///")
        self.is_away = False
        self.keys: set[str] = set()
        self.before_put: Callable[[], Awaitable[object]] | None = None
        self.after_put: Callable[[], Awaitable[object]] | None = None

    async def put(self, key: str, content: bytes) -> None:
        if self.is_away:
            raise errors.OutOfReach
        if first := self.before_put:
            self.before_put = None
            await first()
        await super().put(key, content)
        self.keys.add(key)
        if then := self.after_put:
            self.after_put = None
            await then()

    async def delete(self, key: str) -> None:
        if self.is_away:
            raise errors.OutOfReach
        await super().delete(key)
        self.keys.discard(key)


@pytest.fixture
def shelf() -> Shelf:
    return Shelf()


@pytest.fixture
async def runtime(session_factory: SessionFactory, clock: FixedClock, shelf: Shelf) -> Runtime:
    settings = Settings(signing_key="k" * 32, public_url="https://nimrod.example")
    tokens = AccessTokens(settings.secret(), clock, minutes=15)
    made = build_runtime(settings, session_factory, tokens, Feed(session_factory, HandBell()), clock)
    return replace(made, photo_store=shelf)


@pytest.fixture
async def browser(runtime: Runtime) -> AsyncIterator[httpx.AsyncClient]:
    app = FastAPI()
    app.state.runtime = runtime
    app.router.routes.append(Route("/uploads/{token}", uploads.Uploads(None, PhotoFiles())))
    app.router.routes.append(Route("/photos/{token}", uploads.Views(None)))
    async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="https://nimrod.example") as client:
        yield client


@pytest.fixture
async def who(session_factory: SessionFactory) -> Actor:
    async with session_factory.begin() as session:
        return await factories.add_rider(session)


@pytest.fixture
async def upload(runtime: Runtime, who: Actor) -> photo_resolvers.Upload:
    return await ask(runtime, who, "first")


async def ask(runtime: Runtime, who: Actor, key: str) -> photo_resolvers.Upload:
    ctx = Ctx(runtime, who, "127.0.0.1", "test")
    return await photo_resolvers.request_photo_upload(ctx, purpose=PhotoPurpose.RETURN, idempotency_key=key)


async def row_of(runtime: Runtime, photo_id: UUID) -> tables.Photo:
    async with runtime.reading() as session:
        return await session.get_one(tables.Photo, photo_id)


def code_of(response: httpx.Response) -> str:
    (error,) = response.json()["errors"]
    assert set(error) == {"message", "extensions"}
    assert error["message"].endswith(".")
    assert response.headers["cache-control"] == "no-store"
    assert response.headers["x-content-type-options"] == "nosniff"
    return str(error["extensions"]["code"])


async def test_a_photo_is_sent_to_its_link_and_seen_by_another(
    browser: httpx.AsyncClient, runtime: Runtime, upload: photo_resolvers.Upload, shelf: Shelf
) -> None:
    assert upload.url.startswith("https://nimrod.example/uploads/")
    answer = await browser.put(upload.url, content=PHOTO, headers={"content-type": "text/html"})
    assert (answer.status_code, answer.json()) == (201, {"photoId": ids.encode(ids.PHOTO, upload.photo_id), "state": "STORED"})
    row = await row_of(runtime, upload.photo_id)
    assert row.state is PhotoState.STORED
    assert row.taken_at == datetime(2026, 11, 21, 8, 25, tzinfo=UTC)
    assert row.taken_lat is not None
    assert (row.width, row.height, round(row.taken_lat, 4)) == (640, 480, 49.4036)
    seen = await browser.get(photo_resolvers.photo_url(runtime, upload.photo_id, runtime.clock.now()))
    assert (seen.status_code, seen.headers["content-type"]) == (200, "image/jpeg")
    assert (sha256(seen.content).digest(), len(seen.content)) == (row.sha256, row.size_bytes)
    assert Image.open(BytesIO(seen.content)).size == (640, 480)
    assert seen.headers["cache-control"] == "no-store"
    assert seen.headers["content-security-policy"].startswith("default-src 'none'")
    assert shelf.keys == {row.store_key}


async def test_the_same_key_asks_for_the_same_link(runtime: Runtime, who: Actor, upload: photo_resolvers.Upload) -> None:
    assert await ask(runtime, who, "first") == upload
    ctx = Ctx(runtime, who, "127.0.0.1", "test")
    with pytest.raises(errors.IdempotencyConflict):
        await photo_resolvers.request_photo_upload(ctx, purpose=PhotoPurpose.FAULT, idempotency_key="first")


async def test_a_link_works_once(browser: httpx.AsyncClient, upload: photo_resolvers.Upload, shelf: Shelf) -> None:
    assert (await browser.put(upload.url, content=PHOTO)).status_code == 201
    kept = set(shelf.keys)
    answer = await browser.put(upload.url, content=OTHER)
    assert (answer.status_code, code_of(answer)) == (409, "PHOTO_UPLOADED")
    assert shelf.keys == kept


async def test_who_lost_the_answer_sends_the_same_photo_again_and_hears_it(
    browser: httpx.AsyncClient, upload: photo_resolvers.Upload, shelf: Shelf
) -> None:
    first = await browser.put(upload.url, content=PHOTO)
    again = await browser.put(upload.url, content=PHOTO)
    assert (again.status_code, again.json()) == (201, first.json())
    assert len(shelf.keys) == 1


async def test_of_two_at_the_same_time_one_wins_and_nothing_of_the_other_is_left(
    browser: httpx.AsyncClient, runtime: Runtime, upload: photo_resolvers.Upload, shelf: Shelf
) -> None:
    sent: list[httpx.Response] = []

    async def overtake() -> None:
        sent.append(await browser.put(upload.url, content=OTHER))

    shelf.after_put = overtake
    loser = await browser.put(upload.url, content=PHOTO)
    assert [answer.status_code for answer in (*sent, loser)] == [201, 409]
    row = await row_of(runtime, upload.photo_id)
    assert (row.width, shelf.keys) == (500, {row.store_key})


async def test_while_the_store_is_away_the_link_stays_good(
    browser: httpx.AsyncClient, upload: photo_resolvers.Upload, shelf: Shelf
) -> None:
    shelf.is_away = True
    answer = await browser.put(upload.url, content=PHOTO)
    assert (answer.status_code, code_of(answer)) == (503, "UNAVAILABLE")
    shelf.is_away = False
    assert (await browser.put(upload.url, content=PHOTO)).status_code == 201


async def test_a_crash_between_file_and_row_leaves_the_link_good_and_the_file_in_the_folder_of_the_photo(
    browser: httpx.AsyncClient, runtime: Runtime, upload: photo_resolvers.Upload, shelf: Shelf
) -> None:
    async def crash() -> None:
        raise ZeroDivisionError

    shelf.after_put = crash
    with pytest.raises(ZeroDivisionError):
        await browser.put(upload.url, content=PHOTO)
    assert (await row_of(runtime, upload.photo_id)).state is PhotoState.REQUESTED
    (left,) = shelf.keys
    assert left.startswith(photos.folder(upload.photo_id) + "/")
    assert (await browser.put(upload.url, content=PHOTO)).status_code == 201


async def test_a_photo_of_an_account_that_is_erased_meanwhile_is_not_kept(
    browser: httpx.AsyncClient, runtime: Runtime, upload: photo_resolvers.Upload, shelf: Shelf
) -> None:
    async def erase() -> None:
        async with runtime.transaction() as session:
            (await session.get_one(tables.Photo, upload.photo_id)).forget_at = runtime.clock.now()

    shelf.before_put = erase
    answer = await browser.put(upload.url, content=PHOTO)
    assert (answer.status_code, code_of(answer), shelf.keys) == (410, "LINK_EXPIRED", set())


async def test_a_link_is_good_for_ten_minutes(
    browser: httpx.AsyncClient, runtime: Runtime, upload: photo_resolvers.Upload, clock: FixedClock
) -> None:
    clock.advance(minutes=10)
    assert upload.expires_at == clock.now()
    answer = await browser.put(upload.url, content=PHOTO)
    assert (answer.status_code, code_of(answer)) == (410, "LINK_EXPIRED")
    assert (await row_of(runtime, upload.photo_id)).state is PhotoState.REQUESTED


async def test_a_link_to_look_at_a_photo_is_good_for_ten_minutes_and_for_that_alone(
    browser: httpx.AsyncClient, runtime: Runtime, upload: photo_resolvers.Upload, clock: FixedClock
) -> None:
    await browser.put(upload.url, content=PHOTO)
    link = photo_resolvers.photo_url(runtime, upload.photo_id, clock.now())
    clock.advance(minutes=9, seconds=59)
    assert (await browser.get(link)).status_code == 200
    clock.advance(seconds=1)
    answer = await browser.get(link)
    assert (answer.status_code, code_of(answer)) == (410, "LINK_EXPIRED")
    answer = await browser.get(upload.url.replace("/uploads/", "/photos/"))
    assert (answer.status_code, code_of(answer)) == (404, "NOT_FOUND")


async def test_what_is_not_uploaded_forgotten_or_damaged_is_not_shown(
    browser: httpx.AsyncClient, runtime: Runtime, upload: photo_resolvers.Upload, shelf: Shelf
) -> None:
    link = photo_resolvers.photo_url(runtime, upload.photo_id, runtime.clock.now())
    assert code_of(await browser.get(link)) == "LINK_EXPIRED"
    await browser.put(upload.url, content=PHOTO)
    (key,) = shelf.keys
    await shelf.delete(key)
    assert code_of(await browser.get(link)) == "NOT_FOUND"
    await shelf.put(key, b"something else")
    assert code_of(await browser.get(link)) == "UNAVAILABLE"
    async with runtime.transaction() as session:
        (await session.get_one(tables.Photo, upload.photo_id)).forget_at = runtime.clock.now()
    assert code_of(await browser.get(link)) == "LINK_EXPIRED"


async def test_a_link_that_was_not_given_out_takes_nothing(browser: httpx.AsyncClient, runtime: Runtime, who: Actor) -> None:
    asked = (await ask(runtime, who, "first")).photo_id
    for token in ("guess", str(asked), runtime.seals.seal(Purpose.PHOTO_VIEW, asked), "%00"):
        answer = await browser.put(f"/uploads/{token}", content=PHOTO)
        assert (answer.status_code, code_of(answer)) == (404, "NOT_FOUND"), token
    answer = await browser.put(f"/uploads/{runtime.seals.seal(Purpose.PHOTO_UPLOAD, ids.new())}", content=PHOTO)
    assert (answer.status_code, code_of(answer)) == (410, "LINK_EXPIRED")


async def test_links_are_used_by_their_own_method(browser: httpx.AsyncClient, upload: photo_resolvers.Upload) -> None:
    answer = await browser.post(upload.url, content=PHOTO)
    assert (answer.status_code, answer.headers["allow"]) == (405, "PUT")
    answer = await browser.put("/photos/guess", content=PHOTO)
    assert (answer.status_code, answer.headers["allow"]) == (405, "GET")


async def test_an_address_that_guesses_too_often_waits_and_one_with_good_links_does_not(
    browser: httpx.AsyncClient, runtime: Runtime, upload: photo_resolvers.Upload
) -> None:
    await browser.put(upload.url, content=PHOTO)
    link = photo_resolvers.photo_url(runtime, upload.photo_id, runtime.clock.now())
    for _ in range(uploads.PER_MINUTE):
        assert (await browser.get("/photos/guess")).status_code == 404
    answer = await browser.get("/photos/guess")
    assert (answer.status_code, code_of(answer)) == (429, "RATE_LIMITED")
    assert 1 <= int(answer.headers["retry-after"]) <= 60
    for _ in range(uploads.PER_MINUTE + 1):
        assert (await browser.get(link)).status_code == 200


async def pieces(*parts: bytes, count: int = 1) -> AsyncIterator[bytes]:
    for _ in range(count):
        for part in parts:
            yield part


@pytest.mark.parametrize("said", [None, "10", "-1", "many", "10485761", "99999999999999999999"])
async def test_a_file_that_is_too_large_is_refused_however_long_it_is_said_to_be(
    browser: httpx.AsyncClient, runtime: Runtime, upload: photo_resolvers.Upload, said: str | None
) -> None:
    headers = {"content-length": said} if said else {}
    answer = await browser.put(upload.url, content=pieces(bytes(1024 * 1024), count=11), headers=headers)
    assert (answer.status_code, code_of(answer)) == (413, "PHOTO_TOO_LARGE")
    assert (await browser.put(upload.url, content=PHOTO)).status_code == 201


async def test_an_endless_file_is_not_read_to_its_end(browser: httpx.AsyncClient, upload: photo_resolvers.Upload) -> None:
    read = 0

    async def endless() -> AsyncIterator[bytes]:
        nonlocal read
        while True:
            read += 1
            yield bytes(1024 * 1024)

    answer = await browser.put(upload.url, content=endless())
    assert (answer.status_code, code_of(answer), answer.headers["connection"]) == (413, "PHOTO_TOO_LARGE", "close")
    assert 40 <= read <= 42


async def test_a_file_that_arrives_in_pieces_is_a_photo_all_the_same(
    browser: httpx.AsyncClient, upload: photo_resolvers.Upload
) -> None:
    parts = [PHOTO[at : at + 1000] for at in range(0, len(PHOTO), 1000)]
    assert (await browser.put(upload.url, content=pieces(*parts))).status_code == 201


async def test_a_file_that_never_ends_is_given_up(
    browser: httpx.AsyncClient, upload: photo_resolvers.Upload, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def stalling() -> AsyncIterator[bytes]:
        yield PHOTO[:1000]
        await asyncio.Event().wait()

    monkeypatch.setattr(uploads, "SECONDS", 0.05)
    answer = await browser.put(upload.url, content=stalling())
    assert (answer.status_code, code_of(answer), answer.headers["connection"]) == (408, "UPLOAD_TOO_SLOW", "close")


@pytest.mark.parametrize(
    ("content", "status", "code"),
    [
        (b"", 422, "NOT_A_PHOTO"),
        (b"<html>", 422, "NOT_A_PHOTO"),
        (PHOTO[:4000], 422, "PHOTO_DAMAGED"),
        (encoded(picture(100, 100)), 422, "PHOTO_TOO_SMALL"),
        (encoded(picture(), "GIF"), 415, "PHOTO_FORMAT_NOT_TAKEN"),
        (encoded(Image.new("1", (8000, 5000)), "PNG"), 422, "PHOTO_TOO_MANY_PIXELS"),
    ],
)
async def test_what_is_no_photo_that_can_be_kept_is_refused_and_the_link_stays_good(
    browser: httpx.AsyncClient, upload: photo_resolvers.Upload, shelf: Shelf, content: bytes, status: int, code: str
) -> None:
    answer = await browser.put(upload.url, content=content)
    assert (answer.status_code, code_of(answer), shelf.keys) == (status, code, set())
    assert (await browser.put(upload.url, content=encoded(picture(), exif=notes()))).status_code == 201


@pytest.mark.parametrize(("each", "most", "status", "code"), [(1, 32, 429, "RATE_LIMITED"), (3, 1, 503, "UNAVAILABLE")])
async def test_only_so_many_are_under_way_at_a_time(
    browser: httpx.AsyncClient,
    runtime: Runtime,
    who: Actor,
    monkeypatch: pytest.MonkeyPatch,
    each: int,
    most: int,
    status: int,
    code: str,
) -> None:
    monkeypatch.setattr(uploads, "AT_ONCE_EACH", each)
    monkeypatch.setattr(uploads, "AT_ONCE", most)
    first, second = await ask(runtime, who, "first"), await ask(runtime, who, "second")
    refused: list[httpx.Response] = []

    async def meanwhile() -> AsyncIterator[bytes]:
        refused.append(await browser.put(second.url, content=PHOTO))
        yield PHOTO

    assert (await browser.put(first.url, content=meanwhile())).status_code == 201
    assert [(answer.status_code, code_of(answer)) for answer in refused] == [(status, code)]
    assert (await browser.put(second.url, content=PHOTO)).status_code == 201


async def test_the_event_loop_goes_on_while_a_photo_is_decoded(
    browser: httpx.AsyncClient, upload: photo_resolvers.Upload, monkeypatch: pytest.MonkeyPatch
) -> None:
    loop, went_on = asyncio.get_running_loop(), asyncio.Event()
    read = photo_files.read_picture

    def waiting(content: bytes) -> Picture:
        asyncio.run_coroutine_threadsafe(asyncio.wait_for(_set(went_on), 20), loop).result(20)
        return read(content)

    monkeypatch.setattr(photo_files, "read_picture", waiting)
    assert (await browser.put(upload.url, content=PHOTO)).status_code == 201
    assert went_on.is_set()


async def _set(event: asyncio.Event) -> None:
    event.set()
