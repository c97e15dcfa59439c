"""People of the journeys: a rider in a conversation, and what the database says of them."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any
from uuid import uuid4

import psycopg

from domain import ids
from tests.journeys import clients, documents
from tests.journeys.clients import Api, Socket, Stream
from tests.live import LiveServer

BIKE_TO_MUSEUM = "Book a bike from Central Station to the Museum"


def rows(database_url: str, statement: str, **given: Any) -> list[tuple[Any, ...]]:
    with psycopg.connect(database_url) as connection:
        return connection.execute(statement.encode(), given).fetchall()


async def default_metro(api: Api) -> dict[str, Any]:
    found: dict[str, Any] = next(metro for metro in await api.run(documents.METROS) if metro["isDefault"])
    return found


async def watched_metro(staff: Api) -> dict[str, Any]:
    """The default metro as staff see it, with the cursor that its stream continues from."""
    found: dict[str, Any] = next(metro for metro in await staff.run(documents.WATCHED_METROS) if metro["isDefault"])
    return found


async def free_vehicles(api: Api, vehicle_type: str) -> list[dict[str, Any]]:
    metro = await default_metro(api)
    page = await api.run(documents.VEHICLES, metroId=metro["id"], near=metro["center"], types=[vehicle_type])
    return list(page["nodes"])


@dataclass
class Chat:
    """One conversation of a rider, followed."""

    api: Api
    socket: Socket
    stream: Stream
    conversation_id: str

    @property
    def topic(self) -> str:
        return f"chat:{ids.decode(self.conversation_id, ids.CONVERSATION)}"

    async def say(self, text: str) -> Any:
        given = {"conversationId": self.conversation_id, "text": text, "clientMessageId": uuid4().hex}
        sent = await self.api.run(documents.SEND_MESSAGE, input=given)
        assert sent["__typename"] == "SendMessageSuccess", sent
        return sent

    async def ask(self, text: str) -> dict[str, Any]:
        """Says something and waits for the proposal that answers it."""
        sent = await self.say(text)
        made = await self.stream.until("ProposalMade")
        await self.stream.until("TurnFinished", where=lambda event: event["turnId"] == sent["turnId"])
        proposal: dict[str, Any] = made["proposal"]
        return proposal

    async def decide(self, proposal: dict[str, Any], decision: str = "APPROVE", **other: Any) -> Any:
        return await decide(self.api, proposal, decision, **other)


async def decide(api: Api, proposal: dict[str, Any], decision: str = "APPROVE", **other: Any) -> Any:
    given = {"proposalId": proposal["id"], "digest": proposal["digest"], "decision": decision, **other}
    return await api.run(documents.DECIDE, input=given)


@asynccontextmanager
async def chatting(server: LiveServer, token: str | None = None) -> AsyncIterator[Chat]:
    """A new conversation of the demo rider in the default metro, followed from its start."""
    api = Api(server.graphql_url, token or server.rider_token)
    metro = await default_metro(api)
    started = await api.run(documents.START_CONVERSATION, input={"metroId": metro["id"]})
    conversation = started["conversation"]
    async with clients.opened(server.ws_url, api.token) as socket:
        stream = await socket.follow(documents.CHAT_EVENTS, id=conversation["id"], after=conversation["cursor"])
        yield Chat(api, socket, stream, conversation["id"])


async def reserve(api: Api, vehicle_id: str, **given: Any) -> Any:
    """Reserves with a key of its own."""
    return await api.run(documents.RESERVE, input={"vehicleId": vehicle_id, "idempotencyKey": uuid4().hex, **given})
