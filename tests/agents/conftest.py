"""A small world for turns of the agent; no test here reaches a model provider."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

import pytest
from pydantic_ai import models

from agents.flusher import Flusher
from agents.router import ModelRouter
from agents.travel import build_travel_agent
from agents.turns import AgentRuntime
from app.database import SessionFactory
from app.gateways.maps import GreatCircleRouter
from domain import chat
from tests.agents.world import World, found_metro, sign_up
from tests.conftest import FixedClock

models.ALLOW_MODEL_REQUESTS = False


@pytest.fixture
async def flusher(session_factory: SessionFactory) -> AsyncIterator[Flusher]:
    made = Flusher(session_factory, interval=0.005)
    running = asyncio.create_task(made.run())
    yield made
    await made.close()
    await running


@pytest.fixture
async def world(session_factory: SessionFactory, clock: FixedClock, flusher: Flusher) -> World:
    async with session_factory.begin() as session:
        metro_id = await found_metro(session, clock)
        rider = await sign_up(session, clock)
        conversation_id = await chat.start_conversation(session, rider, metro_id, now=clock.now())
    runtime = AgentRuntime(session_factory, clock, GreatCircleRouter(), ModelRouter(), flusher, build_travel_agent())
    return World(session_factory, clock, runtime, metro_id, rider, conversation_id)
