"""HTTP: statuses, media types and headers, asked of a live server over real connections."""

from __future__ import annotations

import json
import re
from typing import Any
from uuid import uuid4

import httpx
import pytest

from app.web import page
from tests.journeys import documents, riders, waiting
from tests.journeys.clients import Api
from tests.journeys.hosting import hosted
from tests.live import LiveServer

JSON = "application/json"
RESPONSE_JSON = "application/graphql-response+json"
METROS = "{ customer { metros { id } } }"
FRONT_END = "https://app.example"


@pytest.fixture
def api(live_server: LiveServer) -> Api:
    return Api(live_server.graphql_url)


async def _send(api: Api, method: str = "POST", **request: Any) -> httpx.Response:
    return await api.http.request(method, api.url, **request)


def _error(response: httpx.Response) -> dict[str, Any]:
    (error,) = response.json()["errors"]
    assert response.headers["content-type"].startswith((JSON, RESPONSE_JSON))
    assert error["message"]
    found: dict[str, Any] = error
    return found


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"{",
        b"[]",
        b'[{"query": "{ __typename }"}]',
        b'"{ __typename }"',
        b"null",
        b"{}",
        b'{"query": ""}',
        b'{"query": null}',
        b'{"query": 1}',
        b'{"query": "{ __typename }", "variables": []}',
        b'{"query": "{ __typename }", "operationName": 1}',
        b'{"query": "{ __typename }", "extensions": "x"}',
        b'{"query": "\\ud800"}',
        b"\xff\xfe",
    ],
)
async def test_a_body_that_is_no_request_is_400(api: Api, body: bytes) -> None:
    for accept in (JSON, RESPONSE_JSON):
        response = await _send(api, content=body, headers={"Content-Type": JSON, "Accept": accept})
        assert response.status_code == 400, response.text
        assert _error(response)["extensions"]["code"] == "BAD_REQUEST"


@pytest.mark.parametrize(
    "content_type",
    [
        None,
        "text/plain",
        "application/graphql",
        "application/x-www-form-urlencoded",
        "multipart/form-data; boundary=x",
        "application/json; charset=latin-1",
        "application/jsonp",
    ],
)
async def test_a_content_type_that_is_not_json_is_415(api: Api, content_type: str | None) -> None:
    headers = {"Content-Type": content_type} if content_type else {}
    response = await _send(api, content=json.dumps({"query": METROS}).encode(), headers=headers)
    assert response.status_code == 415
    assert JSON in _error(response)["message"]


async def test_json_with_a_charset_is_read(api: Api) -> None:
    for content_type in ("application/json; charset=utf-8", "APPLICATION/JSON;charset=UTF-8"):
        response = await _send(api, content=json.dumps({"query": METROS}).encode(), headers={"Content-Type": content_type})
        assert response.status_code == 200


async def test_a_body_beyond_the_limit_is_413(api: Api) -> None:
    body = json.dumps({"query": METROS, "variables": {"x": "x" * 300_000}}).encode()
    headers = {"Content-Type": JSON}
    response = await _send(api, content=body, headers=headers)
    assert (response.status_code, "262144" in _error(response)["message"]) == (413, True)

    async def chunks() -> Any:
        for start in range(0, len(body), 1000):
            yield body[start : start + 1000]

    assert (await _send(api, content=chunks(), headers=headers)).status_code == 413


async def test_a_get_reads_and_does_not_write(api: Api) -> None:
    read = await _send(api, "GET", params={"query": METROS})
    assert (read.status_code, len(read.json()["data"]["customer"]["metros"])) == (200, 1)
    write = await _send(api, "GET", params={"query": "mutation { customer { signOut { __typename } } }"})
    assert write.status_code == 405
    signed_in = "mutation($i: SignInInput!) { customer { signIn(input: $i) { __typename } } }"
    variables = json.dumps({"i": {"email": "a@b.c", "password": "x"}})
    write = await _send(api, "GET", params={"query": signed_in, "variables": variables})
    assert (write.status_code, write.headers["allow"]) == (405, "POST")
    assert (await _send(api, "GET", params={"query": METROS, "variables": "{"})).status_code == 400
    assert (await _send(api, "GET")).status_code == 400


@pytest.mark.parametrize("method", ["PUT", "PATCH", "DELETE"])
async def test_another_method_is_405_and_names_the_ones_that_are_allowed(api: Api, method: str) -> None:
    response = await _send(api, method, json={"query": METROS})
    assert (response.status_code, response.headers["allow"]) == (405, "GET, POST")


