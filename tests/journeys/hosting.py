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

from app import server
from app.auth import AccessTokens
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
    given = Settings(**{"data_dir": beside.data_dir, "database_timeout_seconds": 60, **settings})
    async with serving(create_app(given, beside.database_url, with_worker=False), given) as url:
        yield url


@asynccontextmanager
async def serving(app: FastAPI, settings: Settings | None = None, *, ws: Any = None, http: Any = None) -> AsyncIterator[str]:
    """The URL of an application, served as `nimrod serve` does. `ws`, `http`: uvicorn's protocols, if not ours."""
    config = server.config_of(app, settings or Settings())
    config.port = 0
    config.ws = ws or config.ws
    config.http = http or config.http
    running_server = uvicorn.Server(config)
    running = asyncio.create_task(running_server.serve())
    try:
        while not running_server.started:
            assert not running.done(), "the application did not start"
            await asyncio.sleep(0.01)
        port = running_server.servers[0].sockets[0].getsockname()[1]
        yield f"http{'s' if config.is_ssl else ''}://127.0.0.1:{port}"
    finally:
        running_server.should_exit = True
        await running


class ShiftedClock:
    """A clock that goes wrong by some seconds."""

    def __init__(self, seconds: float) -> None:
        self._shift = timedelta(seconds=seconds)

    def now(self) -> datetime:
        return datetime.now(UTC) + self._shift


async def rider_token(live: LiveServer, *, expires_in_seconds: float) -> str:
    """A token of the demo rider, signed with the server's own key, that runs out then (or did)."""
    viewer = await Api(live.graphql_url, live.rider_token).run(documents.VIEWER)
    who = Actor(Audience.CUSTOMER, ids.decode(viewer["id"], ids.CUSTOMER), Role.RIDER, uuid4(), None)
    secret = Settings(data_dir=live.data_dir).secret()
    return AccessTokens(secret, ShiftedClock(expires_in_seconds - 60), minutes=1).access_token(who)[0]
