"""Turns: run the agent for one prompt, tell what happens while it happens, store the answer."""

from __future__ import annotations

import asyncio
import json
import logging
from dataclasses import dataclass, field
from typing import Any
from uuid import UUID

from pydantic import ValidationError
from pydantic_ai import Agent, AgentRunResultEvent
from pydantic_ai.exceptions import FallbackExceptionGroup, ModelAPIError, RunTimedOut, UnexpectedModelBehavior, UsageLimitExceeded
from pydantic_ai.messages import (
    FunctionToolCallEvent,
    FunctionToolResultEvent,
    ModelMessage,
    ModelMessagesTypeAdapter,
    ModelResponse,
    PartDeltaEvent,
    PartStartEvent,
    TextPart,
    TextPartDelta,
    ToolReturnPart,
)
from pydantic_ai.models import Model
from pydantic_ai.settings import ModelSettings
from pydantic_ai.usage import UsageLimits
from sqlalchemy.ext.asyncio import AsyncSession, async_sessionmaker

from agents import context
from agents.deps import AgentDeps
from agents.flusher import TEXT, ChatSink, Flusher, TurnStream, storable
from agents.router import ModelRouter, Need
from domain import ports, turns
from domain.actor import Actor, Audience, Role

log = logging.getLogger(__name__)

MAX_REQUESTS = 12
TURN_TIMEOUT_SECONDS = 60.0
_CHARACTERS_PER_TOKEN = 4

#: failure codes: what clients and operators tell apart
TIMED_OUT = "TIMED_OUT"
MODEL_UNAVAILABLE = "MODEL_UNAVAILABLE"
MODEL_MISBEHAVED = "MODEL_MISBEHAVED"
TOO_MANY_STEPS = "TOO_MANY_STEPS"
INTERNAL = "INTERNAL"


@dataclass(frozen=True, slots=True)
class AgentRuntime:
    """What a worker keeps for all its turns."""

    session_factory: async_sessionmaker[AsyncSession]
    clock: ports.Clock
    router: ports.GeoRouter
    models: ModelRouter
    flusher: Flusher
    agent: Agent[AgentDeps, str]
    turn_timeout_seconds: float = TURN_TIMEOUT_SECONDS


@dataclass(frozen=True, slots=True)
class TurnResult:
    text: str
    #: pydantic-ai messages of this turn alone, as JSON
    model_messages: list[Any]
    #: the model that gave the answer, after any fallback
    model: str
    input_tokens: int
    output_tokens: int


@dataclass(slots=True)
class Narrator:
    """Tells the sink what the run does, in order."""

    turn: turns.ClaimedTurn
    sink: ChatSink
    _announced: set[str] = field(default_factory=set)
    _grown: asyncio.Event = field(default_factory=asyncio.Event)
    _said: list[str] = field(default_factory=list)

    @property
    def said(self) -> str:
        """Everything the rider has read in this turn."""
        return "".join(self._said)

    async def tell(self, event: object) -> None:
        match event:
            case PartStartEvent(part=TextPart(content=text)):
                # A new text after tools is a new paragraph of the same message.
                await self._text(f"\n\n{text}" if self._said and text else text)
            case PartDeltaEvent(delta=TextPartDelta(content_delta=text)):
                await self._text(text)
            case FunctionToolCallEvent(part=call):
                arguments = _arguments(call.args)
                await self._put("tool.called", callId=call.tool_call_id, tool=call.tool_name, arguments=arguments)
                self._announced.add(call.tool_call_id)
                self._grown.set()
            case FunctionToolResultEvent(part=ToolReturnPart() as part):
                outcome = {"callId": part.tool_call_id, "tool": part.tool_name, "outcome": part.outcome}
                await self._put("tool.returned", **outcome, result=part.model_response_object())

    async def settle(self, call_id: str | None) -> None:
        """Waits until this tool call has been told and everything told is in the log."""
        while call_id is not None and call_id not in self._announced:
            self._grown.clear()
            await self._grown.wait()
        await self.sink.flush()

    async def _text(self, text: str) -> None:
        if text:
            self._said.append(text)
            await self._put(TEXT, text=text)

    async def _put(self, kind: str, **facts: Any) -> None:
        payload = {"turnId": str(self.turn.turn_id), "attempt": self.turn.attempt, **facts}
        await self.sink.put(turns.ChatDelta(self.turn.turn_id, self.turn.attempt, self.turn.conversation_id, kind, payload))


def _arguments(args: str | dict[str, Any] | None) -> Any:
    """As an object; broken JSON of a model as the text it is."""
    if not isinstance(args, str):
        return args or {}
    try:
        return json.loads(args)
    except ValueError:
        return {"invalid": args}


