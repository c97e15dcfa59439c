"""Sessions: signed in on several devices, sent away from one of them, seen by what the others have open."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Iterator
from typing import Any

import pytest

from app import demo
from tests.journeys import clients, documents
from tests.journeys.clients import Api
from tests.journeys.event_source import EventSource, ResponseEnded
from tests.journeys.gate import Gate
from tests.journeys.hosting import hosted
from tests.live import Launcher, LiveServer

LISTED = "{ customer { viewer { sessions { id createdAt refreshedAt isCurrent } } } }"
OPS_LISTED = "{ ops { viewer { sessions { id isCurrent } } } }"
NODE = "query($id: ID!) { node(id: $id) { __typename id } }"
REFRESH = """mutation($token: String!) { customer { refreshSession(input: { refreshToken: $token }) {
  __typename ... on RefreshSessionSuccess { accessToken refreshToken } } } }"""
#: two looks, and what a busy machine adds
SEEN_SECONDS = 20.0


def act(name: str, namespace: str = "customer") -> str:
    kind = name[0].upper() + name[1:]
    return f"""mutation($input: {kind}Input!) {{ {namespace} {{ {name}(input: $input) {{ __typename
      ... on UserError {{ message path }} }} }} }}"""


END, EVERYWHERE, PASSWORD = act("endSession"), act("signOutEverywhere"), act("changePassword")


async def signed_in(live: LiveServer, email: str, password: str = demo.PASSWORD) -> Api:
    found = await Api(live.graphql_url).run(documents.SIGN_IN, input={"email": email, "password": password})
    assert found["__typename"] == "SignInSuccess", found
    return Api(live.graphql_url, found["accessToken"])


async def listed(api: Api) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = (await api.run(LISTED))["sessions"]
    return found


async def current(api: Api) -> str:
    (found,) = [one["id"] for one in await listed(api) if one["isCurrent"]]
    return str(found)


async def chat_of(api: Api) -> str:
    metro = next(one for one in await api.run(documents.METROS) if one["isDefault"])
    started = await api.run(documents.START_CONVERSATION, input={"metroId": metro["id"]})
    conversation_id: str = started["conversation"]["id"]
    return conversation_id


@pytest.fixture
def gate(demo_database: str) -> Iterator[Gate]:
    gate = Gate(demo_database).open()
    yield gate
    gate.close()


async def test_a_session_that_is_ended_loses_its_sockets_and_event_streams_within_seconds(live_server: LiveServer) -> None:
    email = list(demo.RIDERS)[2]
    here, lost = await signed_in(live_server, email), await signed_in(live_server, email)
    chat = await chat_of(here)
    async with clients.opened(live_server.ws_url, here.token) as kept, clients.opened(live_server.ws_url, lost.token) as cut:
        kept_stream = await kept.follow(documents.CHAT_EVENTS, id=chat)
        await cut.follow(documents.CHAT_EVENTS, id=chat)
        kept_source, cut_source = EventSource(here.url, here.token), EventSource(here.url, lost.token)
        kept_events = await kept_source.follow(documents.CHAT_EVENTS, id=chat)
        cut_events = await cut_source.follow(documents.CHAT_EVENTS, id=chat)
        ending = await current(lost)
        for _ in range(2):
            assert (await here.run(END, input={"sessionId": ending}))["__typename"] == "EndSessionSuccess"
        started = time.monotonic()
        assert await clients.closing(cut.connection) == (4403, "Session ended")
        with pytest.raises(ResponseEnded):
            await cut_events.next()
        assert cut_source.comments.get_nowait() == "session ended"
        assert time.monotonic() - started < SEEN_SECONDS
        sent = {"conversationId": chat, "text": "hello", "clientMessageId": "sessions"}
        assert (await here.run(documents.SEND_MESSAGE, input=sent))["__typename"] == "SendMessageSuccess"
        await asyncio.gather(kept_stream.until("TurnFinished"), kept_events.until("TurnFinished"))
        await asyncio.gather(kept_source.close(), cut_source.close())
    for _ in range(2):  # its access token is still good for a handshake, for minutes
        async with clients.opened(live_server.ws_url, lost.token) as again:
            assert await clients.closing(again.connection, SEEN_SECONDS) == (4403, "Session ended")


async def test_the_sessions_of_an_account_are_listed_and_each_is_a_node_of_its_owner(live_server: LiveServer) -> None:
    email = list(demo.RIDERS)[2]
    one, two = await signed_in(live_server, email), await signed_in(live_server, email)
    mine = await current(one)
    assert {one["id"] for one in await listed(two)} >= {mine, await current(two)}
    assert (await two.answer(NODE, id=mine))["data"]["node"] == {"__typename": "SignInSession", "id": mine}
    stranger, staff = Api(one.url, live_server.rider_token), Api(one.url, live_server.dispatcher_token)
    for other in (stranger, staff):
        assert (await other.answer(NODE, id=mine))["data"]["node"] is None
    assert [one["isCurrent"] for one in (await staff.run(OPS_LISTED))["sessions"]].count(True) == 1


async def test_a_session_that_is_not_yours_or_no_session_is_refused(live_server: LiveServer) -> None:
    mine = await current(await signed_in(live_server, list(demo.RIDERS)[2]))
    stranger = Api(live_server.graphql_url, live_server.rider_token)
    foreign = await stranger.run(END, input={"sessionId": mine})
    assert (foreign["__typename"], foreign["path"]) == ("NotFoundError", ["sessionId"])
    garbage = await stranger.run(END, input={"sessionId": "metro_1"})
    assert (garbage["__typename"], garbage["path"]) == ("InvalidInputError", ["sessionId"])
    staff = Api(live_server.graphql_url, live_server.dispatcher_token)
    assert (await staff.run(act("endSession", "ops"), input={"sessionId": mine}))["__typename"] == "NotFoundError"
    assert await Api(live_server.graphql_url).code(END, input={"sessionId": mine}) == "UNAUTHENTICATED"


async def test_signing_out_everywhere_leaves_the_session_that_asks_if_it_says_so(live_server: LiveServer) -> None:
    email = list(demo.RIDERS)[2]
    one, two = await signed_in(live_server, email), await signed_in(live_server, email)
    async with clients.opened(live_server.ws_url, one.token) as kept, clients.opened(live_server.ws_url, two.token) as cut:
        for _ in range(2):
            assert (await one.run(EVERYWHERE, input={"isCurrentKept": True}))["__typename"] == "SignOutEverywhereSuccess"
        assert await clients.closing(cut.connection) == (4403, "Session ended")
        assert [found["isCurrent"] for found in await listed(one)] == [True]
        assert (await two.run(EVERYWHERE, input={"isCurrentKept": True}))["__typename"] == "SessionEndedError"
        for _ in range(2):
            assert (await one.run(EVERYWHERE, input={"isCurrentKept": False}))["__typename"] == "SignOutEverywhereSuccess"
        assert await clients.closing(kept.connection) == (4403, "Session ended")
    assert await listed(one) == []


async def test_the_act_that_ends_its_own_session_gets_its_answer_as_an_event_too(live_server: LiveServer) -> None:
    rider = await signed_in(live_server, list(demo.RIDERS)[2])
    source = EventSource(rider.url, rider.token)
    stream = await source.follow(EVERYWHERE, input={"isCurrentKept": False})
    assert (await stream.next())["signOutEverywhere"]["__typename"] == "SignOutEverywhereSuccess"
    with pytest.raises(clients.StreamEnded):
        await stream.next()
    await source.close()


async def test_a_refresh_token_of_long_ago_closes_the_socket_of_who_holds_the_newest(live_server: LiveServer) -> None:
    api = Api(live_server.graphql_url)
    given = {"email": list(demo.RIDERS)[2], "password": demo.PASSWORD}
    first = await api.run(documents.SIGN_IN, input=given)
    last = first
    for _ in range(3):
        last = await api.run(REFRESH, token=last["refreshToken"])
    async with clients.opened(live_server.ws_url, last["accessToken"]) as socket:
        assert (await api.run(REFRESH, token=first["refreshToken"]))["__typename"] == "SessionEndedError"
        assert await clients.closing(socket.connection) == (4403, "Session ended")
    assert (await api.run(REFRESH, token=last["refreshToken"]))["__typename"] == "SessionEndedError"


@pytest.mark.parametrize(("namespace", "email"), [("customer", list(demo.RIDERS)[3]), ("ops", list(demo.STAFF)[1])])
async def test_a_password_is_changed_with_the_current_one_and_ends_all_other_sessions(
    live_server: LiveServer, namespace: str, email: str
) -> None:
    sign_in = documents.SIGN_IN.replace("customer", namespace)
    password = act("changePassword", namespace)
    anybody = Api(live_server.graphql_url)

    async def signing_in(word: str) -> dict[str, Any]:
        found: dict[str, Any] = await anybody.run(sign_in, input={"email": email, "password": word})
        return found

    here, there = [Api(anybody.url, (await signing_in(demo.PASSWORD))["accessToken"]) for _ in range(2)]
    wrong = await here.run(password, input={"currentPassword": "wrong", "newPassword": "another one"})
    assert (wrong["__typename"], wrong["path"]) == ("InvalidCredentialsError", ["currentPassword"])
    for bad in ("", "x" * 1025, "a\x00b"):
        refused = await here.run(password, input={"currentPassword": demo.PASSWORD, "newPassword": bad})
        assert (refused["__typename"], refused["path"]) == ("InvalidInputError", ["newPassword"])
    async with clients.opened(live_server.ws_url, there.token) as cut:
        changed = await here.run(password, input={"currentPassword": demo.PASSWORD, "newPassword": "another one"})
        assert changed["__typename"] == "ChangePasswordSuccess"
        assert await clients.closing(cut.connection) == (4403, "Session ended")
    assert (await signing_in(demo.PASSWORD))["__typename"] == "InvalidCredentialsError"
    assert (await signing_in("another one"))["__typename"] == "SignInSuccess"
    late = await there.run(password, input={"currentPassword": "another one", "newPassword": "a third one"})
    assert late["__typename"] == "SessionEndedError"
    back = await here.run(password, input={"currentPassword": "another one", "newPassword": demo.PASSWORD})
    assert back["__typename"] == "ChangePasswordSuccess"


async def test_guesses_of_the_current_password_are_throttled(live_server: LiveServer) -> None:
    wrong = {"currentPassword": "wrong", "newPassword": "another one"}
    async with hosted(live_server, sign_in_tries_per_minute=2) as url:
        rider = Api(f"{url}/graphql", live_server.rider_token)
        assert [(await rider.run(PASSWORD, input=wrong))["__typename"] for _ in range(2)] == ["InvalidCredentialsError"] * 2
        assert await rider.code(PASSWORD, input=wrong) == "RATE_LIMITED"


async def test_an_end_that_came_while_the_database_was_away_is_seen_when_it_is_back(
    demo_database: str, gate: Gate, serve: Launcher
) -> None:
    beside = serve(demo_database, "--no-worker")
    behind = serve(gate.url, "--no-worker", NIMROD_DATABASE_TIMEOUT_SECONDS="1")
    rider = Api(beside.graphql_url, beside.rider_token)
    async with (
        clients.opened(behind.ws_url, beside.rider_token) as cut,
        clients.opened(behind.ws_url, beside.rider2_token) as kept,
    ):
        gate.shut()
        assert (await rider.run(EVERYWHERE, input={"isCurrentKept": False}))["__typename"] == "SignOutEverywhereSuccess"
        async with asyncio.timeout(clients.PATIENCE_SECONDS):
            while "cannot look for ended sessions" not in behind.log:
                await asyncio.sleep(0.05)
        assert cut.connection.close_code is None, "nobody is sent away because the database is"
        gate.reopen()
        assert await clients.closing(cut.connection) == (4403, "Session ended")
        answer = await kept.follow(documents.VIEWER)
        assert (await answer.next())["viewer"]["email"] == list(demo.RIDERS)[1]
