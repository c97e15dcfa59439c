"""Event source: a client of server-sent events, one response per operation, that knows what it has had."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

import httpx

from tests.journeys.clients import PATIENCE_SECONDS, Stream, StreamEnded, item_of

MEDIA_TYPE = "text/event-stream"


class ResponseEnded(Exception):
    """The response is over and the operation is not: go on from the last id."""


@dataclass
class Sent:
    """One block of an event stream, as browsers read it."""

    event: str = ""
    data: str | None = None
    id: str | None = None
    comment: str | None = None

    @property
    def payload(self) -> dict[str, Any]:
        found: dict[str, Any] = json.loads(self.data or "")
        return found


async def blocks(response: httpx.Response) -> AsyncIterator[Sent]:
    sent, is_empty = Sent(), True
    async for line in response.aiter_lines():
        if not line:
            if not is_empty:
                yield sent
            sent, is_empty = Sent(), True
            continue
        name, _, value = line.partition(":")
        assert name in ("event", "data", "id", ""), line
        setattr(sent, name or "comment", value.removeprefix(" "))
        is_empty = False


@dataclass
class EventSource:
    """Of one address, with one token or none."""

    url: str
    token: str | None = None
    #: comments that were no pings
    comments: asyncio.Queue[str] = field(default_factory=asyncio.Queue)
    #: of the block that had one last
    last_id: str | None = None
    _readers: set[asyncio.Task[None]] = field(default_factory=set)

    def headers(self, last_event_id: str | None = None) -> dict[str, str]:
        identity = {"Authorization": f"Bearer {self.token}"} if self.token else {}
        return {"Accept": MEDIA_TYPE, **identity, **({"Last-Event-ID": last_event_id} if last_event_id else {})}

    @asynccontextmanager
    async def opened(
        self, document: str, variables: dict[str, Any] | None = None, *, last_event_id: str | None = None, method: str = "POST"
    ) -> AsyncIterator[httpx.Response]:
        """The response as it comes."""
        body: dict[str, Any] = {"json": {"query": document, "variables": variables}}
        if method == "GET":
            body = {"params": {"query": document, "variables": json.dumps(variables or {})}}
        timeout = httpx.Timeout(PATIENCE_SECONDS, read=None)
        async with (
            httpx.AsyncClient(trust_env=False, timeout=timeout) as http,
            http.stream(method, self.url, headers=self.headers(last_event_id), **body) as response,
        ):
            yield response

    async def follow(self, document: str, /, *, last_event_id: str | None = None, **variables: Any) -> Stream:
        """Reads on in the background."""

        async def complete() -> None:
            reader.cancel()
            await asyncio.gather(reader, return_exceptions=True)

        stream = Stream(complete)
        is_open = asyncio.Event()
        reader = asyncio.create_task(self._read(stream, is_open, document, variables, last_event_id))
        self._readers.add(reader)
        await is_open.wait()
        return stream

    async def _read(
        self, stream: Stream, is_open: asyncio.Event, document: str, variables: dict[str, Any], last_event_id: str | None
    ) -> None:
        try:
            async with self.opened(document, variables, last_event_id=last_event_id) as response:
                assert response.status_code == 200, await response.aread()
                is_open.set()
                async for sent in blocks(response):
                    self._take(stream, sent)
            stream.waiting.put_nowait(ResponseEnded())
        except (httpx.HTTPError, AssertionError) as error:
            stream.waiting.put_nowait(error)
        finally:
            is_open.set()

    def _take(self, stream: Stream, sent: Sent) -> None:
        self.last_id = sent.id or self.last_id
        if sent.event == "next":
            stream.waiting.put_nowait(item_of(sent.payload))
        elif sent.event == "complete":
            stream.waiting.put_nowait(StreamEnded(None))
        elif sent.comment:
            self.comments.put_nowait(sent.comment)

    async def close(self) -> None:
        for reader in self._readers:
            reader.cancel()
        await asyncio.gather(*self._readers, return_exceptions=True)