async def test_a_subscription_over_http_is_told_where_to_go(api: Api, live_server: LiveServer) -> None:
    headers = {"Authorization": f"Bearer {live_server.rider_token}"}
    query = 'subscription { customerChatEvents(conversationId: "x") { __typename } }'
    response = await _send(api, json={"query": query}, headers=headers)
    assert response.status_code == 400
    assert "WebSocket" in _error(response)["message"]


@pytest.mark.parametrize(
    ("query", "code"),
    [
        ("{", "GRAPHQL_PARSE_FAILED"),
        ("{ nothing }", "GRAPHQL_VALIDATION_FAILED"),
        ("{ customer { metros } }", "GRAPHQL_VALIDATION_FAILED"),
        ("query A { __typename } query B { __typename }", "OPERATION_RESOLUTION_FAILURE"),
        ("{ customer { viewer { id } } }", "UNAUTHENTICATED"),
    ],
)
async def test_a_document_that_cannot_run_is_told_by_code_and_by_status_to_who_asks_for_it(
    api: Api, query: str, code: str
) -> None:
    status = 401 if code == "UNAUTHENTICATED" else 400
    for accept, expected in ((JSON, 200), (RESPONSE_JSON, status)):
        response = await _send(api, json={"query": query}, headers={"Accept": accept})
        assert response.status_code == expected
        assert response.headers["content-type"] == f"{accept}; charset=utf-8"
        assert "data" not in response.json()
        assert _error(response)["extensions"]["code"] == code


async def test_an_answer_type_that_is_not_offered_is_406(api: Api) -> None:
    response = await _send(api, json={"query": METROS}, headers={"Accept": "text/csv"})
    assert response.status_code == 406


async def test_a_request_keeps_its_id_and_gets_one_otherwise(api: Api, live_server: LiveServer) -> None:
    own = f"test-{uuid4().hex}"
    response = await _send(api, json={"query": METROS}, headers={"X-Request-ID": own})
    assert response.headers["x-request-id"] == own
    assert re.fullmatch(r"total;dur=\d+\.\d", response.headers["server-timing"])
    await waiting.until(lambda: own in live_server.log, 5)  # it is written after the answer has gone
    (line,) = (json.loads(line) for line in live_server.log.splitlines() if own in line)
    assert (line["event"], line["request_id"], line["status"], line["path"]) == ("request", own, 200, "/graphql")
    for bad in ("", "x" * 101, 'a"b', "a b"):
        given = (await _send(api, json={"query": METROS}, headers={"X-Request-ID": bad})).headers["x-request-id"]
        assert re.fullmatch(r"[0-9a-f]{16}", given)
    refused = await _send(api, content=b"{", headers={"Content-Type": JSON, "X-Request-ID": own})
    assert refused.headers["x-request-id"] == own


BOTH = """mutation($rider: ReserveVehicleInput!, $ops: OpsReserveVehicleInput!) {
  customer { reserveVehicle(input: $rider) { __typename } } ops { reserveVehicle(input: $ops) { __typename } } }"""


async def test_one_forbidden_field_refuses_the_whole_operation_and_nothing_runs(live_server: LiveServer) -> None:
    rider = Api(live_server.graphql_url, live_server.rider_token)
    bike = (await riders.free_vehicles(rider, "BICYCLE"))[20]
    viewer = await rider.run(documents.VIEWER)
    before = riders.rows(live_server.database_url, "select count(*) from reservations")
    given = {"vehicleId": bike["id"], "idempotencyKey": uuid4().hex}
    staff = Api(live_server.graphql_url, live_server.dispatcher_token)
    for api, status in ((rider, 403), (staff, 403), (Api(live_server.graphql_url), 401)):
        variables = {"rider": given, "ops": {**given, "customerId": viewer["id"]}}
        response = await api.post(BOTH, {"Accept": RESPONSE_JSON}, **variables)
        assert (response.status_code, "data" in response.json()) == (status, False)
        assert _error(response)["extensions"]["code"] == ("FORBIDDEN" if status == 403 else "UNAUTHENTICATED")
    assert riders.rows(live_server.database_url, "select count(*) from reservations") == before


async def test_a_token_is_good_in_its_own_namespace_alone(live_server: LiveServer) -> None:
    rider = Api(live_server.graphql_url, live_server.rider_token)
    staff = Api(live_server.graphql_url, live_server.dispatcher_token)
    assert await rider.code("{ ops { viewer { id } } }") == "FORBIDDEN"
    assert await staff.code(documents.VIEWER) == "FORBIDDEN"
    assert await rider.run(documents.VIEWER)
    assert await staff.run("{ ops { viewer { id } } }")


