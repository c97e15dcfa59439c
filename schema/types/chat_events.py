"""What a chat shows while it happens, one type per kind of event in the log."""

from __future__ import annotations

from collections.abc import Callable
from typing import Annotated, Any
from uuid import UUID

import strawberry
from strawberry import field

from domain import eventlog, ids
from resolvers.context import Ctx
from resolvers.streams import Resync
from schema.scalars import JSON
from schema.types.proposals import Proposal, ProposalState
from schema.types.streams import ResyncRequired, TimedEvent


@strawberry.interface(description="An event of one turn of the agent.")
class TurnEvent(TimedEvent):
    turn_id: strawberry.ID = field(description="The turn it belongs to.")
    attempt: int = field(
        description="Which try of the turn: 1, 2, … A higher one takes the place of all before; 0 for what no try wrote."
    )


@strawberry.type(description="A message was stored.")
class MessageStored(TurnEvent):
    message_id: strawberry.ID = field(description="The message.")
    text: str = field(description="What the rider said.")


@strawberry.type(description="The agent has begun to answer.")
class TurnStarted(TurnEvent):
    pass


@strawberry.type(description="The worker was lost and another one begins the turn anew: drop what this turn showed so far.")
class AttemptRestarted(TurnEvent):
    pass


@strawberry.type(description="More words of the answer: append them.")
class TextDelta(TurnEvent):
    text: str = field(description="The next words.")


@strawberry.type(description="The agent uses a tool.")
class ToolCallStarted(TurnEvent):
    call_id: str = field(description="Tells calls of one turn apart.")
    tool: str = field(description="Name of the tool.")
    arguments: JSON | None = field(description="What it is called with.")


@strawberry.type(description="The tool has answered.")
class ToolCallFinished(TurnEvent):
    call_id: str = field(description="Which call.")
    tool: str = field(description="Name of the tool.")
    outcome: str = field(description="`success`, `failed`, `denied` or `retried`.")
    result: JSON | None = field(description="What the tool found.")


@strawberry.type(description="The agent proposes something; the rider decides with `decideProposal`.")
class ProposalMade(TurnEvent):
    proposal: Proposal = field(description="What it proposes.")


@strawberry.type(description="The rider has decided.")
class ProposalDecided(TurnEvent):
    proposal_id: strawberry.ID = field(description="About which proposal.")
    state: ProposalState = field(description="How.")
    reservation_id: strawberry.ID | None = field(description="The reservation that it made or cancelled.")


@strawberry.type(description="The answer is complete.")
class TurnFinished(TurnEvent):
    message_id: strawberry.ID = field(description="The agent's message.")
    text: str = field(description="All of it.")


@strawberry.type(description="The agent could not answer. Nothing was done; ask again.")
class TurnFailed(TurnEvent):
    code: str = field(description="Why, for programs.")


OfTurn = (
    MessageStored
    | TurnStarted
    | AttemptRestarted
    | TextDelta
    | ToolCallStarted
    | ToolCallFinished
    | ProposalMade
    | ProposalDecided
    | TurnFinished
    | TurnFailed
)
ChatEvent = Annotated[
    OfTurn | ResyncRequired,
    strawberry.union("ChatEvent", description="An event of a conversation. More kinds may come: ignore what you do not know."),
]


def _id(prefix: str, value: str) -> strawberry.ID:
    return strawberry.ID(ids.encode(prefix, UUID(value)))


def _message_stored(shared: dict[str, Any], payload: dict[str, Any]) -> MessageStored:
    return MessageStored(**shared, message_id=_id(ids.MESSAGE, payload["messageId"]), text=payload["text"])


def _tool_called(shared: dict[str, Any], payload: dict[str, Any]) -> ToolCallStarted:
    return ToolCallStarted(**shared, call_id=payload["callId"], tool=payload["tool"], arguments=payload.get("arguments"))


def _tool_returned(shared: dict[str, Any], payload: dict[str, Any]) -> ToolCallFinished:
    return ToolCallFinished(
        **shared,
        call_id=payload["callId"],
        tool=payload["tool"],
        outcome=payload["outcome"],
        result=payload.get("result"),
    )


def _proposal_made(shared: dict[str, Any], payload: dict[str, Any]) -> ProposalMade:
    return ProposalMade(**shared, proposal=Proposal.made(payload, _id(ids.PROPOSAL, payload["proposalId"])))


def _proposal_decided(shared: dict[str, Any], payload: dict[str, Any]) -> ProposalDecided:
    reservation = payload["reservationId"]
    return ProposalDecided(
        **shared,
        proposal_id=_id(ids.PROPOSAL, payload["proposalId"]),
        state=ProposalState(payload["state"]),
        reservation_id=_id(ids.RESERVATION, reservation) if reservation else None,
    )


def _turn_finished(shared: dict[str, Any], payload: dict[str, Any]) -> TurnFinished:
    return TurnFinished(**shared, message_id=_id(ids.MESSAGE, payload["messageId"]), text=payload["text"])


_KINDS: dict[str, Callable[[dict[str, Any], dict[str, Any]], OfTurn]] = {
    "message.stored": _message_stored,
    "turn.started": lambda shared, _: TurnStarted(**shared),
    "turn.attempt_restarted": lambda shared, _: AttemptRestarted(**shared),
    "text.delta": lambda shared, payload: TextDelta(**shared, text=payload["text"]),
    "tool.called": _tool_called,
    "tool.returned": _tool_returned,
    "proposal.made": _proposal_made,
    "proposal.decided": _proposal_decided,
    "turn.finished": _turn_finished,
    "turn.failed": lambda shared, payload: TurnFailed(**shared, code=payload["code"]),
}


def of_item(ctx: Ctx, item: eventlog.Event | Resync) -> OfTurn | ResyncRequired | None:
    """The type of an event; None for a kind that a newer version wrote."""
    if isinstance(item, Resync):
        return ResyncRequired.of(ctx, item)
    make = _KINDS.get(item.kind)
    if make is None:
        return None
    shared = {
        "cursor": ctx.runtime.cursors.of_position(item.position),
        "at": item.at,
        "turn_id": _id(ids.TURN, item.payload["turnId"]),
        "attempt": item.payload["attempt"],
    }
    return make(shared, item.payload)
