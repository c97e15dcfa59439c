"""The worker: what it sweeps, whom it takes over from, and how it outlives a database."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from uuid import UUID, uuid4

import psycopg
import pytest
from sqlalchemy import select

from app import database
from app.gateways.clock import SystemClock
from app.settings import Settings
from app.worker import STALLED_SECONDS, Worker
from domain import chat, ids, metros, tables
from domain.actor import Actor, Audience, Role
from tests.journeys import documents, riders, waiting
from tests.journeys.clients import Api
from tests.journeys.gate import Gate
from tests.live import LiveServer

JOBS = "select count(*) from procrastinate_jobs where status in ('todo', 'doing')"


@asynccontextmanager
async def working(url: str, data_dir: Path) -> AsyncIterator[asyncio.Task[None]]:
    """A worker in this process."""
    settings = Settings(data_dir=data_dir, database_timeout_seconds=1)
    async with database.opened(settings, url) as sessions:
        task = asyncio.create_task(Worker(settings, url, sessions, SystemClock()).run())
        yield task
        assert not task.done(), "a worker does not end by itself"
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


@pytest.fixture
async def waiting_turn(demo_sessions: database.SessionFactory) -> UUID:
    """A rider said hello, and the job that answers waits in `demo_database`."""
    now = datetime.now(UTC)
    async with demo_sessions.begin() as session:
        customer_id = (await session.execute(select(tables.Customer.id).limit(1))).scalar_one()
        who = Actor(Audience.CUSTOMER, customer_id, Role.RIDER, uuid4(), None)
        metro = await metros.get_default_metro(session)
        conversation_id = await chat.start_conversation(session, who, metro.id, now=now)
        sent = await chat.send_message(
            session, who, conversation_id=conversation_id, text="hello", position=None, client_message_id="1", now=now
        )
    return sent.turn_id


def _execute(url: str, statement: str, *given: object) -> None:
    with psycopg.connect(url) as connection:
        connection.execute(statement.encode(), given)


async def test_a_hold_that_nobody_unlocks_lapses_and_frees_the_vehicle(live_server: LiveServer) -> None:
    api = Api(live_server.graphql_url, live_server.rider2_token)
    bike = (await riders.free_vehicles(api, "BICYCLE"))[-2]
    made = (await riders.reserve(api, bike["id"]))["reservation"]
    reservation_id = ids.decode(made["id"], ids.RESERVATION)
    _execute(live_server.database_url, "update reservations set lapses_at = now() - interval '1 s' where id = %s", reservation_id)
    state = "select r.state, v.state from reservations r join vehicles v on v.id = r.vehicle_id where r.id = %(id)s"
    await waiting.until(lambda: riders.rows(live_server.database_url, state, id=reservation_id) == [("expired", "available")])
    again = await riders.reserve(api, bike["id"])
    assert again["__typename"] == "ReserveVehicleSuccess"
    # Given up, so that this rider's next hold is none after too many that lapsed.
    await api.run(documents.CANCEL, input={"reservationId": again["reservation"]["id"], "idempotencyKey": uuid4().hex})


async def test_a_car_that_goes_out_of_service_by_any_road_loses_its_bookings(live_server: LiveServer) -> None:
    api = Api(live_server.graphql_url, live_server.rider2_token)
    car = (await riders.free_vehicles(api, "CAR"))[-2]
    begin = datetime.now(UTC) + timedelta(hours=1)
    window = {"startsAt": begin.isoformat(), "endsAt": (begin + timedelta(hours=1)).isoformat()}
    made = (await riders.reserve(api, car["id"], **window))["reservation"]
    reservation_id = ids.decode(made["id"], ids.RESERVATION)
    towed = "update vehicles set state = 'elsewhere' where id = (select vehicle_id from reservations where id = %s)"
    _execute(live_server.database_url, towed, reservation_id)
    cause = "select state, cancel_cause from reservations where id = %(id)s"
    gone = [("cancelled", "vehicle_withdrawn")]
    await waiting.until(lambda: riders.rows(live_server.database_url, cause, id=reservation_id) == gone, seconds=30)


async def test_a_job_of_a_worker_that_is_gone_is_taken_over(demo_database: str, live_data_dir: Path, waiting_turn: UUID) -> None:
    """As a killed worker leaves it: `doing`, with a heartbeat that stopped."""
    _execute(
        demo_database,
        "with w as (insert into procrastinate_workers (last_heartbeat) values (now() - make_interval(secs => %s)) returning id)"
        " update procrastinate_jobs set status = 'doing', worker_id = (select id from w)",
        STALLED_SECONDS + 1,
    )
    async with working(demo_database, live_data_dir):
        await waiting.until(lambda: _state(demo_database, waiting_turn) == "done")
        await waiting.until(lambda: riders.rows(demo_database, JOBS) == [(0,)])


async def test_a_worker_waits_for_a_database_that_is_not_there_yet(
    demo_database: str, live_data_dir: Path, waiting_turn: UUID
) -> None:
    gate = Gate(demo_database).open()
    try:
        gate.shut()
        async with working(gate.url, live_data_dir) as task:
            await asyncio.sleep(1)
            assert not task.done()
            gate.reopen()
            await waiting.until(lambda: _state(demo_database, waiting_turn) == "done", 20)
    finally:
        gate.close()


async def test_a_job_whose_end_was_not_heard_is_begun_again(demo_database: str, live_data_dir: Path, waiting_turn: UUID) -> None:
    """The turn is answered, but the row of its job still says `doing`, under a worker that lives."""
    _execute(
        demo_database,
        "create function deaf() returns trigger language plpgsql as $$ begin raise exception 'not heard'; end $$",
    )
    _execute(demo_database, "create trigger deaf before delete on procrastinate_jobs for each row execute function deaf()")
    async with working(demo_database, live_data_dir):
        await waiting.until(lambda: _state(demo_database, waiting_turn) == "done")
        assert riders.rows(demo_database, JOBS) == [(1,)]
        _execute(demo_database, "drop trigger deaf on procrastinate_jobs")
        await waiting.until(lambda: riders.rows(demo_database, JOBS) == [(0,)])
    attempts = riders.rows(demo_database, "select attempt from turns where id = %(id)s", id=waiting_turn)
    assert attempts == [(1,)], "a finished turn is not answered twice"


async def test_history_that_nobody_needs_is_forgotten(demo_database: str, live_data_dir: Path, waiting_turn: UUID) -> None:
    """More than one transaction may delete: events of dispatch after a week, a rider's after a month, words of a turn minutes
    after its end."""
    _execute(
        demo_database,
        "insert into event_log (topic, kind, version, payload, at)"
        " select 'dispatch:' || m.id, 'vehicle.changed', 1, '{}', now() - make_interval(days => days)"
        " from metros m, generate_series(1, 2500) n, unnest(array[6, 8]) days",
    )
    _execute(
        demo_database,
        "insert into event_log (topic, kind, version, payload, at)"
        " select 'rider:' || c.id, 'reservation.confirmed', 1, '{}', now() - make_interval(days => days)"
        " from customers c, unnest(array[29, 31]) days",
    )
    unsettled = "select count(*) from event_log where xid >= pg_snapshot_xmin(pg_current_snapshot())"
    await waiting.until(lambda: riders.rows(demo_database, unsettled) == [(0,)])
    async with working(demo_database, live_data_dir):
        await waiting.until(lambda: _state(demo_database, waiting_turn) == "done")
        counts = (
            "select count(*) filter (where at < now() - interval '7 days'), count(*)"
            " from event_log where kind = 'vehicle.changed'"
        )
        await waiting.until(lambda: riders.rows(demo_database, counts) == [(0, 2500)])
        kept = (
            "select bool_and(at > now() - interval '30 days'), count(*) = (select count(*) from customers)"
            " from event_log where kind = 'reservation.confirmed'"
        )
        await waiting.until(lambda: riders.rows(demo_database, kept) == [(True, True)])
    words = "select count(*) from event_log where kind = 'text.delta'"
    assert riders.rows(demo_database, words) > [(0,)], "a turn that has just ended still shows how"
    _execute(demo_database, "update event_log set at = at - interval '1 hour'")
    _execute(demo_database, "update turns set finished_at = finished_at - interval '1 hour'")
    await waiting.until(lambda: riders.rows(demo_database, unsettled) == [(0,)])
    async with working(demo_database, live_data_dir):
        await waiting.until(lambda: riders.rows(demo_database, words) == [(0,)])
    assert riders.rows(demo_database, "select count(*) from event_log where kind = 'turn.finished'") == [(1,)]


async def test_sessions_links_and_secrets_that_have_expired_are_forgotten(demo_database: str, live_data_dir: Path) -> None:
    """More sessions and refresh tokens than one transaction may delete; registrations, password resets, second factors that
    nobody confirmed."""
    _execute(
        demo_database,
        "insert into sign_in_sessions (id, audience, account_id, refresh_hash, created_at, refreshed_at, expires_at)"
        " select gen_random_uuid(), 'customer', gen_random_uuid(), sha256(n::text::bytea), now(), now(),"
        "  now() + case when n <= 1200 then interval '-1 s' else interval '1 day' end from generate_series(1, 1210) n",
    )
    _execute(
        demo_database,
        "insert into rotated_refresh_tokens (digest, session_id, rotated_at)"
        " select sha256(id::text::bytea), id, now() from sign_in_sessions",
    )
    expiring = "now() + case n when 1 then interval '-1 s' else interval '1 hour' end from generate_series(1, 2) n"
    _execute(
        demo_database,
        "insert into registrations (id, email, password_hash, name, language, document_version, created_at, expires_at)"
        f" select gen_random_uuid(), n || '@example.org', '', '', 'en', '1', now(), {expiring}",
    )
    _execute(
        demo_database,
        "insert into password_resets (id, audience, account_id, created_at, expires_at)"
        f" select gen_random_uuid(), 'customer', gen_random_uuid(), now(), {expiring}",
    )
    _execute(
        demo_database,
        "insert into second_factors (audience, account_id, secret, created_at, confirmed_at)"
        " select 'customer', gen_random_uuid(), '', now() - interval '1 hour', case n when 1 then null else now() end"
        " from generate_series(1, 2) n",
    )
    names = ("sign_in_sessions", "rotated_refresh_tokens", "registrations", "password_resets", "second_factors")
    kept = "select " + ", ".join(f"(select count(*) from {name})" for name in names)
    async with working(demo_database, live_data_dir):
        await waiting.until(lambda: riders.rows(demo_database, kept) == [(10, 10, 1, 1, 1)])


async def test_an_archive_whose_job_is_lost_is_begun_again_and_one_that_expired_is_thrown_away(
    demo_database: str, live_data_dir: Path
) -> None:
    _execute(
        demo_database,
        "insert into exports (id, customer_id, state, attempt, requested_at, size_bytes, expires_at)"
        " select gen_random_uuid(), c.id, s.state, 1, now() - interval '1 hour',"
        "  case s.state when 'ready' then 1 end, case s.state when 'ready' then now() end"
        " from (select id from customers limit 1) c, unnest(array['requested', 'ready']) s (state)",
    )
    _execute(demo_database, "insert into export_parts (export_id, number, content) select id, 0, 'old' from exports")
    states = "select e.state, count(p.number) > 0 from exports e left join export_parts p on p.export_id = e.id group by e.id"
    async with working(demo_database, live_data_dir):
        await waiting.until(lambda: sorted(riders.rows(demo_database, states)) == [("expired", False), ("ready", True)])


async def test_turns_of_one_conversation_are_answered_one_after_another(live_server: LiveServer) -> None:
    async with riders.chatting(live_server) as talk:
        turns = [(await talk.say("hello"))["turnId"] for _ in range(4)]
        finished = [(await talk.stream.until("TurnFinished"))["turnId"] for _ in turns]
        assert finished == turns
        open_turns: set[str] = set()
        for event in talk.stream.seen:
            if event["__typename"] == "TurnStarted":
                open_turns.add(event["turnId"])
            if event["__typename"] == "TurnFinished":
                open_turns.remove(event["turnId"])
            assert len(open_turns) <= 1


async def test_a_sixth_waiting_message_is_refused(live_server: LiveServer) -> None:
    async with riders.chatting(live_server) as talk:
        statement = "update turns set state = 'running' where conversation_id = %s"
        for _ in range(5):
            await talk.say("hello")
            await talk.stream.until("TurnFinished")
        _execute(live_server.database_url, statement, ids.decode(talk.conversation_id, ids.CONVERSATION))
        given = {"conversationId": talk.conversation_id, "text": "hello", "clientMessageId": "one too many"}
        refused = await talk.api.run(documents.SEND_MESSAGE, input=given)
        assert refused["__typename"] == "TurnInProgressError"
        _execute(
            live_server.database_url,
            "update turns set state = 'done' where conversation_id = %s",
            ids.decode(talk.conversation_id, ids.CONVERSATION),
        )


def _state(url: str, turn_id: UUID) -> str:
    return str(riders.rows(url, "select state from turns where id = %(id)s", id=turn_id)[0][0])
