"""Text and push messages through Apprise, against an HTTP server of this machine."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from typing import Any
from urllib.parse import unquote
from uuid import uuid4

import pytest

from app.gateways.messengers import AppriseNotifier
from domain.channels import Channel
from domain.ports import Message, NotDelivered

PUSH = Message(uuid4(), Channel.PUSH, "fcm/ä:token?x=1&y", "Title", "Text <b>", "en", datetime(2026, 11, 21, tzinfo=UTC))


@dataclass
class Service:
    port: int = 0
    status: str = "200 OK"
    may_answer: asyncio.Event = field(default_factory=asyncio.Event)
    got: list[tuple[str, dict[str, Any]]] = field(default_factory=list)


@asynccontextmanager
async def serving() -> AsyncIterator[Service]:
    service = Service()
    service.may_answer.set()

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = (await reader.readuntil(b"\r\n\r\n")).decode()
        length = next(int(line.partition(":")[2]) for line in head.lower().splitlines() if line.startswith("content-length"))
        service.got.append((unquote(head.split()[1]), json.loads(await reader.readexactly(length))))
        await service.may_answer.wait()
        writer.write(f"HTTP/1.1 {service.status}\r\ncontent-length: 0\r\nconnection: close\r\n\r\n".encode())
        await writer.drain()
        writer.close()

    listening = await asyncio.start_server(answer, "127.0.0.1", 0)
    service.port = listening.sockets[0].getsockname()[1]
    try:
        yield service
    finally:
        service.may_answer.set()
        listening.close()


@pytest.fixture
async def service() -> AsyncIterator[Service]:
    async with serving() as found:
        yield found


def notifier(service: Service, timeout_seconds: float = 10) -> AppriseNotifier:
    return AppriseNotifier(f"json://127.0.0.1:{service.port}/{{to}}", timeout_seconds=timeout_seconds)


async def test_a_push_message_goes_where_the_url_says_with_title_and_text(service: Service) -> None:
    await notifier(service).send(PUSH)
    ((path, body),) = service.got
    assert path == f"/{PUSH.to}", "nothing in a token changes where it goes"
    assert (body["title"], body["message"]) == ("Title", "Text <b>")


async def test_a_text_message_has_no_title(service: Service) -> None:
    await notifier(service).send(replace(PUSH, channel=Channel.SMS, to="+4915112345678"))
    ((path, body),) = service.got
    assert (path, body["title"], body["message"]) == ("/+4915112345678", "", "Text <b>")


@pytest.mark.parametrize("status", ["500 Oops", "404 Not Found"])
async def test_a_refusal_is_tried_again_and_quotes_no_address(
    service: Service, status: str, caplog: pytest.LogCaptureFixture
) -> None:
    service.status = status
    with pytest.raises(NotDelivered) as refused:
        await notifier(service).send(PUSH)
    assert (refused.value.reason, refused.value.is_permanent) == ("refused, or out of reach", False)
    assert "token" not in caplog.text


async def test_a_service_that_is_slow_is_left_in_time(service: Service) -> None:
    service.may_answer.clear()
    with pytest.raises(NotDelivered, match="no answer in time"):
        await notifier(service, timeout_seconds=0.5).send(PUSH)
    service.may_answer.set()


async def test_a_service_that_is_down_or_unknown_is_a_refusal() -> None:
    async with serving() as gone:
        pass
    for url in (f"json://127.0.0.1:{gone.port}/{{to}}", "nosuchservice://{to}"):
        with pytest.raises(NotDelivered):
            await AppriseNotifier(url, timeout_seconds=10).send(PUSH)
