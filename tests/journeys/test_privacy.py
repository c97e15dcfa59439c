"""Privacy, through the front door: a rider takes everything along and leaves for good."""

from __future__ import annotations

import json
import zipfile
from io import BytesIO
from uuid import uuid4

import httpx
import psycopg
import pytest

from app import demo
from domain import ids
from tests.journeys import clients, documents, riders, waiting
from tests.journeys.clients import Api
from tests.live import LiveServer

REQUEST = """mutation($input: RequestDataExportInput!) { customer { requestDataExport(input: $input) {
  __typename ... on RequestDataExportSuccess { export { id state downloadUrl } } ... on UserError { message } } } }"""
EXPORT = "query($id: ID!) { customer { export(id: $id) { state sizeBytes downloadUrl } } }"
ERASE = """mutation($input: EraseAccountInput!) { customer { eraseAccount(input: $input) {
  __typename ... on UserError { message } } } }"""
VIEWER = "{ customer { viewer { email } } }"


@pytest.fixture
async def rider(live_server: LiveServer) -> Api:
    """Signed in, with an account that nobody else uses."""
    email = f"leaver-{uuid4()}@example.org"
    with psycopg.connect(live_server.database_url) as connection:
        connection.execute(
            "insert into customers (id, email, password_hash, name, language, created_at)"
            " select gen_random_uuid(), %s, password_hash, 'Leaver', 'en', now() from customers where email = %s",
            (email, next(iter(demo.RIDERS))),
        )
    api = Api(live_server.graphql_url)
    signed_in = await api.run(documents.SIGN_IN, input={"email": email, "password": demo.PASSWORD})
    return Api(live_server.graphql_url, signed_in["accessToken"])


async def archive(api: Api, live_server: LiveServer) -> tuple[str, zipfile.ZipFile]:
    """The link, as it is at this server, and what it leads to."""
    made = (await api.run(REQUEST, input={"idempotencyKey": "export"}))["export"]
    assert (made["state"], made["downloadUrl"]) == ("REQUESTED", None)

    async def is_ready() -> bool:
        return bool((await api.run(EXPORT, id=made["id"]))["state"] == "READY")

    await waiting.until(is_ready)
    found = await api.run(EXPORT, id=made["id"])
    link = f"{live_server.url}/exports/{found['downloadUrl'].rpartition('/')[2]}"
    answer = await Api(link).http.get(link)
    assert (answer.status_code, len(answer.content)) == (200, found["sizeBytes"])
    return link, zipfile.ZipFile(BytesIO(answer.content))


async def test_a_rider_takes_everything_along_and_leaves_for_good(live_server: LiveServer, rider: Api) -> None:
    email = (await rider.run(VIEWER))["email"]
    bike = (await riders.free_vehicles(rider, "BICYCLE"))[-1]
    reserved = (await riders.reserve(rider, bike["id"]))["reservation"]
    link, found = await archive(rider, live_server)
    (kept,) = json.loads(found.read("reservations.json"))
    assert kept["id"] == str(ids.decode(reserved["id"], ids.RESERVATION))
    (account,) = json.loads(found.read("customers.json"))
    assert account["email"] == email

    async with clients.opened(live_server.ws_url, rider.token) as socket:
        wrong = await rider.run(ERASE, input={"password": "wrong", "idempotencyKey": "bye"})
        assert wrong["__typename"] == "InvalidCredentialsError"
        bye = {"password": demo.PASSWORD, "idempotencyKey": "bye"}
        assert (await rider.run(ERASE, input=bye))["__typename"] == "EraseAccountSuccess"
        assert await clients.closing(socket.connection) == (4403, "Session ended")
    assert (await rider.run(ERASE, input=bye))["__typename"] == "SessionEndedError"
    assert await rider.code(VIEWER) == "NOT_FOUND"
    again = await Api(rider.url).run(documents.SIGN_IN, input={"email": email, "password": demo.PASSWORD})
    assert again["__typename"] == "InvalidCredentialsError"
    gone: httpx.Response = await Api(link).http.get(link)
    assert (gone.status_code, gone.json()["errors"][0]["extensions"]["code"]) == (410, "LINK_EXPIRED")
    state = "select state from reservations where id = %(id)s"
    assert riders.rows(live_server.database_url, state, id=kept["id"]) == [("cancelled",)]
