"""Bad input: whatever a client sends, the answer is typed, teaches, and nothing is half-written."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID, uuid4

import pytest

from domain import ids
from tests.journeys import documents, riders
from tests.journeys.clients import Api
from tests.live import LiveServer

NUL = "\x00"
#: of nothing that there is
NOTHING = UUID("01890000-0000-7000-8000-000000000000")


@pytest.fixture
def rider(live_server: LiveServer) -> Api:
    return Api(live_server.graphql_url, live_server.rider_token)


def _reservations(server: LiveServer) -> int:
    return int(riders.rows(server.database_url, "select count(*) from reservations")[0][0])


def _in(**duration: float) -> str:
    return (datetime.now(UTC) + timedelta(**duration)).isoformat()


@dataclass(frozen=True)
class Fault:
    name: str
    vehicle_type: str
    #: minutes from now
    starts: float | None
    ends: float | None
    at_fault: list[str]
    #: what the message says
    says: str

    def window(self) -> dict[str, str]:
        given = {"startsAt": self.starts, "endsAt": self.ends}
        return {name: _in(minutes=minutes) for name, minutes in given.items() if minutes is not None}


DAY = 24 * 60
WINDOWS = [
    Fault("in the past", "BICYCLE", -10, None, ["startsAt"], "past"),
    Fault("a car in the past", "CAR", -10, 60, ["startsAt"], "past"),
    Fault("too far ahead", "SCOOTER_STANDING", 31, None, ["startsAt"], "30 minutes ahead"),
    Fault("a van too far ahead", "VAN", 7 * DAY + 5, 7 * DAY + 65, ["startsAt"], "7 days ahead"),
    Fault("too long", "CAR", 10, 7 * DAY + 15, ["endsAt"], "7 days at most"),
    Fault("too short", "CAR", 10, 20, ["endsAt"], "15 minutes at least"),
    Fault("ends before it starts", "VAN", 60, 10, ["endsAt"], "after startsAt"),
    Fault("an end for a bike", "BICYCLE", None, 60, ["endsAt"], "open-ended"),
    Fault("no end for a car", "CAR", 10, None, ["endsAt"], "give endsAt"),
]


@pytest.mark.parametrize("fault", WINDOWS, ids=lambda fault: fault.name)
async def test_a_wrong_window_is_refused_with_the_limit_and_the_way_out(
    live_server: LiveServer, rider: Api, fault: Fault
) -> None:
    vehicle = (await riders.free_vehicles(rider, fault.vehicle_type))[0]
    before = _reservations(live_server)
    refused = await riders.reserve(rider, vehicle["id"], **fault.window())
    assert refused["__typename"] == "InvalidInputError", refused
    assert [issue["path"] for issue in refused["issues"]] == [fault.at_fault]
    assert fault.says in refused["issues"][0]["message"]
    assert _reservations(live_server) == before


async def test_several_faults_of_a_window_travel_together(rider: Api) -> None:
    van = (await riders.free_vehicles(rider, "VAN"))[0]
    refused = await riders.reserve(rider, van["id"], startsAt=_in(days=8), endsAt=_in(days=16))
    assert [issue["path"] for issue in refused["issues"]] == [["startsAt"], ["endsAt"]]


@pytest.mark.parametrize(
    ("given", "type_name"),
    [
        ("vehicle_00000000000000000000000000", "NotFoundError"),
        (ids.encode(ids.VEHICLE, NOTHING), "NotFoundError"),
        (ids.encode(ids.RESERVATION, NOTHING), "InvalidInputError|NotFoundError"),
        ("vehicle_zzzzzzzzzzzzzzzzzzzzzzzzzz", "InvalidInputError|NotFoundError"),
        ("garbage", "InvalidInputError|NotFoundError"),
        ("", "InvalidInputError|NotFoundError"),
        ("vehicle_" + "0" * 10_000, "InvalidInputError|NotFoundError"),
        (NUL, "InvalidInputError|NotFoundError"),
        ("vehicle_💥", "InvalidInputError|NotFoundError"),
        ("1; drop table vehicles", "InvalidInputError|NotFoundError"),
    ],
)
async def test_an_id_that_is_none_of_a_vehicle_is_refused_by_type(rider: Api, given: str, type_name: str) -> None:
    refused = await riders.reserve(rider, given)
    assert refused["__typename"] in type_name.split("|"), refused
    assert refused["path"] == ["vehicleId"]


async def test_what_belongs_to_others_is_not_found(live_server: LiveServer, rider: Api) -> None:
    other = Api(live_server.graphql_url, live_server.rider2_token)
    bike = (await riders.free_vehicles(other, "BICYCLE"))[5]
    made = (await riders.reserve(other, bike["id"]))["reservation"]
    cancel = {"reservationId": made["id"], "idempotencyKey": uuid4().hex}
    refused = await rider.run(documents.CANCEL, input=cancel)
    assert (refused["__typename"], refused["path"]) == ("NotFoundError", ["reservationId"])
    async with riders.chatting(live_server, other.token) as chat:
        send = {"conversationId": chat.conversation_id, "text": "hello", "clientMessageId": "1"}
        refused = await rider.run(documents.SEND_MESSAGE, input=send)
        assert (refused["__typename"], refused["path"]) == ("NotFoundError", ["conversationId"])
        shown = await rider.answer("query($id: ID!) { customer { conversation(id: $id) { id } } }", id=chat.conversation_id)
        assert shown["data"] == {"customer": {"conversation": None}}
        for foreign in (made["id"], chat.conversation_id):
            node = await rider.answer("query($id: ID!) { node(id: $id) { id } }", id=foreign)
            assert node == {"data": {"node": None}}
    assert (await other.run(documents.CANCEL, input=cancel))["__typename"] == "CancelReservationSuccess"
    again = {**cancel, "idempotencyKey": uuid4().hex}
    assert (await other.run(documents.CANCEL, input=again))["__typename"] == "ReservationClosedError"


@pytest.mark.parametrize("given", ["garbage", "proposal_00000000000000000000000000", "vehicle_00000000000000000000000000", NUL])
async def test_an_id_of_another_kind_is_refused_by_every_mutation(rider: Api, given: str) -> None:
    asked = {
        documents.CANCEL: {"reservationId": given, "idempotencyKey": uuid4().hex},
        documents.START_CONVERSATION: {"metroId": given},
        documents.SEND_MESSAGE: {"conversationId": given, "text": "hello", "clientMessageId": "1"},
        documents.DECIDE: {"proposalId": given, "digest": "0", "decision": "APPROVE"},
    }
    for document, values in asked.items():
        refused = await rider.run(document, input=values)
        assert refused["__typename"] in ("InvalidInputError", "NotFoundError"), (document, refused)


async def test_the_same_key_answers_the_same_and_refuses_another_wish(live_server: LiveServer, rider: Api) -> None:
    first, second = (await riders.free_vehicles(rider, "BICYCLE"))[10:12]
    given = {"vehicleId": first["id"], "idempotencyKey": uuid4().hex}
    before = _reservations(live_server)
    made = await rider.run(documents.RESERVE, input=given)
    again = await rider.run(documents.RESERVE, input=given)
    assert again["reservation"]["id"] == made["reservation"]["id"]
    for other in ({"vehicleId": second["id"]}, {"expectedMinutes": 5}):
        refused = await rider.run(documents.RESERVE, input={**given, **other})
        assert refused["__typename"] == "IdempotencyConflictError"
    assert _reservations(live_server) == before + 1
    stranger = Api(live_server.graphql_url, live_server.rider2_token)
    assert (await stranger.run(documents.RESERVE, input=given))["__typename"] == "VehicleUnavailableError", "keys are per account"


async def test_a_refused_wish_leaves_its_key_free(rider: Api) -> None:
    bike = (await riders.free_vehicles(rider, "BICYCLE"))[12]
    given = {"vehicleId": bike["id"], "idempotencyKey": uuid4().hex}
    refused = await rider.run(documents.RESERVE, input={**given, "endsAt": _in(hours=1)})
    assert refused["__typename"] == "InvalidInputError"
    assert (await rider.run(documents.RESERVE, input=given))["__typename"] == "ReserveVehicleSuccess"


async def test_the_same_message_id_stores_one_message_and_refuses_another_text(live_server: LiveServer) -> None:
    async with riders.chatting(live_server) as chat:
        given = {"conversationId": chat.conversation_id, "text": "hello", "clientMessageId": "1"}
        first = await chat.api.run(documents.SEND_MESSAGE, input=given)
        again = await chat.api.run(documents.SEND_MESSAGE, input=given)
        assert (again["messageId"], again["turnId"]) == (first["messageId"], first["turnId"])
        refused = await chat.api.run(documents.SEND_MESSAGE, input={**given, "text": "goodbye"})
        assert refused["__typename"] == "IdempotencyConflictError"
        await chat.stream.until("TurnFinished")
        assert len(chat.stream.named("MessageStored")) == 1


HOSTILE = [
    (documents.SIGN_IN, {"email": f"a{NUL}@b.c", "password": "x"}),
    (documents.SIGN_IN, {"email": "rider@nimrod.example", "password": f"x{NUL}"}),
    (documents.SIGN_IN, {"email": "@", "password": ""}),
    (documents.SIGN_IN, {"email": "a@" + "b" * 5000, "password": "x" * 5000}),
    (documents.RESERVE, {"vehicleId": "garbage", "idempotencyKey": f"a{NUL}b"}),
    (documents.RESERVE, {"vehicleId": "garbage", "idempotencyKey": ""}),
    (documents.CANCEL, {"reservationId": ids.encode(ids.RESERVATION, NOTHING), "idempotencyKey": f"a{NUL}b"}),
    (documents.CANCEL, {"reservationId": ids.encode(ids.RESERVATION, NOTHING), "idempotencyKey": "k" * 101}),
]


@pytest.mark.parametrize(("document", "given"), HOSTILE)
async def test_hostile_text_is_refused_by_type(rider: Api, document: str, given: dict[str, Any]) -> None:
    refused = await rider.run(document, input=given)
    assert refused["__typename"] in ("InvalidInputError", "NotFoundError", "InvalidCredentialsError"), refused


@pytest.mark.parametrize("text", ["", "  ", "x" * 2001, f"hel{NUL}lo"])
async def test_a_message_that_cannot_be_stored_is_refused(live_server: LiveServer, text: str) -> None:
    async with riders.chatting(live_server) as chat:
        given = {"conversationId": chat.conversation_id, "text": text, "clientMessageId": "1"}
        refused = await chat.api.run(documents.SEND_MESSAGE, input=given)
        assert (refused["__typename"], refused["path"]) == ("InvalidInputError", ["text"])
        given = {"conversationId": chat.conversation_id, "text": "hello", "clientMessageId": NUL}
        refused = await chat.api.run(documents.SEND_MESSAGE, input=given)
        assert (refused["__typename"], refused["path"]) == ("InvalidInputError", ["clientMessageId"])


@pytest.mark.parametrize(
    "near", [{"lat": 91, "lon": 0}, {"lat": 0, "lon": 181}, {"lat": -91, "lon": 0}, {"lat": 1e308, "lon": -1e308}]
)
async def test_a_position_off_the_globe_is_bad_input(rider: Api, near: dict[str, float]) -> None:
    metro = await riders.default_metro(rider)
    assert await rider.code(documents.VEHICLES, metroId=metro["id"], near=near) == "BAD_USER_INPUT"


@pytest.mark.parametrize(
    "asked",
    [
        {"radiusMeters": 0},
        {"radiusMeters": -1},
        {"radiusMeters": 2_147_483_647},
        {"first": 0},
        {"first": 101},
        {"after": "garbage"},
        {"after": ""},
        {"after": NUL},
        {"metroId": "garbage"},
    ],
)
async def test_a_list_asked_for_wrongly_is_bad_input(rider: Api, asked: dict[str, Any]) -> None:
    metro = await riders.default_metro(rider)
    document = """query($metroId: ID!, $near: LatLngInput!, $radiusMeters: Int, $first: Int, $after: String) { customer {
      vehicles(metroId: $metroId, near: $near, radiusMeters: $radiusMeters, first: $first, after: $after) { nodes { id } } } }"""
    document = document.replace("$radiusMeters: Int,", "$radiusMeters: Int! = 500,").replace("$first: Int,", "$first: Int! = 1,")
    given = {"metroId": metro["id"], "near": metro["center"], **asked}
    assert await rider.code(document, **given) == "BAD_USER_INPUT"


@pytest.mark.parametrize(
    ("field", "value", "limit"),
    [
        ("minimumRangeMeters", -1, "between 0 and 1,000,000"),
        ("minimumRangeMeters", 1_000_001, "between 0 and 1,000,000"),
        ("minimumBatteryPercent", -1, "between 0 and 100"),
        ("minimumBatteryPercent", 101, "between 0 and 100"),
    ],
)
async def test_a_filter_that_cannot_be_is_refused_with_field_and_limit(rider: Api, field: str, value: int, limit: str) -> None:
    metro = await riders.default_metro(rider)
    document = """query($metroId: ID!, $near: LatLngInput!, $value: Int!) { customer {
      vehicles(metroId: $metroId, near: $near, FIELD: $value) { nodes { id } } } }""".replace("FIELD", field)
    answer = await rider.answer(document, metroId=metro["id"], near=metro["center"], value=value)
    (error,) = answer["errors"]
    assert error["extensions"]["code"] == "BAD_USER_INPUT"
    assert error["extensions"]["path"] == [field]
    assert limit in error["message"]


_WIDE = {"south": 40, "west": 8, "north": 50, "east": 9}


@pytest.mark.parametrize(
    ("area", "code"),
    [
        ({}, "GRAPHQL_VALIDATION_FAILED"),
        ({"near": None}, "GRAPHQL_VALIDATION_FAILED"),
        ({"near": {"center": {"lat": 49, "lon": 8}}, "box": _WIDE}, "GRAPHQL_VALIDATION_FAILED"),
        ({"near": {"center": {"lat": 91, "lon": 8}}}, "BAD_USER_INPUT"),
        ({"near": {"center": {"lat": 49, "lon": 8}, "radiusMeters": 0}}, "BAD_USER_INPUT"),
        ({"near": {"center": {"lat": 49, "lon": 8}, "radiusMeters": 20_001}}, "BAD_USER_INPUT"),
        ({"box": _WIDE}, "BAD_USER_INPUT"),
        ({"box": {**_WIDE, "north": 39}}, "BAD_USER_INPUT"),
    ],
)
async def test_an_area_is_one_circle_or_one_box_of_some_size(rider: Api, area: dict[str, Any], code: str) -> None:
    metro = await riders.default_metro(rider)
    document = """query($metroId: ID!, $area: AreaInput!) { customer {
      stations(metroId: $metroId, area: $area) { nodes { freeDocks } } } }"""
    assert await rider.code(document, metroId=metro["id"], area=area) == code


async def test_places_are_searched_with_any_text(rider: Api) -> None:
    metro = await riders.default_metro(rider)
    for text in ("%", "_", "\\", "'", "%%%", NUL, "💥", "x" * 300, "  ", "central  STATION"):
        answer = await rider.answer(documents.PLACES, metroId=metro["id"], search=text)
        codes = [error["extensions"]["code"] for error in answer.get("errors", ())]
        assert set(codes) <= {"BAD_USER_INPUT"}, (text, answer)


async def test_a_place_where_nothing_stands_has_no_vehicles(rider: Api) -> None:
    metro = await riders.default_metro(rider)
    nowhere = {"lat": -metro["center"]["lat"], "lon": metro["center"]["lon"]}
    assert (await rider.run(documents.VEHICLES, metroId=metro["id"], near=nowhere))["nodes"] == []


@pytest.mark.parametrize(
    ("words", "said"),
    [
        ("Book a bike from Atlantis to the Museum", "Atlantis"),
        ("Book a bike from Central Station to Xyzzyville", "Xyzzyville"),
    ],
)
async def test_the_chat_says_which_place_it_does_not_know(live_server: LiveServer, words: str, said: str) -> None:
    async with riders.chatting(live_server) as chat:
        await chat.say(words)
        finished = await chat.stream.until("TurnFinished")
        assert said.lower() in finished["text"].lower()
        assert chat.stream.named("ProposalMade") == []


async def test_the_chat_says_that_no_vehicle_is_near(live_server: LiveServer) -> None:
    metro_wide = {"lat": 0.0, "lon": 0.0}
    async with riders.chatting(live_server) as chat:
        given = {
            "conversationId": chat.conversation_id,
            "text": "Book a van near me for 2 hours",
            "clientMessageId": "1",
            "position": metro_wide,
        }
        await chat.api.run(documents.SEND_MESSAGE, input=given)
        finished = await chat.stream.until("TurnFinished")
        assert chat.stream.named("ProposalMade") == []
        assert chat.stream.named("TurnFailed") == []
        assert finished["text"]


async def test_the_chat_names_the_limit_of_a_window_that_is_too_far_ahead(live_server: LiveServer) -> None:
    async with riders.chatting(live_server) as chat:
        await chat.say("Book a bike from Central Station to the Museum tomorrow at 08:30")
        finished = await chat.stream.until("TurnFinished")
        assert "30" in finished["text"]
        assert chat.stream.named("ProposalMade") == []
