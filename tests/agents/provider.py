"""A provider on loopback that speaks OpenAI's chat-completions stream: a script of replies over a real socket."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

#: what the model answers: a text, or calls as (tool, arguments); an int is an HTTP status that fails
Reply = str | Sequence[tuple[str, dict[str, Any]]] | int
Brain = Callable[[dict[str, Any]], Reply]


@dataclass
class Provider:
    brain: Brain
    requests: list[dict[str, Any]] = field(default_factory=list)
    base_url: str = ""

    async def handle(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = (await reader.readuntil(b"\r\n\r\n")).decode()
        length = next(int(line.split(":")[1]) for line in head.splitlines() if line.lower().startswith("content-length"))
        request = json.loads(await reader.readexactly(length))
        self.requests.append(request)
        reply = self.brain(request)
        if isinstance(reply, int):
            writer.write(_response(reply, "application/json", b'{"error": {"message": "no", "type": "server_error"}}'))
        else:
            chunks = (
                "".join(f"data: {json.dumps(chunk)}\n\n" for chunk in _chunks(reply, len(self.requests))) + "data: [DONE]\n\n"
            )
            writer.write(_response(200, "text/event-stream", chunks.encode()))
        await writer.drain()
        writer.close()


@asynccontextmanager
async def serve(brain: Brain) -> AsyncIterator[Provider]:
    provider = Provider(brain)
    server = await asyncio.start_server(provider.handle, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    provider.base_url = f"http://127.0.0.1:{port}/v1"
    async with server:
        yield provider


def _response(status: int, content_type: str, body: bytes) -> bytes:
    head = f"HTTP/1.1 {status} Status\r\ncontent-type: {content_type}\r\ncontent-length: {len(body)}\r\nconnection: close\r\n\r\n"
    return head.encode() + body


def _chunks(reply: str | Sequence[tuple[str, dict[str, Any]]], number: int) -> list[dict[str, Any]]:
    deltas: list[dict[str, Any]] = []
    if isinstance(reply, str):
        deltas = [{"content": word + " "} for word in reply.split()]
    else:
        for index, (tool, arguments) in enumerate(reply):
            encoded = json.dumps(arguments)
            named = {"name": tool, "arguments": encoded[:5]}
            deltas.append(
                {"tool_calls": [{"index": index, "id": f"call_{number}_{index}", "type": "function", "function": named}]}
            )
            deltas.append({"tool_calls": [{"index": index, "function": {"arguments": encoded[5:]}}]})
    frame = {"id": f"chatcmpl-{number}", "object": "chat.completion.chunk", "created": 1, "model": "scripted-1"}
    choices: list[list[dict[str, Any]]] = [[{"index": 0, "delta": delta, "finish_reason": None}] for delta in deltas]
    reason = "stop" if isinstance(reply, str) else "tool_calls"
    choices.append([{"index": 0, "delta": {}, "finish_reason": reason}])
    usage = {"prompt_tokens": 50, "completion_tokens": 7, "total_tokens": 57}
    return [frame | {"choices": choice} for choice in choices] + [frame | {"choices": [], "usage": usage}]


def results(request: dict[str, Any]) -> list[dict[str, Any]]:
    """What the tools called since the last prompt have returned, oldest first."""
    messages = request["messages"]
    last = max(index for index, message in enumerate(messages) if message["role"] == "user")
    return [_json(message["content"]) for message in messages[last:] if message["role"] == "tool"]


def _json(text: str) -> dict[str, Any]:
    try:
        found: dict[str, Any] = json.loads(text)
    except ValueError:
        return {"refused": text}
    return found
