"""Hosting: the application on a real port inside the test, for settings that need no process of their own."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import uuid4

import uvicorn
from fastapi import FastAPI

from app.auth import AccessTokens
from app.fanout.protocol import DirectProtocol
from app.main import create_app
from app.settings import Settings
from domain import ids
from domain.actor import Actor, Audience, Role
from tests.journeys import documents
from tests.journeys.clients import Api
from tests.live import LiveServer


@asynccontextmanager
async def hosted(beside: LiveServer, **settings: Any) -> AsyncIterator[str]:
    """The URL of an API on the database of a live server, with the same signing key."""
    async with serving(create_app(Settings(data_dir=beside.data_dir, **settings), beside.database_url, with_worker=False)) as url:
        yield url


@asynccontextmanager
async def serving(app: FastAPI, ws: Any = DirectProtocol) -> AsyncIterator[str]:
    """The URL of an application. `ws`: uvicorn's WebSocket protocol, if not ours."""
    config = uvicorn.Config(app, port=0, http="httptools", ws=ws, log_config=None, access_log=False)
    server = uvicorn.Server(config)
    running = asyncio.create_task(server.serve())
    try:
        while not server.started:
            assert not running.done(), "the application did not start"
            await asyncio.sleep(0.01)
        port = server.servers[0].sockets[0].getsockname()[1]
        yield f"http://127.0.0.1:{port}"
    finally:
        server.should_exit = True
        await running


class ShiftedClock:
    """A clock that goes wrong by some seconds."""

    def __init__(self, seconds: float) -> None:
        self._shift = timedelta(seconds=seconds)

    def now(self) -> datetime:
        return datetime.now(UTC) + self._shift


async def rider_token(server: LiveServer, *, expires_in_seconds: float) -> str:
    """A token of the demo rider, signed with the server's own key, that runs out then (or did)."""
    viewer = await Api(server.graphql_url, server.rider_token).run(documents.VIEWER)
    who = Actor(Audience.CUSTOMER, ids.decode(viewer["id"], ids.CUSTOMER), Role.RIDER, uuid4(), None)
    secret = Settings(data_dir=server.data_dir).secret()
    return AccessTokens(secret, ShiftedClock(expires_in_seconds - 60), minutes=1).access_token(who)[0]
