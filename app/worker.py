"""The worker: answers turns, builds archives, sweeps what time has overtaken, takes over what dead workers left."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from datetime import timedelta
from functools import partial
from uuid import UUID

import procrastinate
from procrastinate import JobContext, RetryStrategy
from procrastinate.exceptions import NoResult
from procrastinate.jobs import Job, Status
from psycopg.conninfo import make_conninfo

from agents.flusher import Flusher
from agents.router import ModelRouter
from agents.travel import build_travel_agent
from agents.turns import AgentRuntime, answer_turn
from app import notifiers
from app.archives import Archivist
from app.cashier import Cashier
from app.database import SessionFactory
from app.gateways.licences import licence_check
from app.gateways.maps import Maps
from app.gateways.payments import payment_gateway
from app.gateways.photos import ObjectPhotos
from app.licence_checks import check_licence
from app.locksmith import Locksmith, lock_gateway
from app.old_photos import OldPhotos
from app.postman import Postman
from app.retention import Retention
from app.settings import Namespaces, Settings
from app.sweeps import Sweeps
from domain import jobs, letters, licences, ports, trips
from domain.channels import Channel
from domain.ciphers import Cipher
from domain.seals import Seals

logger = logging.getLogger(__name__)

HEARTBEAT_SECONDS = 2.0
#: new jobs are rung for; one that waited behind another of its conversation is only found by looking
POLL_SECONDS = 0.5
STALLED_SECONDS = 10.0
STALLED_SWEEP_SECONDS = 2.0
NOTIFICATION_SWEEP_SECONDS = 10.0
DEPOSIT_SWEEP_SECONDS = 60.0
EXPORT_SWEEP_SECONDS = 30.0
ERASURE_SWEEP_SECONDS = 300.0
PHOTO_SWEEP_SECONDS = 300.0
RETENTION_SWEEP_SECONDS = 3600.0
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
        self._licences = licence_check(is_production=settings.is_production)
        self._licence_numbers = Cipher(settings.secret(), licences.PURPOSE)
        self._flusher = Flusher(sessions)
        self._sweeps = Sweeps(settings, sessions, clock)
        pictures = ObjectPhotos.at(settings.photo_store, settings.data_dir)
        self._archivist = Archivist(sessions, clock, pictures, kept=timedelta(days=settings.export_days))
        self._old_photos = OldPhotos(sessions, clock, pictures, kept=timedelta(days=settings.photo_days))
        self._retention = Retention(settings, sessions, clock)
        links = letters.Links(settings.public_url, Seals(settings.secret()))
        self._postman = Postman(sessions, clock, notifiers.of_settings(settings), links)
        self._locksmith = Locksmith(sessions, clock, lock_gateway(settings, clock, self._url))
        self._payments = payment_gateway(settings)
        self._cashier = Cashier(sessions, clock, self._payments, trips.deposit_decided)
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
                for sweep in self._sweeps.all():
                    group.create_task(self._every(sweep.seconds, sweep.act, sweep.name))
                if jobs.Queue.CUSTOMER in _QUEUES[self._settings.namespaces]:
                    group.create_task(self._every(NOTIFICATION_SWEEP_SECONDS, self._postman.plan_lost, "lost notifications"))
                    group.create_task(self._supervised(self._cashier.run, "cashier"))
                    group.create_task(self._every(DEPOSIT_SWEEP_SECONDS, self._cashier.sweep_deposits, "deposits"))
                    for channel in Channel:
                        deliver = partial(self._postman.run, channel)
                        group.create_task(self._supervised(deliver, f"delivery by {channel}"))
                    for act, name in self._locksmith.parts():
                        group.create_task(self._supervised(act, name))
                group.create_task(self._every(EXPORT_SWEEP_SECONDS, self._archivist.sweep_exports, "exports"))
                group.create_task(self._every(ERASURE_SWEEP_SECONDS, self._retention.erase_leftovers, "erasures"))
                group.create_task(self._every(PHOTO_SWEEP_SECONDS, self._old_photos.sweep, "photos"))
                group.create_task(self._every(RETENTION_SWEEP_SECONDS, self._retention.enforce, "retention"))
        finally:
            await self._flusher.close()
            await asyncio.wait([flushing], timeout=GRACE_SECONDS)
            flushing.cancel()
            self._maps.close()
            await self._payments.close()

    def _app(self) -> procrastinate.App:
        connector = procrastinate.PsycopgConnector(conninfo=self._url, min_size=1, max_size=4)
        app = procrastinate.App(connector=connector)

        @app.task(name=jobs.ANSWER_TURN, retry=RetryStrategy(max_attempts=5, exponential_wait=2), pass_context=True)
        async def _answer_turn(context: JobContext, turn_id: str) -> None:
            with self._ending(context):
                await answer_turn(UUID(turn_id), runtime=self._runtime)

        @app.task(name=jobs.BUILD_EXPORT, retry=RetryStrategy(max_attempts=5, exponential_wait=2), pass_context=True)
        async def _build_export(context: JobContext, export_id: str) -> None:
            with self._ending(context):
                await self._archivist.build_export(UUID(export_id))

        @app.task(name=jobs.CHECK_LICENCE, pass_context=True)
        async def _check_licence(context: JobContext, licence_id: str) -> None:
            asked, cipher = self._licences, self._licence_numbers
            with self._ending(context):
                await check_licence(UUID(licence_id), sessions=self._sessions, clock=self._clock, check=asked, cipher=cipher)

        @app.task(name=jobs.SEND_LOCK_COMMAND, pass_context=True)
        async def _send_lock_command(context: JobContext, command_id: str) -> None:
            del command_id  # the bell is enough: whoever looks finds it
            with self._ending(context):
                self._locksmith.ring()

        @app.task(name=jobs.DELIVER_NOTIFICATION, retry=RetryStrategy(max_attempts=5, exponential_wait=2))
        async def _deliver_notification(notification_id: str) -> None:
            await self._postman.plan(UUID(notification_id))

        @app.task(name=jobs.ASK_GATEWAY)
        async def _ask_gateway(**_: str) -> None:
            self._cashier.ring()

        return app

    @contextmanager
    def _ending(self, context: JobContext) -> Iterator[None]:
        job_id = context.job.id or 0
        self._ended.pop(job_id, None)
        try:
            yield
        finally:
            self._ended[job_id] = context.job, asyncio.get_running_loop().time()

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
