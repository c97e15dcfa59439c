"""The publisher: GraphQL mutations over one HTTP connection, each sent whether or not the one before was answered."""

from __future__ import annotations

import asyncio
import json
from collections import deque
from typing import Any

_REQUEST = (
    "POST {path} HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: application/json\r\nAuthorization: Bearer {token}\r\n"
    "Content-Length: {size}\r\n\r\n"
)
_LENGTH = b"content-length:"


class Publisher(asyncio.Protocol):
    transport: asyncio.Transport

    def __init__(self, path: str, token: str, query: str) -> None:
        self._path = path
        self._token = token
        self._query = query
        self._rest = b""
        self._answers: deque[asyncio.Future[Any]] = deque()

    @classmethod
    async def open(cls, port: int, path: str, token: str, query: str) -> Publisher:
        loop = asyncio.get_running_loop()
        _, publisher = await loop.create_connection(lambda: cls(path, token, query), "127.0.0.1", port)
        return publisher

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = transport  # type: ignore[assignment]

    def publish(self, **variables: Any) -> asyncio.Future[Any]:
        """The `data` of the answer."""
        body = json.dumps({"query": self._query, "variables": variables}).encode()
        head = _REQUEST.format(path=self._path, token=self._token, size=len(body))
        answer: asyncio.Future[Any] = asyncio.get_running_loop().create_future()
        self._answers.append(answer)
        self.transport.write(head.encode() + body)
        return answer

    def data_received(self, data: bytes) -> None:
        data = self._rest + data
        while (end := data.find(b"\r\n\r\n") + 4) >= 4:
            head = data[:end].lower()
            size = int(head[head.index(_LENGTH) + len(_LENGTH) :].split(b"\r\n", 1)[0])
            if len(data) < end + size:
                break
            self._answer(json.loads(data[end : end + size]))
            data = data[end + size :]
        self._rest = data

    def _answer(self, found: dict[str, Any]) -> None:
        answer = self._answers.popleft()
        if "errors" in found:
            answer.set_exception(RuntimeError(str(found["errors"])[:500]))
        else:
            answer.set_result(found["data"])

    def connection_lost(self, exc: Exception | None) -> None:
        while self._answers:
            self._answers.popleft().set_exception(exc or ConnectionError("the server hung up"))
