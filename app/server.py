"""The server: uvicorn, as Nimrod runs it."""

from __future__ import annotations

import uvicorn
from fastapi import FastAPI

from app.fanout.protocol import DirectProtocol
from app.http_wire import HttpProtocol
from app.settings import Settings


def config_of(app: FastAPI, settings: Settings) -> uvicorn.Config:
    return uvicorn.Config(
        app,
        host=settings.host,
        port=settings.port,
        http=HttpProtocol,
        ws=DirectProtocol,
        ws_max_size=settings.max_body_bytes,
        # Compressing per socket costs more than it saves when one event goes to many.
        ws_per_message_deflate=False,
        ssl_certfile=settings.tls_certificate,
        ssl_keyfile=settings.tls_key,
        # All clients of a process that has gone come back at once; who finds no room waits a second or more.
        backlog=8192,
        access_log=False,
        log_config=None,
        log_level=settings.log_level,
        server_header=False,
        timeout_graceful_shutdown=settings.drain_seconds,
    )
