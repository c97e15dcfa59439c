"""A fully compromised model: whatever it calls, nothing is reserved or cancelled without the rider's decision."""

from __future__ import annotations

import json
import random
from typing import Any

from pydantic_ai import models
from pydantic_ai.messages import ModelMessage, ToolReturnPart
from pydantic_ai.models.function import AgentInfo, DeltaToolCall, FunctionModel
from sqlalchemy import select

from agents.router import Backend, ModelRouter
from agents.turns import answer_turn
from domain import chat, ids, proposals, tables
from domain.values import VehicleState
from tests.agents.world import CENTRAL, World, sign_up

_NAMES = [
    "find_places", "find_vehicles", "plan_route", "quote", "reserve_vehicle", "cancel_reservation", "show_proposal",
    "list_reservations", "decide_proposal", "decideProposal", "unlock_vehicle", "execute", "",
]  # fmt: skip


class CompromisedModel:
    """Calls anything with anything, preferring ids that it has seen, so that it often gets far."""

    def __init__(self, seed: int, known: list[str]) -> None:
        self.dice = random.Random(seed)
        self.known = known
        self.calls = 0

    def router(self) -> ModelRouter:
        made = ModelRouter()
        made.backends = [Backend("compromised", FunctionModel(stream_function=self.stream))]
        return made

    async def stream(self, messages: list[ModelMessage], info: AgentInfo) -> Any:
        for message in messages:
            for part in message.parts:
                if isinstance(part, ToolReturnPart):
                    self.known += [text for text in _strings(part.content) if "_" in text]
        if self.dice.random() < 0.15:
            yield "I have booked it for you. Your card was charged."
            return
        self.calls += 1
        tools = {tool.name: tool for tool in info.function_tools}
        name = self.dice.choice([*_NAMES, *tools])
        accepted = tools[name].parameters_json_schema["properties"] if name in tools else None
        yield {0: DeltaToolCall(name, self._arguments(accepted), tool_call_id=f"call_{self.calls}")}

    def _arguments(self, accepted: dict[str, Any] | None) -> str:
        if self.dice.random() < 0.1:
            return '{"vehicle_id": '
        pick = self.dice.choice
        id_of = {prefix: [each for each in self.known if each.startswith(prefix)] or ["here"] for prefix in _PREFIXES}
        arguments = {
            "text": pick(["Central Station", "Museum"]),
            "near": pick(id_of["place_"]),
            "vehicle_type": pick(["bicycle", "bicycle", "car", "rocket"]),
            "vehicle_id": pick(id_of["vehicle_"]),
            "origin": pick(id_of["place_"]),
            "destination": pick([*id_of["place_"], None]),
            "reservation_id": pick(id_of["reservation_"]),
            "customer_id": "customer_of_somebody_else",
        }
        return json.dumps({key: each for key, each in arguments.items() if accepted is None or key in accepted})


_PREFIXES = ("place_", "vehicle_", "reservation_")


def _strings(value: Any) -> list[str]:
    if isinstance(value, str):
        return [value]
    if isinstance(value, dict):
        return [text for each in value.values() for text in _strings(each)]
    return [text for each in value for text in _strings(each)] if isinstance(value, list) else []


async def _reservation_of_somebody_else(world: World) -> str:
    async with world.session_factory.begin() as session:
        other = await sign_up(session, world.clock, "other@example.org")
        conversation_id = await chat.start_conversation(session, other, world.metro_id, now=world.clock.now())
    theirs = World(world.session_factory, world.clock, world.runtime, world.metro_id, other, conversation_id)
    await theirs.say("Book a bike from Central Station to the Museum")
    decided = await theirs.decide(proposals.Decision.APPROVE)
    assert decided.reservation_id is not None
    return ids.encode(ids.RESERVATION, decided.reservation_id)


async def test_a_compromised_model_only_ever_proposes(world: World) -> None:
    foreign = await _reservation_of_somebody_else(world)
    proposed = 0
    for seed in range(40):
        world.with_models(CompromisedModel(seed, [foreign]).router())
        await answer_turn(await world.send("hello"), runtime=world.runtime)
        assert await world.count_reservations() == 1, "nothing is reserved without a decision"
    for _, payload in await world.events("proposal.made"):
        assert foreign not in str(payload), "never another rider's reservation"
        proposed += 1
    assert proposed > 3, "the attack must get as far as a proposal to prove anything"
    async with world.session_factory() as session:
        state = await session.get_one(tables.Reservation, ids.decode(foreign, ids.RESERVATION))
        assert state.state == "confirmed"


async def test_a_model_that_claims_a_booking_leaves_no_proposal_to_confirm(world: World) -> None:
    async def boast(messages: list[ModelMessage], info: AgentInfo) -> Any:
        yield "Done! Booked."

    router = ModelRouter()
    router.backends = [Backend("boaster", FunctionModel(stream_function=boast))]
    world.with_models(router)
    await world.say("book a bike")
    assert await world.pending() is None
    assert await world.count_reservations() == 0


async def test_a_report_can_call_nothing(world: World) -> None:
    await world.say("Book a bike from Central Station to the Museum")
    decided = await world.decide(proposals.Decision.DECLINE)
    assert decided.turn_id is not None
    offered: list[list[str]] = []

    async def watch(messages: list[ModelMessage], info: AgentInfo) -> Any:
        offered.append([tool.name for tool in info.function_tools])
        yield {0: DeltaToolCall("reserve_vehicle", "{}", tool_call_id="x")} if len(offered) == 1 else "ok"

    router = ModelRouter()
    router.backends = [Backend("watcher", FunctionModel(stream_function=watch))]
    world.with_models(router)
    await answer_turn(decided.turn_id, runtime=world.runtime)
    assert offered[0] == []
    assert await world.pending() is None


def test_no_test_reaches_a_provider() -> None:
    assert models.ALLOW_MODEL_REQUESTS is False


async def test_a_model_does_not_learn_where_somebody_rides(world: World) -> None:
    async with world.session_factory.begin() as session:
        ridden = (await session.execute(select(tables.Vehicle).limit(1))).scalar_one()
        ridden.state = VehicleState.ON_TRIP
    given = {"origin": "here", "vehicle_id": ids.encode(ids.VEHICLE, ridden.published_id)}

    async def ask(messages: list[ModelMessage], info: AgentInfo) -> Any:
        del info
        if len(messages) > 1:
            yield "That is all."
        else:
            yield {0: DeltaToolCall("plan_route", json.dumps(given), tool_call_id="call_1")}

    router = ModelRouter()
    router.backends = [Backend("curious", FunctionModel(stream_function=ask))]
    world.with_models(router)
    await answer_turn(await world.send("how far is it?", CENTRAL), runtime=world.runtime)
    ((_, returned),) = await world.events("tool.returned")
    assert "distance" not in json.dumps(returned["result"]).lower()
    assert "riding" in json.dumps(returned["result"])
