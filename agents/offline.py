"""The keyless model: a deterministic `Model` that runs the same tools, proposals and streaming as a real one."""

from __future__ import annotations

import asyncio
import re
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from decimal import Decimal
from hashlib import sha256
from typing import Any

from pydantic_ai import RunContext
from pydantic_ai.messages import (
    ModelMessage,
    ModelMessagesTypeAdapter,
    ModelResponse,
    ModelResponsePart,
    ModelResponseStreamEvent,
    TextPart,
    ToolCallPart,
)
from pydantic_ai.models import Model, ModelRequestParameters, StreamedResponse
from pydantic_ai.settings import ModelSettings
from pydantic_ai.usage import RequestUsage

from agents import dialogue
from agents.transcript import Missing, turns_of

#: no name that a price list knows: this model costs nothing
MODEL_NAME = "offline-rules-1"
_TOKEN = re.compile(r"\S+\s*|\s+")


class OfflineModel(Model[None]):
    """A pure function of the messages. `token_delay_seconds` slows the stream down, to watch or interrupt it."""

    def __init__(self, *, token_delay_seconds: float = 0.0) -> None:
        super().__init__(profile={"context_window": 100_000})
        self._delay = token_delay_seconds

    @property
    def model_name(self) -> str:
        return MODEL_NAME

    @property
    def system(self) -> str:
        return "offline"

    async def request(
        self,
        messages: list[ModelMessage],
        model_settings: ModelSettings | None,
        model_request_parameters: ModelRequestParameters,
    ) -> ModelResponse:
        _, parameters = self.prepare_request(model_settings, model_request_parameters)
        parts = respond(messages, parameters)
        usage = _usage(messages, parts)
        return ModelResponse(parts, usage=usage, model_name=MODEL_NAME, provider_name=self.system, finish_reason="stop")

    @asynccontextmanager
    async def request_stream(
        self,
        messages: list[ModelMessage],
        model_settings: ModelSettings | None,
        model_request_parameters: ModelRequestParameters,
        run_context: RunContext[Any] | None = None,  # noqa: ARG002 - the signature of Model
    ) -> AsyncIterator[StreamedResponse]:
        _, parameters = self.prepare_request(model_settings, model_request_parameters)
        parts = respond(messages, parameters)
        yield _OfflineStream(parameters, parts, _usage(messages, parts), self._delay, datetime.now(UTC))


def respond(messages: Sequence[ModelMessage], parameters: ModelRequestParameters) -> list[ModelResponsePart]:
    """Either the tool calls that the answer needs, or the answer."""
    turns = turns_of(messages)
    offered = frozenset(tool.name for tool in parameters.function_tools)
    for turn in turns:
        turn.offered = offered
    try:
        return [TextPart(dialogue.converse(turns))]
    except Missing as missing:
        # The instant of the prompt keeps ids of one chat apart when its oldest turns drop out of the history.
        seed = f"{turns[-1].asked_at.isoformat()} {len(messages)}"
        stem = sha256(seed.encode()).hexdigest()[:12]
        return [
            ToolCallPart(call.tool, call.arguments, tool_call_id=f"offline_{stem}_{number}")
            for number, call in enumerate(missing.calls)
        ]


def _usage(messages: Sequence[ModelMessage], parts: Sequence[ModelResponsePart]) -> RequestUsage:
    """Words stand for tokens; the cost is stated, so that no price list is asked."""
    said = ModelMessagesTypeAdapter.dump_json(list(messages))
    answer = "".join(part.content if isinstance(part, TextPart) else str(part) for part in parts)
    return RequestUsage(input_tokens=len(said) // 4, output_tokens=len(answer.split()), cost=Decimal(0))


@dataclass
class _OfflineStream(StreamedResponse):
    _parts: list[ModelResponsePart]
    _total: RequestUsage
    _delay: float
    _started_at: datetime

    async def _get_event_iterator(self) -> AsyncIterator[ModelResponseStreamEvent]:
        for index, part in enumerate(self._parts):
            if isinstance(part, TextPart):
                for token in _TOKEN.findall(part.content):
                    if self._delay:
                        await asyncio.sleep(self._delay)
                    for event in self._parts_manager.handle_text_delta(vendor_part_id=index, content=token):
                        yield event
            elif isinstance(part, ToolCallPart):
                started = self._parts_manager.handle_tool_call_delta(
                    vendor_part_id=index,
                    tool_name=part.tool_name,
                    args=part.args_as_json_str(),
                    tool_call_id=part.tool_call_id,
                )
                if started is not None:
                    yield started
        self._usage = self._total
        self.finish_reason = "stop"

    async def close_stream(self) -> None:
        """Nothing is open: the answer was known before the first token."""

    @property
    def model_name(self) -> str:
        return MODEL_NAME

    @property
    def provider_name(self) -> str:
        return "offline"

    @property
    def provider_url(self) -> None:
        return None

    @property
    def timestamp(self) -> datetime:
        return self._started_at
