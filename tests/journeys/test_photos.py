"""Photos, through the front door: asked for, sent to a link, looked at by another, refused in words."""

from __future__ import annotations

import asyncio
from uuid import uuid4

import httpx
import pytest
from PIL import Image

from tests.app.pictures import encoded, photo
from tests.journeys.clients import Api
from tests.live import LiveServer

REQUEST = """mutation($input: RequestPhotoUploadInput!) { customer { requestPhotoUpload(input: $input) {
  __typename ... on RequestPhotoUploadSuccess { upload { photoId url method } } ... on UserError { message } } } }"""
PHOTO = "query($id: ID!) { customer { photo(id: $id) { state takenAt url } } }"


@pytest.fixture
def rider(live_server: LiveServer) -> Api:
    return Api(live_server.graphql_url, live_server.rider_token)


async def asked(rider: Api) -> dict[str, str]:
    answer = await rider.run(REQUEST, input={"purpose": "RETURN", "idempotencyKey": str(uuid4())})
    upload: dict[str, str] = answer["upload"]
    return upload


def code_of(answer: httpx.Response) -> str:
    return str(answer.json()["errors"][0]["extensions"]["code"])


async def test_a_rider_sends_a_photo_and_sees_it(live_server: LiveServer, rider: Api) -> None:
    upload = await asked(rider)
    assert upload["url"].startswith(f"{live_server.url}/uploads/")
    sent = await rider.http.request(upload["method"], upload["url"], content=photo())
    assert (sent.status_code, sent.json()["photoId"]) == (201, upload["photoId"])
    found = await rider.run(PHOTO, id=upload["photoId"])
    assert (found["state"], found["takenAt"]) == ("STORED", "2026-11-21T08:25:00Z")
    seen = await rider.http.get(found["url"])
    assert (seen.status_code, seen.headers["content-type"], seen.content[:3]) == (200, "image/jpeg", b"\xff\xd8\xff")
    assert list((live_server.data_dir / "photos").rglob("*/*.jpg")) != []
    stranger = Api(live_server.graphql_url, live_server.rider2_token)
    assert await stranger.run(PHOTO, id=upload["photoId"]) is None


async def test_of_three_uploads_at_once_one_is_the_photo(rider: Api) -> None:
    upload = await asked(rider)
    pictures = [encoded(Image.new("RGB", (300, 300), (80 * number, 0, 0))) for number in range(3)]
    answers = await asyncio.gather(*(rider.http.put(upload["url"], content=content) for content in pictures))
    assert sorted(answer.status_code for answer in answers) == [201, 409, 409]


async def test_a_file_that_is_too_large_is_refused_in_words(rider: Api) -> None:
    upload = await asked(rider)
    answer = await rider.http.put(upload["url"], content=bytes(11 * 1024 * 1024))
    assert (answer.status_code, code_of(answer)) == (413, "PHOTO_TOO_LARGE")
    answer = await rider.http.put(upload["url"], content=encoded(Image.new("1", (8000, 5000)), "PNG"))
    assert (answer.status_code, code_of(answer)) == (422, "PHOTO_TOO_MANY_PIXELS")
    assert (await rider.http.put(upload["url"], content=photo())).status_code == 201


async def test_who_says_less_than_is_sent_sends_no_photo(live_server: LiveServer, rider: Api) -> None:
    """The rest is no request either."""
    upload = await asked(rider)
    host, port = live_server.url.removeprefix("http://").split(":")
    reader, writer = await asyncio.open_connection(host, int(port))
    path = upload["url"].removeprefix(live_server.url)
    writer.write(f"PUT {path} HTTP/1.1\r\nHost: {host}\r\nContent-Length: 100\r\nConnection: close\r\n\r\n".encode() + photo())
    async with asyncio.timeout(30):
        answer = await reader.readline()
    writer.close()
    assert b" 422 " in answer
    assert (await rider.run(PHOTO, id=upload["photoId"]))["state"] == "REQUESTED"