async def run_turn(
    agent: Agent[AgentDeps, str],
    turn: turns.ClaimedTurn,
    deps: AgentDeps,
    model: Model,
    narrator: Narrator,
    *,
    timeout_seconds: float,
    settings: ModelSettings | None = None,
) -> TurnResult:
    """One run of the agent over the chat so far; its events go to the narrator's sink as they happen."""
    async with agent.run_stream_events(
        context.prompt_of(turn.context, turn.text),
        message_history=history_of(turn),
        conversation_id=str(turn.conversation_id),
        deps=deps,
        model=model,
        model_settings=settings,
        usage_limits=UsageLimits(request_limit=MAX_REQUESTS),
        timeout=timeout_seconds,
    ) as events:
        async for event in events:
            if isinstance(event, AgentRunResultEvent):
                break
            await narrator.tell(event)
        else:
            raise UnexpectedModelBehavior("the run ended without a result")
    result = event.result
    messages = result.new_messages()
    return TurnResult(
        text=storable(narrator.said or result.output),
        model_messages=storable(ModelMessagesTypeAdapter.dump_python(messages, mode="json")),
        model=_model_of(messages) or model.model_name,
        input_tokens=result.usage.input_tokens,
        output_tokens=result.usage.output_tokens,
    )


def history_of(turn: turns.ClaimedTurn) -> list[ModelMessage]:
    """The messages of earlier turns. A turn that no longer reads is left out: it must not end the conversation."""
    history: list[ModelMessage] = []
    for stored in turn.history:
        try:
            history += ModelMessagesTypeAdapter.validate_python(stored)
        except ValidationError:
            log.exception("a stored turn of conversation %s cannot be read", turn.conversation_id)
    return history


def _model_of(messages: list[ModelMessage]) -> str | None:
    return next((each.model_name for each in reversed(messages) if isinstance(each, ModelResponse)), None)


async def answer_turn(turn_id: UUID, *, runtime: AgentRuntime) -> None:
    """Takes the turn, runs it, stores the answer or a failure code.

    Returns quietly when the turn is done already or another worker takes it over. Raises only when the database does
    not answer: then the job is to be retried, and the next attempt starts over.
    """
    async with runtime.session_factory.begin() as session:
        turn = await turns.claim_turn(session, turn_id, now=runtime.clock.now())
    if turn is None:
        return
    stream = runtime.flusher.open(turn)
    try:
        await _answer(turn, stream, runtime)
    except turns.Superseded:
        log.info("turn %s: attempt %s was taken over", turn.turn_id, turn.attempt)
    finally:
        stream.close()


async def _answer(turn: turns.ClaimedTurn, stream: TurnStream, runtime: AgentRuntime) -> None:
    try:
        result = await _run(turn, stream, runtime)
        await stream.flush()
    except turns.Superseded:
        raise
    except Exception as error:
        code = code_of(error)
        log.warning("turn %s failed: %s: %s", turn.turn_id, code, error, exc_info=error if code == INTERNAL else None)
        await _fail(turn, stream, runtime, code)
        return
    async with runtime.session_factory.begin() as session:
        await turns.finish_turn(
            session,
            turn_id=turn.turn_id,
            attempt=turn.attempt,
            text=result.text,
            model_messages=result.model_messages,
            model=result.model,
            input_tokens=result.input_tokens,
            output_tokens=result.output_tokens,
            now=runtime.clock.now(),
        )


async def _run(turn: turns.ClaimedTurn, stream: TurnStream, runtime: AgentRuntime) -> TurnResult:
    """In a task of its own, which the flusher cancels when the turn is lost: a cancel from outside stays one."""
    narrator = Narrator(turn, stream)
    deps = AgentDeps(_rider(turn), runtime.clock, runtime.session_factory, runtime.router, turn, narrator.settle)
    model = runtime.models.choose(Need(context_tokens=len(str(turn.history)) // _CHARACTERS_PER_TOKEN))
    run = asyncio.create_task(
        run_turn(
            runtime.agent,
            turn,
            deps,
            model,
            narrator,
            timeout_seconds=runtime.turn_timeout_seconds,
            settings=runtime.models.settings,
        )
    )
    stream.cancel_when_lost(run)
    try:
        return await run
    except asyncio.CancelledError:
        task = asyncio.current_task()
        if task is None or task.cancelling():
            raise
        stream.refuse_when_lost()
        raise


def _rider(turn: turns.ClaimedTurn) -> Actor:
    """The rider, acting through the agent: the turn stands for the sign-in session."""
    return Actor(Audience.CUSTOMER, turn.customer_id, Role.RIDER, session_id=turn.turn_id)


async def _fail(turn: turns.ClaimedTurn, stream: TurnStream, runtime: AgentRuntime, code: str) -> None:
    if not stream.is_broken:
        await stream.flush()
    async with runtime.session_factory.begin() as session:
        await turns.fail_turn(session, turn_id=turn.turn_id, attempt=turn.attempt, code=code, now=runtime.clock.now())


def code_of(error: Exception) -> str:
    match error:
        case RunTimedOut():
            return TIMED_OUT
        case ModelAPIError() | FallbackExceptionGroup():
            return MODEL_UNAVAILABLE
        case UsageLimitExceeded():
            return TOO_MANY_STEPS
        case UnexpectedModelBehavior():
            return MODEL_MISBEHAVED
        case _:
            return INTERNAL
