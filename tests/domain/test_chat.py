"""What a rider says is stored once, and is the rider's own."""

from __future__ import annotations

import asyncio
from uuid import UUID

import pytest
from sqlalchemy import func, select, text

from app.database import SessionFactory
from domain import chat, errors, tables
from tests import factories
from tests.conftest import FixedClock
from tests.domain.conftest import City
from tests.domain.conversations import kinds, send


async def test_a_message_is_stored_once_with_its_turn_and_its_job(
    session_factory: SessionFactory, city: City, conversation: UUID, clock: FixedClock
) -> None:
    sent = await asyncio.gather(*(send(session_factory, city, conversation, clock) for _ in range(5)))
    assert len({(one.message_id, one.turn_id) for one in sent}) == 1
    async with session_factory() as session:
        jobs = (await session.execute(text("select task_name, lock, args from procrastinate_jobs"))).all()
        assert (await session.execute(select(func.count()).select_from(tables.Message))).scalar_one() == 1
    assert [(job.task_name, job.lock, job.args) for job in jobs] == [
        ("answer_turn", f"conversation:{conversation}", {"turn_id": str(sent[0].turn_id)})
    ]
    before = min(one.position for one in sent)
    assert await kinds(session_factory, conversation, before) == ["message.stored"]


async def test_the_same_client_id_with_other_words_is_a_conflict(
    session_factory: SessionFactory, city: City, conversation: UUID, clock: FixedClock
) -> None:
    await send(session_factory, city, conversation, clock)
    with pytest.raises(errors.IdempotencyConflict):
        await send(session_factory, city, conversation, clock, "Other words")


async def test_five_turns_may_wait(session_factory: SessionFactory, city: City, conversation: UUID, clock: FixedClock) -> None:
    outcomes = await asyncio.gather(
        *(send(session_factory, city, conversation, clock, client_id=str(number)) for number in range(8)), return_exceptions=True
    )
    assert [type(one) for one in outcomes].count(errors.TurnInProgress) == 3


@pytest.mark.parametrize(
    ("words", "client_id", "paths"),
    [("", "1", ["text"]), ("  ", "", ["text", "clientMessageId"]), ("x" * 2001, "c" * 101, ["text", "clientMessageId"])],
)
async def test_a_message_says_something_and_not_too_much(
    session_factory: SessionFactory,
    city: City,
    conversation: UUID,
    clock: FixedClock,
    words: str,
    client_id: str,
    paths: list[str],
) -> None:
    with pytest.raises(errors.InvalidInput) as refusal:
        await send(session_factory, city, conversation, clock, words, client_id)
    assert [issue.path for issue in refusal.value.issues] == paths


async def test_messages_are_listed_latest_first_in_pages(
    session_factory: SessionFactory, city: City, conversation: UUID, clock: FixedClock
) -> None:
    sent = [await send(session_factory, city, conversation, clock, client_id=str(number)) for number in range(3)]
    async with session_factory() as session:
        first = await chat.list_messages(session, conversation, limit=2)
        rest = await chat.list_messages(session, conversation, before=first[-1].id, limit=2)
    assert [message.id for message in first + rest] == [one.message_id for one in reversed(sent)]


async def test_a_conversation_is_its_riders_own(session_factory: SessionFactory, city: City, conversation: UUID) -> None:
    async with session_factory.begin() as session:
        other = await factories.add_rider(session)
        with pytest.raises(errors.NotFound):
            await chat.get_conversation(session, other, conversation)
        assert (await chat.get_conversation(session, city.rider, conversation)).metro_id == city.metro.id
