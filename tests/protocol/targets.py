"""Targets: what the checks ask of a live server, with the ids that this server gave its rows."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import httpx

from tests.live import LiveServer

FOLDER = Path(__file__).parent / "targets"
#: needs nothing filled in
PROBE = FOLDER / "probe"
METRO = "{ customer { metros { id isDefault cursor center { lat lon } } } }"
#: degrees around the center, far enough for a few vehicles
NEARBY = 0.02


def ask(server: LiveServer, token: str, query: str, **variables: Any) -> Any:
    headers = {"Authorization": f"Bearer {token}"}
    body = {"query": query, "variables": variables}
    answer = httpx.post(server.graphql_url, json=body, headers=headers, trust_env=False, timeout=20).json()
    assert "errors" not in answer, answer["errors"]
    return answer["data"]


def prepare(server: LiveServer, name: str, folder: Path) -> Path:
    """A copy of the target in `folder`, its variables filled in."""
    values = _customer(server) if name == "customer" else _ops(server)
    target = shutil.copytree(FOLDER / name, folder / name)
    variables = target / "operations" / "variables.json"
    variables.write_text(json.dumps(_filled(json.loads(variables.read_text()), values)))
    return target


def _filled(given: Any, values: dict[str, Any]) -> Any:
    if isinstance(given, dict):
        return {key: _filled(inner, values) for key, inner in given.items()}
    if isinstance(given, list):
        return [_filled(inner, values) for inner in given]
    return values[given[1:]] if isinstance(given, str) and given.startswith("$") else given


def _metro(server: LiveServer, token: str) -> dict[str, Any]:
    found = ask(server, token, METRO)["customer"]["metros"]
    metro: dict[str, Any] = next(one for one in found if one["isDefault"])
    return metro


def _customer(server: LiveServer) -> dict[str, Any]:
    """A conversation in which the agent has something to say."""
    token = server.rider_token
    metro = _metro(server, token)
    opened = ask(
        server,
        token,
        "mutation ($metro: ID!) { customer { startConversation(input: { metroId: $metro }) {"
        " ... on StartConversationSuccess { conversation { id cursor } } } } }",
        metro=metro["id"],
    )["customer"]["startConversation"]["conversation"]
    ask(
        server,
        token,
        'mutation ($id: ID!) { customer { sendMessage(input: { conversationId: $id, clientMessageId: "1",'
        ' text: "Where is the nearest bike?" }) { __typename } } }',
        id=opened["id"],
    )
    center = metro["center"]
    return {
        "METRO": metro["id"],
        "LAT": center["lat"],
        "LON": center["lon"],
        "CONVERSATION": opened["id"],
        "CURSOR": opened["cursor"],
    }


def _ops(server: LiveServer) -> dict[str, Any]:
    """A metro in which something has changed since the cursor."""
    token = server.dispatcher_token
    metro = _metro(server, token)
    center = metro["center"]
    box = {
        "south": center["lat"] - NEARBY,
        "west": center["lon"] - NEARBY,
        "north": center["lat"] + NEARBY,
        "east": center["lon"] + NEARBY,
    }
    found = ask(
        server,
        token,
        "query ($box: BoxInput!) { ops { vehicles(box: $box, states: [AVAILABLE], first: 1) { nodes { id } } } }",
        box=box,
    )
    vehicle = found["ops"]["vehicles"]["nodes"][0]["id"]
    report = "mutation ($input: ReportVehicleInput!) { ops { reportVehicle(input: $input) { __typename } } }"
    for percent in (50, 51, 52):
        ask(server, token, report, input={"vehicleId": vehicle, "batteryPercent": percent})
    return {
        "METRO": metro["id"],
        "CURSOR": metro["cursor"],
        "VEHICLE": vehicle,
        **{side.upper(): degrees for side, degrees in box.items()},
    }
