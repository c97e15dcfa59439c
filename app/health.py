"""Health: alive, and ready with every part by name."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import Any

from sqlalchemy import text
from starlette.requests import Request
from starlette.responses import JSONResponse

from app.database import SessionFactory
from app.doorbell import Doorbell

CHECK_SECONDS = 2.0
#: a worker that has not said anything for this long is dead
WORKER_SILENCE_SECONDS = 15
#: among the newest events: the log has no index for this, and is long
_LAG = text(
    "select coalesce(extract(epoch from clock_timestamp() - min(at)), 0)"
    " from (select at, xid from event_log order by seq desc limit 1000) newest"
    " where xid >= pg_snapshot_xmin(pg_current_snapshot())"
)
_WORKERS = text(
    "select count(*) from procrastinate_workers where last_heartbeat > clock_timestamp() - make_interval(secs => :seconds)"
)

Check = Callable[[], Awaitable[dict[str, Any]]]


class NotReady(Exception):
    """A part does not work."""


@dataclass(slots=True)
class Health:
    sessions: SessionFactory
    doorbell: Doorbell
    #: names of the models that answer; what is wrong with them, if they could not be set up
    models: list[str] = field(default_factory=list)
    models_error: str | None = None

    async def ready(self) -> tuple[bool, dict[str, Any]]:
        checks: dict[str, Check] = {
            "database": self._database,
            "eventLog": self._event_log,
            "broadcaster": self._broadcaster,
            "worker": self._worker,
            "models": self._models,
        }
        outcomes = await asyncio.gather(*(self._run(check) for check in checks.values()))
        parts = dict(zip(checks, outcomes, strict=True))
        return all(part["ok"] for part in outcomes), parts

    async def _run(self, check: Check) -> dict[str, Any]:
        try:
            async with asyncio.timeout(CHECK_SECONDS):
                return {"ok": True, **await check()}
        except NotReady as error:
            return {"ok": False, "reason": str(error)}
        except TimeoutError:
            return {"ok": False, "reason": f"no answer within {CHECK_SECONDS:g} s"}
        except Exception as error:  # whatever a driver throws: the part is named, the internals stay here
            return {"ok": False, "reason": type(error).__name__}

    async def _database(self) -> dict[str, Any]:
        async with self.sessions() as session:
            await session.execute(text("select 1"))
        return {}

    async def _event_log(self) -> dict[str, Any]:
        async with self.sessions() as session:
            lag = (await session.execute(_LAG)).scalar_one()
            epoch = (await session.execute(text("select epoch from event_log_epoch"))).scalar_one()
        return {"epoch": epoch, "lagSeconds": round(float(lag), 3)}

    async def _broadcaster(self) -> dict[str, Any]:
        if not self.doorbell.is_listening:
            raise NotReady("not listening; streams look at the log every few seconds instead")
        return {}

    async def _worker(self) -> dict[str, Any]:
        async with self.sessions() as session:
            count = (await session.execute(_WORKERS, {"seconds": WORKER_SILENCE_SECONDS})).scalar_one()
        if count == 0:
            raise NotReady("no worker is alive: turns wait until one is")
        return {"alive": count}

    async def _models(self) -> dict[str, Any]:
        if self.models_error is not None:
            raise NotReady(self.models_error)
        return {"models": self.models}


async def health(_: Request) -> JSONResponse:
    return JSONResponse({"ok": True}, headers={"Cache-Control": "no-store"})


def ready_route(of: Health) -> Callable[[Request], Awaitable[JSONResponse]]:
    async def ready(_: Request) -> JSONResponse:
        is_ready, parts = await of.ready()
        return JSONResponse(
            {"ok": is_ready, "parts": parts}, status_code=200 if is_ready else 503, headers={"Cache-Control": "no-store"}
        )

    return ready
