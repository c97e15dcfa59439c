"""Proposals: a yes carries out exactly what was shown, once, and only for the rider it was shown to."""

from __future__ import annotations

import asyncio
from collections import Counter
from typing import Any

import psycopg

from domain import ids
from tests.journeys import riders
from tests.journeys.clients import Api
from tests.journeys.riders import Chat
from tests.live import LiveServer


def _reserved(server: LiveServer, proposal: dict[str, Any]) -> int:
    """How many reservations of the proposed vehicle are in force."""
    statement = "select count(*) from reservations where state = 'confirmed' and published_vehicle_id = %(id)s"
    vehicle_id = ids.decode(proposal["details"]["vehicleId"], ids.VEHICLE)
    return int(riders.rows(server.database_url, statement, id=vehicle_id)[0][0])


def _set_expiry(server: LiveServer, proposal: dict[str, Any], interval: str) -> None:
    with psycopg.connect(server.database_url) as connection:
        done = connection.execute(
            "update proposals set expires_at = clock_timestamp() + %s::interval where id = %s",
            (interval, ids.decode(proposal["id"], ids.PROPOSAL)),
        )
        assert done.rowcount == 1


async def _proposal(chat: Chat) -> dict[str, Any]:
    return await chat.ask(riders.BIKE_TO_MUSEUM)


async def test_the_same_approval_twice_executes_once_and_answers_the_same(live_server: LiveServer) -> None:
    async with riders.chatting(live_server) as chat:
        proposal = await _proposal(chat)
        first = await chat.decide(proposal)
        again = await chat.decide(proposal)
        await chat.stream.until("ProposalDecided")
        await chat.stream.until("TurnFinished")
    assert first["__typename"] == again["__typename"] == "DecideProposalSuccess"
    assert first["reservation"]["id"] == again["reservation"]["id"]
    assert _reserved(live_server, proposal) == 1


async def test_ten_approvals_at_once_execute_once_and_report_once(live_server: LiveServer) -> None:
    async with riders.chatting(live_server) as chat:
        proposal = await _proposal(chat)
        answers = await asyncio.gather(*(chat.decide(proposal) for _ in range(10)))
        await chat.stream.until("TurnFinished")
    assert {answer["__typename"] for answer in answers} == {"DecideProposalSuccess"}
    assert len({answer["reservation"]["id"] for answer in answers}) == 1
    assert _reserved(live_server, proposal) == 1
    topic_kinds = riders.rows(live_server.database_url, "select kind from event_log where topic = %(topic)s", topic=chat.topic)
    assert Counter(kind for (kind,) in topic_kinds)["proposal.decided"] == 1
    statement = "select count(*) from turns where conversation_id = %(id)s and kind = 'report'"
    conversation_id = ids.decode(chat.conversation_id, ids.CONVERSATION)
    assert riders.rows(live_server.database_url, statement, id=conversation_id) == [(1,)]


async def test_approving_and_declining_at_once_does_one_of_them(live_server: LiveServer) -> None:
    async with riders.chatting(live_server) as chat:
        proposal = await _proposal(chat)
        decisions = ["APPROVE", "DECLINE"] * 5
        answers = await asyncio.gather(*(chat.decide(proposal, decision) for decision in decisions))
    kinds = Counter(answer["__typename"] for answer in answers)
    assert kinds == {"DecideProposalSuccess": 5, "ProposalDecidedError": 5}
    (state,) = {answer["state"] for answer in answers}
    assert _reserved(live_server, proposal) == (1 if state == "EXECUTED" else 0)


async def test_a_foreign_account_finds_no_such_proposal(live_server: LiveServer) -> None:
    stranger = Api(live_server.graphql_url, live_server.rider2_token)
    async with riders.chatting(live_server) as chat:
        proposal = await _proposal(chat)
        for decision in ("APPROVE", "DECLINE"):
            refused = await riders.decide(stranger, proposal, decision)
            assert (refused["__typename"], refused["path"]) == ("NotFoundError", ["proposalId"])
        assert _reserved(live_server, proposal) == 0
        assert (await chat.decide(proposal))["__typename"] == "DecideProposalSuccess"
    assert _reserved(live_server, proposal) == 1


async def test_a_changed_digest_executes_nothing(live_server: LiveServer) -> None:
    async with riders.chatting(live_server) as chat:
        proposal = await _proposal(chat)
        for digest in ("0" * 64, "", "ä" * 64, proposal["digest"][:-1], proposal["digest"] + "0"):
            refused = await chat.decide(proposal, digest=digest)
            assert (refused["__typename"], refused["path"]) == ("ProposalChangedError", ["digest"]), digest
        assert _reserved(live_server, proposal) == 0
        assert (await chat.decide(proposal))["__typename"] == "DecideProposalSuccess"


async def test_an_expired_proposal_executes_nothing_and_does_not_come_back_as_pending(live_server: LiveServer) -> None:
    async with riders.chatting(live_server) as chat:
        proposal = await _proposal(chat)
        _set_expiry(live_server, proposal, "-1 second")
        refused = await chat.decide(proposal)
        assert (refused["__typename"], refused["path"]) == ("ProposalExpiredError", ["proposalId"])
        shown = await chat.api.answer(
            "query($id: ID!) { customer { conversation(id: $id) { pendingProposal { id } } } }", id=chat.conversation_id
        )
        assert shown["data"]["customer"]["conversation"]["pendingProposal"] is None
    assert _reserved(live_server, proposal) == 0


async def test_a_proposal_that_executed_answers_the_same_after_its_expiry(live_server: LiveServer) -> None:
    async with riders.chatting(live_server) as chat:
        proposal = await _proposal(chat)
        first = await chat.decide(proposal)
        _set_expiry(live_server, proposal, "-1 second")
        again = await chat.decide(proposal)
    assert again["reservation"]["id"] == first["reservation"]["id"]


async def test_a_newer_proposal_takes_the_place_of_the_older_one(live_server: LiveServer) -> None:
    async with riders.chatting(live_server) as chat:
        older = await _proposal(chat)
        newer = await chat.ask("Book a bike from the Harbour to the University")
        refused = await chat.decide(older)
        assert (refused["__typename"], refused["state"]) == ("ProposalDecidedError", "SUPERSEDED")
        assert _reserved(live_server, older) == 0
        assert (await chat.decide(newer))["__typename"] == "DecideProposalSuccess"
    assert _reserved(live_server, newer) == 1


async def test_a_typed_yes_executes_nothing(live_server: LiveServer) -> None:
    async with riders.chatting(live_server) as chat:
        proposal = await _proposal(chat)
        sent = await chat.say("yes")
        await chat.stream.until("TurnFinished", where=lambda event: event["turnId"] == sent["turnId"])
        assert chat.stream.named("ProposalDecided") == []
    assert _reserved(live_server, proposal) == 0


async def test_a_vehicle_taken_meanwhile_is_refused_with_alternatives(live_server: LiveServer) -> None:
    other = Api(live_server.graphql_url, live_server.rider2_token)
    async with riders.chatting(live_server) as chat:
        proposal = await _proposal(chat)
        taken = await riders.reserve(other, proposal["details"]["vehicleId"])
        assert taken["__typename"] == "ReserveVehicleSuccess"
        refused = await chat.decide(proposal)
        assert refused["__typename"] == "VehicleUnavailableError"
        shown = await chat.api.answer(
            "query($id: ID!) { customer { conversation(id: $id) { pendingProposal { state } } } }", id=chat.conversation_id
        )
        assert shown["data"]["customer"]["conversation"]["pendingProposal"] == {"state": "PENDING"}
    assert _reserved(live_server, proposal) == 1
