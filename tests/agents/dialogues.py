"""A chat with the offline model over tools that live in memory, under the names and arguments of the real ones."""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

from pydantic_ai import Agent
from pydantic_ai.exceptions import ToolFailed
from pydantic_ai.messages import ModelMessage, ModelResponse, ToolCallPart
from pydantic_ai.toolsets import FunctionToolset

from agents import context
from agents.offline import OfflineModel
from domain.places import fold

NOW = "2026-11-21T09:30:00+01:00"
PLACES: list[dict[str, str | None]] = [
    {"placeId": "place_central", "name": "Central Station", "kind": "railway=station", "locality": "Mitte"},
    {"placeId": "place_museum", "name": "Museum", "kind": "tourism=museum", "locality": "Altstadt"},
    {"placeId": "place_market_a", "name": "Market Square", "kind": "place=square", "locality": "Altstadt"},
    {"placeId": "place_market_n", "name": "Market Square", "kind": "place=square", "locality": "Neuenheim"},
    {"placeId": "place_gogh", "name": "Van Gogh Museum", "kind": "tourism=museum", "locality": "Zuid"},
    {"placeId": "place_desert", "name": "Desert", "kind": "natural=sand", "locality": None},
]


@dataclass
class Chat:
    position: dict[str, float] | None = None
    now: str = NOW
    refusal: str | None = None
    range_meters: int = 20_000
    #: turns that the model is reminded of
    remembered: int = 20
    turns: list[list[ModelMessage]] = field(default_factory=list)
    calls: list[tuple[str, dict[str, Any]]] = field(default_factory=list)
    pending: dict[str, Any] | None = None
    reservations: list[dict[str, Any]] = field(default_factory=list)

    async def say(self, text: str | None, **extra: Any) -> str:
        """The agent's answer; `calls` then holds the tool calls of this turn."""
        said = {"now": self.now, "timezone": "Europe/Berlin", "metro": "Testburg", "position": self.position, "language": "en"}
        agent = Agent(OfflineModel(), toolsets=[] if extra else [self._tools])
        result = await agent.run(context.prompt_of(said | extra, text), message_history=self.messages)
        self.turns.append(result.new_messages())
        self.calls = [
            (part.tool_name, part.args_as_dict())
            for message in result.new_messages()
            if isinstance(message, ModelResponse)
            for part in message.parts
            if isinstance(part, ToolCallPart)
        ]
        return result.output

    @cached_property
    def _tools(self) -> FunctionToolset[None]:
        return _toolset(self)

    @property
    def messages(self) -> list[ModelMessage]:
        return [message for turn in self.turns[-self.remembered :] for message in turn]

    @property
    def tools(self) -> list[str]:
        return [name for name, _ in self.calls]

    def arguments(self, tool: str) -> dict[str, Any]:
        return next(arguments for name, arguments in reversed(self.calls) if name == tool)


def _toolset(chat: Chat) -> FunctionToolset[None]:
    tools: FunctionToolset[None] = FunctionToolset()

    @tools.tool_plain
    def find_places(text: str) -> dict[str, Any]:
        return {"places": [place for place in PLACES if fold(text) in fold(str(place["name"]))]}

    @tools.tool_plain
    def find_vehicles(
        near: str, vehicle_type: str, starts_at: str | None = None, ends_at: str | None = None, radius_meters: int = 1000
    ) -> dict[str, Any]:
        if near == "place_desert":
            return {"vehicles": []}
        kinds = (("a", 120, chat.range_meters), ("b", 250, 40_000))
        return {
            "vehicles": [
                {
                    "vehicleId": f"vehicle_{vehicle_type}_{letter}",
                    "vehicleType": vehicle_type,
                    "plate": f"NB-{letter}",
                    "batteryPercent": 80,
                    "currentRangeMeters": meters,
                    "distanceMeters": away,
                    "station": None,
                }
                for letter, away, meters in kinds
            ]
        }

    @tools.tool_plain
    def plan_route(origin: str, destination: str | None = None, vehicle_id: str | None = None) -> dict[str, Any]:
        walk: dict[str, Any] = {"mode": "walk", "distanceMeters": 150, "durationSeconds": 110, "estimated": False}
        ride: dict[str, Any] = {"mode": "bicycle", "distanceMeters": 4200, "durationSeconds": 900, "estimated": False}
        legs = ([walk] if vehicle_id or not destination else []) + ([ride] if destination else [])
        return {
            "legs": legs,
            "totalDistanceMeters": sum(leg["distanceMeters"] for leg in legs),
            "totalDurationSeconds": sum(leg["durationSeconds"] for leg in legs),
            "estimated": False,
        }

    @tools.tool_plain
    def quote(vehicle_type: str, minutes: int | None = None) -> dict[str, Any]:
        return {
            "vehicleType": vehicle_type,
            "minutes": minutes,
            "priceMinor": 100 + 20 * minutes if minutes else None,
            "currency": "EUR",
            "unlockMinor": 100,
            "perMinuteMinor": "20",
            "perMinute": "0.20",
        }

    @tools.tool_plain
    def reserve_vehicle(
        vehicle_id: str,
        origin: str,
        destination: str | None = None,
        starts_at: str | None = None,
        ends_at: str | None = None,
        expected_minutes: int | None = None,
    ) -> dict[str, Any]:
        if chat.refusal:
            raise ToolFailed(chat.refusal)
        museum = {"name": "Museum", "lat": 49.4, "lon": 8.7}
        summary = {
            "vehicleType": vehicle_id.removeprefix("vehicle_").rsplit("_", 1)[0],
            "vehicleId": vehicle_id,
            "plate": "NB-a",
            "batteryPercent": 80,
            "pickup": {"lat": 49.4, "lon": 8.7},
            "walkMeters": 150,
            "walkSeconds": 110,
            "startsAt": starts_at or "2026-11-21T08:30:00+00:00",
            "endsAt": ends_at,
            "destination": museum if destination else None,
            "distanceMeters": 4200 if destination else None,
            "durationSeconds": 900 if destination else None,
            "estimated": False if destination else None,
            "priceMinor": 400,
            "currency": "EUR",
            "timezone": "Europe/Berlin",
        }
        chat.pending = {"proposalId": "proposal_1", "action": "reserve_vehicle", "summary": summary}
        return chat.pending

    @tools.tool_plain
    def cancel_reservation(reservation_id: str) -> dict[str, Any]:
        found = next(each for each in chat.reservations if each["reservationId"] == reservation_id)
        summary = {key: found[key] for key in ("reservationId", "vehicleType", "plate", "startsAt")}
        summary["timezone"] = "Europe/Berlin"
        chat.pending = {"proposalId": "proposal_2", "action": "cancel_reservation", "summary": summary}
        return chat.pending

    @tools.tool_plain
    def show_proposal() -> dict[str, Any]:
        return {"proposal": chat.pending}

    @tools.tool_plain
    def list_reservations() -> dict[str, Any]:
        return {"reservations": chat.reservations}

    return tools
