"""The worker: answers turns, sweeps what time has overtaken, takes over what dead workers left."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable
from datetime import timedelta
from functools import partial
from uuid import UUID

import procrastinate
from procrastinate import JobContext, RetryStrategy
from procrastinate.exceptions import NoResult
from procrastinate.jobs import Job, Status
from psycopg.conninfo import make_conninfo
from sqlalchemy.ext.asyncio import AsyncSession

from agents.flusher import Flusher
from agents.router import ModelRouter
from agents.travel import build_travel_agent
from agents.turns import AgentRuntime, answer_turn
from app.database import SessionFactory
from app.gateways.maps import Maps
from app.settings import Namespaces, Settings
from domain import expiry, history, idempotency, jobs, ports, sessions, turns

logger = logging.getLogger(__name__)

HEARTBEAT_SECONDS = 2.0
#: new jobs are rung for; one that waited behind another of its conversation is only found by looking
POLL_SECONDS = 0.5
STALLED_SECONDS = 10.0
STALLED_SWEEP_SECONDS = 2.0
RESERVATION_SWEEP_SECONDS = 2.0
TURN_SWEEP_SECONDS = 30.0
KEY_SWEEP_SECONDS = 3600.0
HISTORY_SWEEP_SECONDS = 60.0
SESSION_SWEEP_SECONDS = 3600.0
CONCURRENCY = 8
GRACE_SECONDS = 5.0
RETRY_SECONDS = (0.5, 10.0)
#: a database that fell silent is told from one that takes its time
_PATIENCE = {
    "connect_timeout": 5,
    "keepalives_idle": 5,
    "keepalives_interval": 2,
    "keepalives_count": 3,
    "tcp_user_timeout": 10_000,
}

_QUEUES = {
    Namespaces.CUSTOMER: [jobs.Queue.CUSTOMER],
    Namespaces.OPS: [jobs.Queue.OPS, jobs.Queue.PLANNING],
    Namespaces.ALL: [jobs.Queue.CUSTOMER, jobs.Queue.OPS, jobs.Queue.PLANNING],
}


class Worker:
    """Runs until cancelled. Comes back by itself when the database was away."""

    def __init__(self, settings: Settings, url: str, sessions: SessionFactory, clock: ports.Clock) -> None:
        self._settings = settings
        self._sessions = sessions
        self._clock = clock
        self._url = make_conninfo(url, **_PATIENCE)
        #: jobs that ended here and when; the library stores the end itself, unless the database is away just then
        self._ended: dict[int, tuple[Job, float]] = {}
        self._maps = Maps(settings.data_dir)
        self._flusher = Flusher(sessions)
        self._runtime = AgentRuntime(
            session_factory=sessions,
            clock=clock,
            router=self._maps,
            models=ModelRouter(settings.models, offline_token_delay_seconds=settings.offline_token_delay_seconds),
            flusher=self._flusher,
            agent=build_travel_agent(),
        )

    async def run(self) -> None:
        flushing = asyncio.create_task(self._flusher.run(), name="flusher")
        try:
            async with asyncio.TaskGroup() as group:
                group.create_task(self._supervised(self._work, "job worker"))
                group.create_task(self._every(STALLED_SWEEP_SECONDS, self._adopt_stalled, "stalled jobs"))
                group.create_task(self._every(RESERVATION_SWEEP_SECONDS, self._sweep_reservations, "reservations"))
                group.create_task(self._every(TURN_SWEEP_SECONDS, self._fail_abandoned_turns, "abandoned turns"))
                group.create_task(self._every(KEY_SWEEP_SECONDS, self._forget_keys, "idempotency keys"))
                group.create_task(self._every(HISTORY_SWEEP_SECONDS, self._forget_history, "history"))
                group.create_task(self._every(SESSION_SWEEP_SECONDS, self._forget_sessions, "sessions"))
        finally:
            await self._flusher.close()
            await asyncio.wait([flushing], timeout=GRACE_SECONDS)
            flushing.cancel()
            self._maps.close()

    def _app(self) -> procrastinate.App:
        connector = procrastinate.PsycopgConnector(conninfo=self._url, min_size=1, max_size=4)
        app = procrastinate.App(connector=connector)

        @app.task(name=jobs.ANSWER_TURN, retry=RetryStrategy(max_attempts=5, exponential_wait=2), pass_context=True)
        async def _answer_turn(context: JobContext, turn_id: str) -> None:
            job_id = context.job.id or 0
            self._ended.pop(job_id, None)
            try:
                await answer_turn(UUID(turn_id), runtime=self._runtime)
            finally:
                self._ended[job_id] = context.job, asyncio.get_running_loop().time()

        return app

    async def _work(self) -> None:
        app = self._app()
        async with app.open_async():
            await app.run_worker_async(
                queues=_QUEUES[self._settings.namespaces],
                name="nimrod",
                concurrency=CONCURRENCY,
                install_signal_handlers=False,
                delete_jobs="successful",
                fetch_job_polling_interval=POLL_SECONDS,
                shutdown_graceful_timeout=GRACE_SECONDS,
                update_heartbeat_interval=HEARTBEAT_SECONDS,
                stalled_worker_timeout=STALLED_SECONDS,
            )

    async def _adopt_stalled(self) -> None:
        """The library finds the jobs of dead workers but leaves them; their locks would block the conversation."""
        app = self._app()
        async with app.open_async():
            while True:
                for job in await app.job_manager.get_stalled_jobs(seconds_since_heartbeat=STALLED_SECONDS):
                    logger.warning("adopting the job of a dead worker", extra={"job": job.id, "task": job.task_name})
                    await app.job_manager.retry_job(job)
                await self._adopt_unheard(app)
                await asyncio.sleep(STALLED_SWEEP_SECONDS)

    async def _adopt_unheard(self, app: procrastinate.App) -> None:
        """A job of this living worker whose end the database never heard of would block its conversation for ever."""
        settled = asyncio.get_running_loop().time() - STALLED_SWEEP_SECONDS
        for job_id, (job, ended_at) in list(self._ended.items()):
            if ended_at > settled:
                continue
            try:
                if await app.job_manager.get_job_status_async(job_id) is Status.DOING:
                    logger.warning("beginning a job again whose end was not heard", extra={"job": job_id})
                    await app.job_manager.retry_job(job)
            except NoResult:
                pass  # done and deleted
            if self._ended.get(job_id) == (job, ended_at):
                del self._ended[job_id]

    async def _sweep_reservations(self) -> None:
        async with self._sessions.begin() as session:
            await expiry.sweep_reservations(session, now=self._clock.now())

    async def _fail_abandoned_turns(self) -> None:
        async with self._sessions.begin() as session:
            await turns.fail_abandoned_turns(session, now=self._clock.now())

    async def _forget_keys(self) -> None:
        async with self._sessions.begin() as session:
            await idempotency.forget_old_keys(session, now=self._clock.now())

    async def _forget_history(self) -> None:
        """In short transactions, however much there is."""
        kept = {**history.KEPT, "dispatch": timedelta(days=self._settings.dispatch_history_days)}
        for topic_class, age in kept.items():
            if age is not None:
                await self._in_batches(partial(history.forget_events, topic_class=topic_class, before=self._clock.now() - age))
        await self._in_batches(partial(turns.forget_deltas, now=self._clock.now()))

    async def _forget_sessions(self) -> None:
        await self._in_batches(partial(sessions.forget_sessions, now=self._clock.now()))

    async def _in_batches(self, forget: Callable[[AsyncSession], Awaitable[int]]) -> None:
        count = history.BATCH
        while count == history.BATCH:
            async with self._sessions.begin() as session:
                count = await forget(session)

    async def _every(self, seconds: float, act: Callable[[], Awaitable[None]], name: str) -> None:
        while True:
            try:
                await act()
            except Exception as error:  # the database is away or the act failed: the next round tries again
                logger.warning("sweep failed", extra={"sweep": name, "error": repr(error)})
            await asyncio.sleep(seconds)

    async def _supervised(self, act: Callable[[], Awaitable[None]], name: str) -> None:
        pause = RETRY_SECONDS[0]
        while True:
            started = asyncio.get_running_loop().time()
            try:
                await act()
                return
            except Exception as error:  # the database is away: a worker outlives it
                logger.warning("worker part failed", extra={"part": name, "error": repr(error)})
            lasted = asyncio.get_running_loop().time() - started
            pause = RETRY_SECONDS[0] if lasted > 30 else min(pause * 2, RETRY_SECONDS[1])
            await asyncio.sleep(pause)
