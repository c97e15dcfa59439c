"""The chat: one conversation with the Travel Agent, as events of its turns."""

from __future__ import annotations

import asyncio
import uuid
from collections.abc import AsyncGenerator, Callable
from dataclasses import dataclass, field
from typing import Any, Protocol

from app.terminal import documents
from app.terminal.client import ClientError, Data
from app.terminal.link import Link

#: longer than a turn may take, and than another worker needs to take over
SILENCE_SECONDS = 90.0


@dataclass(slots=True)
class ToolUse:
    tool: str
    arguments: Any
    outcome: str | None = None
    result: Any = None


@dataclass(slots=True)
class Turn:
    """What one turn has shown so far."""

    id: str | None
    text: str = ""
    tools: dict[str, ToolUse] = field(default_factory=dict)
    proposal: Data | None = None
    failure: str | None = None

    def restart(self) -> None:
        self.text, self.proposal = "", None
        self.tools.clear()

    def succeeded_tools(self) -> set[str]:
        return {use.tool for use in self.tools.values() if use.outcome == "success"}


class Watcher(Protocol):
    """Shows a turn while it happens."""

    def began(self, turn: Turn) -> None: ...
    def changed(self, turn: Turn, event: Data) -> None: ...
    def ended(self, turn: Turn) -> None: ...


class Chat:
    def __init__(self, link: Link, watcher: Watcher, conversation: Data) -> None:
        self._link = link
        self._watcher = watcher
        self._id: str = conversation["id"]
        self._events: AsyncGenerator[Data, None] = link.follow(
            "customerChatEvents", documents.CHAT_EVENTS, {"conversationId": self._id}, conversation["cursor"]
        )
        #: reservation by proposal, as the stream told of decisions
        self._decided: dict[str, str | None] = {}

    @classmethod
    async def start(cls, link: Link, watcher: Watcher, metro_id: str) -> Chat:
        data = await link.execute(documents.START_CONVERSATION, {"input": {"metroId": metro_id}})
        started = success(data["customer"]["startConversation"])
        return cls(link, watcher, started["conversation"])

    async def close(self) -> None:
        await self._events.aclose()

    async def say(self, text: str, near: tuple[float, float] | None) -> Turn:
        """The whole turn that answers."""
        sent = {
            "conversationId": self._id,
            "text": text,
            "clientMessageId": str(uuid.uuid4()),
            "position": {"lat": near[0], "lon": near[1]} if near else None,
        }
        data = await self._link.execute(documents.SEND_MESSAGE, {"input": sent})
        return await self._see_turn(success(data["customer"]["sendMessage"])["turnId"])

    async def decide(self, proposal: Data, *, approve: bool) -> tuple[Data | None, Turn]:
        """The reservation that it made or cancelled, and the turn that reports it. Raises ClientError when refused."""
        decision = {
            "proposalId": proposal["id"],
            "digest": proposal["digest"],
            "decision": "APPROVE" if approve else "DECLINE",
        }
        data = await self._link.execute(documents.DECIDE_PROPOSAL, {"input": decision})
        answer = data["customer"]["decideProposal"]
        if answer["__typename"] == "ProposalDecidedError" and answer["state"] == ("EXECUTED" if approve else "DECLINED"):
            # The connection was lost behind the first try, which had got through.
            turn = await self._see_turn(None)
            return await self._find_reservation(self._decided.get(proposal["id"])), turn
        reservation: Data | None = success(answer)["reservation"]
        return reservation, await self._see_turn(None)

    async def _find_reservation(self, reservation_id: str | None) -> Data | None:
        data = await self._link.execute(documents.RESERVATIONS)
        nodes: list[Data] = [edge["node"] for edge in data["customer"]["reservations"]["edges"]]
        return next((node for node in nodes if node["id"] == reservation_id), None)

    async def _see_turn(self, turn_id: str | None) -> Turn:
        """Follows the turn of that id (None: the next one) to its end."""
        turn = Turn(turn_id)
        self._watcher.began(turn)
        try:
            while True:
                event = await self._next_event()
                if event["__typename"] == "ProposalDecided":
                    self._decided[event["proposalId"]] = event["reservationId"]
                if event["__typename"] == "TurnStarted" and turn.id is None:
                    turn.id = event["turnId"]
                if event.get("turnId") != turn.id:
                    continue
                if apply(turn, event):
                    self._watcher.changed(turn, event)
                if event["__typename"] in ("TurnFinished", "TurnFailed"):
                    return turn
        finally:
            self._watcher.ended(turn)

    async def _next_event(self) -> Data:
        try:
            async with asyncio.timeout(SILENCE_SECONDS):
                event = await anext(self._events)
        except TimeoutError:
            raise ClientError(f"No answer within {SILENCE_SECONDS:g} s. Is a worker running? /health/ready knows.") from None
        if event["__typename"] == "ResyncRequired":
            raise ClientError("The history behind this place is gone. Ask again.")
        return event


def apply(turn: Turn, event: Data) -> bool:
    """Writes the event into the turn; False when there is nothing to see."""
    kinds: dict[str, Callable[[], None]] = {
        "AttemptRestarted": turn.restart,
        "TextDelta": lambda: setattr(turn, "text", turn.text + event["text"]),
        "ToolCallStarted": lambda: turn.tools.update({event["callId"]: ToolUse(event["tool"], event["arguments"])}),
        "ToolCallFinished": lambda: _finish_tool(turn, event),
        "ProposalMade": lambda: setattr(turn, "proposal", event["proposal"]),
        "TurnFinished": lambda: setattr(turn, "text", event["text"]),
        "TurnFailed": lambda: setattr(turn, "failure", event["code"]),
    }
    change = kinds.get(event["__typename"])
    if change is not None:
        change()
    return change is not None


def _finish_tool(turn: Turn, event: Data) -> None:
    use = turn.tools.setdefault(event["callId"], ToolUse(event["tool"], None))
    use.outcome, use.result = event["outcome"], event["result"]


def success(answer: Data) -> Data:
    """The success of a result union. Raises ClientError with what the service says instead."""
    if not answer["__typename"].endswith("Success"):
        raise ClientError(f"{answer['message']} ({answer['__typename']})")
    return answer
