"""Crashes: processes killed in the middle of their work, and what their successors make of it."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from typing import Any

import pytest
from websockets.exceptions import ConnectionClosed

from domain import ids
from tests.databases import Databases
from tests.journeys import clients, documents, riders
from tests.journeys.clients import Stream
from tests.journeys.riders import Chat
from tests.live import Launcher, LiveServer

TAKEOVER_SECONDS = 20.0
SLOWLY: dict[str, Any] = {"NIMROD_OFFLINE_TOKEN_DELAY_SECONDS": "0.1"}
#: what the log calls what the stream shows
TYPES = {
    "message.stored": "MessageStored",
    "turn.started": "TurnStarted",
    "turn.attempt_restarted": "AttemptRestarted",
    "text.delta": "TextDelta",
    "tool.called": "ToolCallStarted",
    "tool.returned": "ToolCallFinished",
    "proposal.made": "ProposalMade",
    "proposal.decided": "ProposalDecided",
    "turn.finished": "TurnFinished",
    "turn.failed": "TurnFailed",
}
SAID_BEFORE = "select kind, payload->>'text' from event_log where topic = %(topic)s order by xid, seq"


def _logged(server: LiveServer, chat: Chat) -> list[tuple[str, str | None]]:
    """The conversation as the log has it, in the terms of the stream. What the agent stores of its own is not streamed."""
    return [(TYPES[kind], text) for kind, text in riders.rows(server.database_url, SAID_BEFORE, topic=chat.topic)]


def _shown(events: list[dict[str, Any]]) -> list[tuple[str, str | None]]:
    return [(event["__typename"], event.get("text")) for event in events]


async def test_another_worker_finishes_the_turn_of_one_that_was_killed(
    databases: Databases, demo_template: str, serve: Launcher, record_property: Callable[[str, object], None]
) -> None:
    """At once in two cities: most of it is waiting until the lost worker counts as lost."""
    urls = {moment: databases.clone(demo_template) for moment in ("TextDelta", "ProposalMade")}
    told = await asyncio.gather(*(_finished_by_another(url, serve, moment) for moment, url in urls.items()))
    record_property("takeover_seconds", told)


async def _finished_by_another(url: str, serve: Launcher, moment: str) -> float:
    """The seconds that it took."""
    server = serve.begin(url, "--no-worker")
    doomed = serve(url, command="work", **SLOWLY)
    server.wait_until_ready()
    async with riders.chatting(server) as chat:
        sent = await chat.say(riders.BIKE_TO_MUSEUM)
        await chat.stream.until(moment)
        doomed.kill()
        assert chat.stream.named("TurnFinished") == []
        serve(url, command="work")
        begun_at = time.monotonic()
        restarted = await chat.stream.until("AttemptRestarted", TAKEOVER_SECONDS)
        finished = await chat.stream.until("TurnFinished", TAKEOVER_SECONDS)
        seconds = time.monotonic() - begun_at
        print(f"killed at {moment}: finished {seconds:.1f} s after there was another worker")  # noqa: T201 - shown with -s
        assert seconds < TAKEOVER_SECONDS
        assert (restarted["turnId"], restarted["attempt"]) == (sent["turnId"], 2)
        assert (finished["turnId"], finished["attempt"]) == (sent["turnId"], 2)
        assert _shown(chat.stream.seen) == _logged(server, chat)
        proposal = chat.stream.named("ProposalMade")[-1]["proposal"]
        assert _proposals(server, chat) == [(ids.decode(proposal["id"], ids.PROPOSAL), 2, "pending")]
        decided = await chat.decide(proposal)
        assert decided["__typename"] == "DecideProposalSuccess"
        await _refuse_the_proposal_of_the_lost_attempt(chat)
    return seconds


def _proposals(server: LiveServer, chat: Chat) -> list[tuple[Any, ...]]:
    statement = "select id, attempt, state from proposals where conversation_id = %(id)s"
    return riders.rows(server.database_url, statement, id=ids.decode(chat.conversation_id, ids.CONVERSATION))


async def _refuse_the_proposal_of_the_lost_attempt(chat: Chat) -> None:
    for made in chat.stream.named("ProposalMade"):
        if made["attempt"] == 1:
            assert (await chat.decide(made["proposal"]))["__typename"] == "NotFoundError"


async def test_a_stream_goes_on_at_a_second_process_when_the_first_is_killed(demo_database: str, serve: Launcher) -> None:
    first, second = (serve.begin(demo_database, "--no-worker") for _ in range(2))
    worker = serve(demo_database, command="work", **SLOWLY)
    for server in (first, second):
        server.wait_until_ready()
    async with riders.chatting(first) as chat:
        await chat.say(riders.BIKE_TO_MUSEUM)
        await chat.stream.until("TextDelta")
        first.kill()
        with pytest.raises((ConnectionClosed, OSError)):
            await _drain(chat.stream)
        seen = list(chat.stream.seen)
    assert seen[-1]["__typename"] != "TurnFinished"
    async with clients.opened(second.ws_url, first.rider_token) as socket:
        resumed = await socket.follow(documents.CHAT_EVENTS, id=chat.conversation_id, after=seen[-1]["cursor"])
        await resumed.until("TurnFinished")
        assert _shown(seen + resumed.seen) == _logged(second, chat)
    assert worker.process.poll() is None


async def _drain(stream: Stream) -> None:
    while True:
        await stream.next()


async def test_a_client_that_reconnects_after_every_event_misses_and_repeats_nothing(demo_database: str, serve: Launcher) -> None:
    servers = [serve.begin(demo_database, "--no-worker"), serve.begin(demo_database, NIMROD_OFFLINE_TOKEN_DELAY_SECONDS="0.02")]
    for each in servers:
        each.wait_until_ready()
    async with riders.chatting(servers[0]) as chat:
        await chat.say(riders.BIKE_TO_MUSEUM)
        seen = [await chat.stream.next()]
    number = 0
    while seen[-1]["__typename"] != "TurnFinished":
        number += 1
        server = servers[number % 2]
        async with clients.opened(server.ws_url, servers[0].rider_token) as socket:
            stream = await socket.follow(documents.CHAT_EVENTS, id=chat.conversation_id, after=seen[-1]["cursor"])
            seen.append(await stream.next())
    assert _shown(seen) == _logged(servers[0], chat)
    assert len({event["cursor"] for event in seen}) == len(seen)
