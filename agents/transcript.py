"""The turns of a chat as the offline model rereads them: what was said, and what the tools answered."""

from __future__ import annotations

import json
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any
from zoneinfo import ZoneInfo

from pydantic_ai.messages import ModelMessage, ModelRequest, ModelResponse, ToolCallPart, ToolReturnPart, UserPromptPart

from agents import context


@dataclass(frozen=True, slots=True)
class Call:
    tool: str
    arguments: dict[str, Any]

    @property
    def key(self) -> str:
        return f"{self.tool} {json.dumps(self.arguments, sort_keys=True)}"


class Missing(Exception):
    """The answer needs these calls first."""

    def __init__(self, calls: Sequence[Call]) -> None:
        self.calls = calls


class Refused(Exception):
    """A tool said no; the text says why and what to do."""

    def __init__(self, reason: str) -> None:
        self.reason = reason


@dataclass(slots=True)
class Turn:
    """One prompt of the rider or the server, with the results of the tools called for it."""

    context: dict[str, Any]
    text: str
    asked_at: datetime
    outcomes: dict[str, dict[str, Any] | Refused] = field(default_factory=dict)
    #: names of the tools on offer
    offered: Collection[str] = ()

    @property
    def zone(self) -> ZoneInfo:
        return ZoneInfo(self.context.get("timezone", "UTC"))

    @property
    def now(self) -> datetime:
        return datetime.fromisoformat(self.context["now"]) if "now" in self.context else self.asked_at

    def call(self, tool: str, **arguments: Any) -> dict[str, Any]:
        """The recorded result. Raises Missing when it was not called yet, Refused when it said no or is not on offer."""
        return self.call_all([Call(tool, arguments)])[0]

    def call_all(self, calls: Iterable[Call]) -> list[dict[str, Any]]:
        """Several at once; arguments that are None are left out."""
        wanted = [Call(call.tool, {k: v for k, v in call.arguments.items() if v is not None}) for call in calls]
        missing = {call.key: call for call in wanted if call.key not in self.outcomes}
        if absent := [call.tool for call in missing.values() if call.tool not in self.offered]:
            raise Refused(f"I cannot use {absent[0].replace('_', ' ')} here.")
        if missing:
            raise Missing(list(missing.values()))
        results = []
        for call in wanted:
            outcome = self.outcomes[call.key]
            if isinstance(outcome, Refused):
                raise outcome
            results.append(outcome)
        return results


def turns_of(messages: Sequence[ModelMessage]) -> list[Turn]:
    """Oldest first. The last one is being answered."""
    turns: list[Turn] = []
    asked: dict[str, Call] = {}
    for message in messages:
        if isinstance(message, ModelResponse):
            asked |= {part.tool_call_id: _call_of(part) for part in message.parts if isinstance(part, ToolCallPart)}
            continue
        for part in message.parts:
            if isinstance(part, UserPromptPart):
                said_context, text = context.read_prompt(part.content)
                turns.append(Turn(said_context, text, part.timestamp.astimezone(UTC)))
            elif isinstance(part, ToolReturnPart) and turns and part.tool_call_id in asked:
                turns[-1].outcomes[asked[part.tool_call_id].key] = _outcome_of(part)
    return turns


def _call_of(part: ToolCallPart) -> Call:
    try:
        return Call(part.tool_name, part.args_as_dict())
    except ValueError:
        return Call(part.tool_name, {})


def _outcome_of(part: ToolReturnPart) -> dict[str, Any] | Refused:
    if part.outcome == "success" and isinstance(part.content, dict):
        return part.content
    return Refused(str(part.content))


def count_requests(messages: Sequence[ModelMessage]) -> int:
    return sum(isinstance(message, ModelRequest) for message in messages)