async def test_browsers_of_allowed_origins_may_call_and_others_may_not(live_server: LiveServer) -> None:
    asked = {"Access-Control-Request-Method": "POST", "Access-Control-Request-Headers": "authorization,content-type"}
    async with hosted(live_server, cors_origins=[FRONT_END]) as url, httpx.AsyncClient(trust_env=False) as http:
        allowed = await http.options(f"{url}/graphql", headers={"Origin": FRONT_END, **asked})
        assert (allowed.status_code, allowed.headers["access-control-allow-origin"]) == (200, FRONT_END)
        assert "authorization" in allowed.headers["access-control-allow-headers"].lower()
        other = await http.options(f"{url}/graphql", headers={"Origin": "https://evil.example", **asked})
        assert (other.status_code, other.headers.get("access-control-allow-origin")) == (400, None)
        answer = await http.post(f"{url}/graphql", json={"query": METROS}, headers={"Origin": FRONT_END})
        assert answer.headers["access-control-allow-origin"] == FRONT_END
        assert "access-control-allow-credentials" not in answer.headers
        stranger = await http.post(f"{url}/graphql", json={"query": METROS}, headers={"Origin": "https://evil.example"})
        assert "access-control-allow-origin" not in stranger.headers


PRODUCTION = {"env": "production", "signing_key": "x" * 32}
INTROSPECTION = "{ __schema { types { name } } }"


async def test_graphiql_is_for_browsers(api: Api) -> None:
    if not (page.DIST_DIR / "index.html").exists():
        pytest.skip("GraphiQL is not built: python -m app.web.build")
    shown = await _send(api, "GET", headers={"Accept": "text/html,*/*;q=0.8"})
    assert (shown.status_code, shown.headers["content-type"]) == (200, "text/html; charset=utf-8")
    assert "default-src 'none'" in shown.headers["content-security-policy"]
    assert "set-cookie" not in shown.headers
    assert (await _send(api, "GET", headers={"Accept": "*/*"})).status_code == 400
    asked = await _send(api, "GET", params={"query": METROS}, headers={"Accept": "text/html,*/*;q=0.8"})
    assert asked.json()["data"]


async def test_production_has_no_graphiql_no_introspection_and_no_generated_key(live_server: LiveServer) -> None:
    async with hosted(live_server, **PRODUCTION) as url, httpx.AsyncClient(trust_env=False) as http:
        shown = await http.get(f"{url}/graphql", headers={"Accept": "text/html,*/*;q=0.8"})
        assert shown.status_code == 400
        assert "html" not in shown.headers["content-type"]
        for asked in (INTROSPECTION, '{ __type(name: "Vehicle") { name } }'):
            refused = (await http.post(f"{url}/graphql", json={"query": asked})).json()
            assert "data" not in refused
            assert refused["errors"]
        answer = await http.post(f"{url}/graphql", json={"query": f"{METROS[:-1]} __typename }}"})
        assert answer.json()["data"]["__typename"] == "Query"
        foreign = {"Authorization": f"Bearer {live_server.rider_token}"}
        assert (await http.post(f"{url}/graphql", json={"query": METROS}, headers=foreign)).status_code == 401


@pytest.mark.parametrize(("served", "hidden"), [("customer", "ops"), ("ops", "customer")])
async def test_a_process_of_one_namespace_knows_no_type_of_the_other(live_server: LiveServer, served: str, hidden: str) -> None:
    async with hosted(live_server, namespaces=served) as url:
        api = Api(f"{url}/graphql", live_server.rider_token if served == "customer" else live_server.dispatcher_token)
        types = {one["name"] for one in (await api.answer(INTROSPECTION))["data"]["__schema"]["types"]}
        foreign = {
            "ops": {"OpsQuery", "OpsReservation", "FleetVehicle", "StaffMember", "DispatchUpdate", "ReservationChanged"},
            "customer": {
                "CustomerQuery",
                "Customer",
                "Reservation",
                "Conversation",
                "ChatEvent",
                "Proposal",
                "ReservationUpdate",
            },
        }
        assert not types & foreign[hidden]
        assert types >= foreign[served]
        assert await api.code(f"{{ {hidden} {{ viewer {{ id }} }} }}") == "GRAPHQL_VALIDATION_FAILED"
        assert await api.run(f"{{ {served} {{ viewer {{ id }} }} }}")
