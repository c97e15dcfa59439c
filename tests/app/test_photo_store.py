"""Where pictures lie: a folder, a bucket behind a real HTTP server, memory; each keeps the same promises."""

from __future__ import annotations

import asyncio
import os
import socket
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any
from urllib.request import Request, urlopen

import pytest
from moto.server import ThreadedMotoServer

from app.gateways import photos
from app.gateways.photos import ObjectPhotos
from domain import errors, ids

BUCKET = "pictures"


@pytest.fixture(scope="module")
def endpoint() -> Iterator[str]:
    """Of a bucket, with what the environment says of it."""
    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    address = "http://{}:{}".format(*server.get_host_and_port())
    urlopen(Request(f"{address}/{BUCKET}", method="PUT"), timeout=30).close()  # noqa: S310
    with pytest.MonkeyPatch.context() as environment:
        for name, value in (
            ("AWS_ACCESS_KEY_ID", "somebody"),
            ("AWS_SECRET_ACCESS_KEY", "secret"),
            ("AWS_REGION", "us-east-1"),
            ("AWS_ENDPOINT_URL", address),
        ):
            environment.setenv(name, value)
        yield address
    server.stop()


@pytest.fixture(params=["folder", "bucket", "memory"])
def store(request: pytest.FixtureRequest, tmp_path: Path) -> ObjectPhotos:
    if request.param == "folder":
        return ObjectPhotos.at(None, tmp_path / "a folder")
    if request.param == "memory":
        return ObjectPhotos("memory:///")
    request.getfixturevalue("endpoint")
    return ObjectPhotos(f"s3://{BUCKET}/{ids.new()}")


async def test_what_was_put_is_there(store: ObjectPhotos) -> None:
    await store.put("photos/a/1.jpg", b"a picture")
    assert await store.get("photos/a/1.jpg") == b"a picture"


async def test_a_large_picture_is_put_in_one_piece(store: ObjectPhotos) -> None:
    content = os.urandom(6 * 1024 * 1024)
    await store.put("photos/a/1.jpg", content)
    assert await store.get("photos/a/1.jpg") == content


async def test_a_key_is_written_once(store: ObjectPhotos) -> None:
    await store.put("photos/a/1.jpg", b"first")
    await store.put("photos/a/1.jpg", b"second")
    assert await store.get("photos/a/1.jpg") == b"first"


async def test_what_is_not_there_is_not_found(store: ObjectPhotos) -> None:
    with pytest.raises(errors.NotFound):
        await store.get("photos/a/1.jpg")


async def test_deleting_is_done_as_often_as_one_likes(store: ObjectPhotos) -> None:
    await store.put("photos/a/1.jpg", b"a picture")
    for _ in range(2):
        await store.delete("photos/a/1.jpg")
    with pytest.raises(errors.NotFound):
        await store.get("photos/a/1.jpg")


async def test_a_folder_goes_with_all_that_is_in_it_and_no_other(store: ObjectPhotos) -> None:
    for key in ("photos/a/1.jpg", "photos/a/2.jpg", "photos/ab/1.jpg"):
        await store.put(key, b"a picture")
    for _ in range(2):
        await store.delete_folder("photos/a")
    for key in ("photos/a/1.jpg", "photos/a/2.jpg"):
        with pytest.raises(errors.NotFound):
            await store.get(key)
    assert await store.get("photos/ab/1.jpg") == b"a picture"


def test_nothing_of_a_deleted_photo_is_left_on_the_disk(tmp_path: Path) -> None:
    async def put_and_delete() -> None:
        store = ObjectPhotos.at(None, tmp_path)
        await store.put("photos/a/1.jpg", b"a picture")
        await store.delete_folder("photos/a")

    asyncio.run(put_and_delete())
    assert [found for found in tmp_path.rglob("*") if found.is_file()] == []


def test_a_process_that_needs_no_pictures_makes_no_folder(tmp_path: Path) -> None:
    ObjectPhotos.at(None, tmp_path)
    assert list(tmp_path.iterdir()) == []


async def test_a_disk_that_cannot_be_written_is_out_of_reach(tmp_path: Path) -> None:
    (tmp_path / "photos").write_text("not a folder")
    for act in _acts(ObjectPhotos.at(None, tmp_path)):
        with pytest.raises(errors.OutOfReach):
            await act


def _acts(store: ObjectPhotos) -> Iterator[Any]:
    yield store.put("photos/a/1.jpg", b"")
    yield store.get("photos/a/1.jpg")
    yield store.delete("photos/a/1.jpg")
    yield store.delete_folder("photos/a")


async def test_a_bucket_that_is_not_there_is_out_of_reach(endpoint: str) -> None:
    with pytest.raises(errors.OutOfReach):
        await ObjectPhotos("s3://nobody-has-this/photos").put("photos/a/1.jpg", b"a picture")


@pytest.fixture
async def silent_endpoint(monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[None]:
    """Takes connections and says nothing."""
    with socket.create_server(("127.0.0.1", 0)) as listening:
        monkeypatch.setenv("AWS_ENDPOINT_URL", f"http://127.0.0.1:{listening.getsockname()[1]}")
        monkeypatch.setenv("AWS_ACCESS_KEY_ID", "somebody")
        monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "secret")
        yield


async def test_a_bucket_that_does_not_answer_is_given_up(silent_endpoint: None, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(photos, "SECONDS", 0.1)
    async with asyncio.timeout(30):
        for act in _acts(ObjectPhotos("s3://pictures/photos")):
            with pytest.raises(errors.OutOfReach):
                await act
