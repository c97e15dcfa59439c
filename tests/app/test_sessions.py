"""The watch over sessions: what ended elsewhere is told to what is open here, once, and to nobody else."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from uuid import UUID

import pytest
from sqlalchemy import event, update

from app.auth import AccessTokens
from app.connections import Connections
from app.database import SessionFactory
from app.main import build_runtime
from app.sessions import SessionWatch
from app.settings import Settings
from domain import accounts, ids, tables
from domain.actor import Audience
from resolvers.context import Runtime
from resolvers.streams import Feed
from tests import factories
from tests.conftest import FixedClock
from tests.resolvers.doorbells import HandBell


class Opened:
    """A socket, as far as the watch knows one."""

    def __init__(self) -> None:
        self.ends = 0

    def end_session(self) -> None:
        self.ends += 1


@pytest.fixture
def connections() -> Connections:
    return Connections(50)


@pytest.fixture
async def runtime(session_factory: SessionFactory, clock: FixedClock) -> Runtime:
    settings = Settings(signing_key="k" * 32)
    tokens = AccessTokens(settings.secret(), clock, minutes=15)
    return build_runtime(settings, session_factory, tokens, Feed(session_factory, HandBell()), clock)


@pytest.fixture
def watch(connections: Connections, runtime: Runtime) -> SessionWatch:
    return SessionWatch(connections, runtime)


@contextmanager
def counted(sessions: SessionFactory) -> Iterator[list[str]]:
    statements: list[str] = []

    def note(*given: object) -> None:
        statements.append(str(given[2]))

    engine = sessions.kw["bind"].sync_engine
    event.listen(engine, "before_cursor_execute", note)
    yield statements
    event.remove(engine, "before_cursor_execute", note)


async def sign_in(runtime: Runtime) -> UUID:
    async with runtime.transaction() as session:
        email = (await factories.add_customer(session)).email
        found = await accounts.find_credentials(session, Audience.CUSTOMER, email)
        assert found is not None
        return (await accounts.open_session(session, Audience.CUSTOMER, found, days=1, now=runtime.clock.now())).actor.session_id


async def end(runtime: Runtime, session_id: UUID) -> None:
    row = tables.SignInSession
    async with runtime.transaction() as session:
        await session.execute(update(row).where(row.id == session_id).values(ended_at=runtime.clock.now()))


async def test_nothing_is_asked_while_nothing_is_open_and_one_query_otherwise(
    connections: Connections, watch: SessionWatch, session_factory: SessionFactory
) -> None:
    with counted(session_factory) as statements:
        await watch.look()
        assert statements == []
        for _ in range(100):
            connections.join(ids.new(), Opened())
        await watch.look()
        assert len(statements) == 1


async def test_everything_open_in_an_ended_session_is_told_and_nothing_else(
    connections: Connections, watch: SessionWatch, runtime: Runtime, clock: FixedClock
) -> None:
    ending, going = await sign_in(runtime), await sign_in(runtime)
    told, spared, gone = [Opened(), Opened()], Opened(), Opened()
    for one in (*told, gone):
        connections.join(ending, one)
    connections.join(going, spared)
    connections.join(ids.new(), spared)
    await watch.look()
    connections.part(ending, gone)
    clock.advance(seconds=2)
    await end(runtime, ending)
    await watch.look()
    assert ([one.ends for one in told], spared.ends, gone.ends) == ([1, 1], 0, 0)


async def test_an_end_is_seen_that_was_committed_after_a_look_that_began_later(
    connections: Connections, watch: SessionWatch, runtime: Runtime, clock: FixedClock
) -> None:
    session_id, opened = await sign_in(runtime), Opened()
    connections.join(session_id, opened)
    await watch.look()
    clock.advance(seconds=40)
    await watch.look()
    clock.advance(seconds=-30)
    await end(runtime, session_id)
    clock.advance(seconds=32)
    await watch.look()
    assert opened.ends == 1


async def test_who_comes_with_a_session_that_ended_long_ago_is_sent_away_each_time(
    connections: Connections, watch: SessionWatch, runtime: Runtime, clock: FixedClock
) -> None:
    session_id = await sign_in(runtime)
    await end(runtime, session_id)
    connections.join(await sign_in(runtime), Opened())
    for _ in range(3):
        clock.advance(minutes=5)
        opened = Opened()
        connections.join(session_id, opened)
        await watch.look()
        assert opened.ends == 1
        next_one = Opened()
        connections.join(session_id, next_one)
        connections.part(session_id, opened)
        clock.advance(minutes=5)
        await watch.look()
        assert next_one.ends == 1
        connections.part(session_id, next_one)


async def test_what_ended_while_no_look_succeeded_is_seen_by_the_next(
    connections: Connections, watch: SessionWatch, runtime: Runtime, clock: FixedClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    session_id, opened = await sign_in(runtime), Opened()
    connections.join(session_id, opened)
    await watch.look()
    await end(runtime, session_id)
    with monkeypatch.context() as away:
        away.setattr("domain.sessions.find_ended_sessions", None)
        for _ in range(3):
            clock.advance(minutes=5)
            with pytest.raises(TypeError):
                await watch.look()
    assert opened.ends == 0
    await watch.look()
    assert opened.ends == 1


def test_who_parts_twice_or_never_joined_leaves_nothing_behind(connections: Connections) -> None:
    session_id, opened = ids.new(), Opened()
    connections.join(session_id, opened)
    connections.join(session_id, opened)
    for _ in range(2):
        connections.part(session_id, opened)
    connections.part(ids.new(), opened)
    connections.end_session(session_id)
    assert (connections.sessions(), opened.ends) == (frozenset(), 0)
