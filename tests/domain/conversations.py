"""What tests of the chat do over and over: send, claim, finish, read the log."""

from __future__ import annotations

from uuid import UUID

from app.database import SessionFactory
from domain import chat, eventlog, turns
from domain.values import LatLng
from tests.conftest import FixedClock
from tests.domain.conftest import City
from tests.log import settled_after


async def send(
    session_factory: SessionFactory, city: City, conversation: UUID, clock: FixedClock, words: str = "Hello", client_id: str = "1"
) -> chat.SentMessage:
    async with session_factory.begin() as session:
        return await chat.send_message(
            session,
            city.rider,
            conversation_id=conversation,
            text=words,
            position=LatLng(49.4, 8.67),
            client_message_id=client_id,
            now=clock.now(),
        )


async def claim(session_factory: SessionFactory, turn_id: UUID, clock: FixedClock) -> turns.ClaimedTurn | None:
    async with session_factory.begin() as session:
        return await turns.claim_turn(session, turn_id, now=clock.now())


async def finish(session_factory: SessionFactory, turn_id: UUID, clock: FixedClock, attempt: int = 1) -> bool:
    async with session_factory.begin() as session:
        return await turns.finish_turn(
            session,
            turn_id=turn_id,
            attempt=attempt,
            text="Hi.",
            model_messages=[{"of": str(turn_id)}],
            model="offline",
            input_tokens=1,
            output_tokens=1,
            now=clock.now(),
        )


async def kinds(session_factory: SessionFactory, conversation: UUID, after: eventlog.Position) -> list[str]:
    async with session_factory() as session:
        batch = await settled_after(session, eventlog.chat_topic(conversation), after)
    return [event.kind for event in batch.events]
