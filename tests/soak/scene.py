"""The scene of a soak: a cluster, API processes, a worker, a publisher and a crowd that follows one metro."""

from __future__ import annotations

import os
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx
import psutil
import psycopg

from domain import ids
from tests.journeys import documents
from tests.live import Launcher, LiveServer
from tests.soak.child import Child
from tests.soak.verdict import Verdict

SECONDS = float(os.environ.get("NIMROD_SOAK_SECONDS", "60"))
SUBSCRIBERS = int(os.environ.get("NIMROD_SOAK_SUBSCRIBERS", "1000"))
EVENTS_PER_SECOND = 20.0
#: how long a crowd may take to catch up once all is well again
LEVEL_SECONDS = 90.0
API = ("--no-worker", "--no-prepared")
#: they all have the account of one dispatcher
SETTINGS: dict[str, Any] = {"NIMROD_MAX_CONNECTIONS_PER_ACCOUNT": "100000"}


@dataclass
class Scene:
    """Whoever makes it closes it; the servers are the launcher's."""

    #: without a gate before it
    database_url: str
    launcher: Launcher
    servers: list[LiveServer]
    log_dir: Path
    #: settings of every process
    env: dict[str, Any]
    metro: dict[str, Any] = field(init=False)
    children: list[Child] = field(default_factory=list)
    crowds: list[Child] = field(default_factory=list)
    #: subscribers
    size: int = 0

    def __post_init__(self) -> None:
        self.metro = self.metro_now()

    def metro_now(self) -> dict[str, Any]:
        """The metro with the cursor that a stream goes on from now."""
        headers = {"authorization": f"Bearer {self.token}"}
        body = {"query": documents.WATCHED_METROS}
        answer = httpx.post(self.servers[0].graphql_url, json=body, headers=headers, trust_env=False, timeout=60).json()
        found: dict[str, Any] = next(metro for metro in answer["data"]["ops"]["metros"] if metro["isDefault"])
        return found

    @property
    def token(self) -> str:
        return self.servers[0].dispatcher_token

    @property
    def topic(self) -> str:
        return f"dispatch:{ids.decode(self.metro['id'], ids.METRO)}"

    def gather(self, count: int, processes: int = 1) -> None:
        """So many subscribers, each of which has been live when it returns."""
        for number in range(processes):
            child = self._child(
                "subscribers",
                count=count // processes,
                ports=[int(server.url.rsplit(":", 1)[1]) for server in self.servers],
                token=self.token,
                metro=self.metro["id"],
                after=self.metro["cursor"],
                source=f"127.0.0.{number + 1}",
            )
            self.crowds.append(child)
        begun = self.ask_all("begin")
        assert all(one["begun"] for one in begun), begun
        self.size = count

    def publisher(self, *, plate: int = 3, per_second: float = EVENTS_PER_SECOND) -> Child:
        return self._child(
            "publisher",
            url=self.database_url,
            doorbell_url=self.env.get("NIMROD_DOORBELL_URL"),
            topic=self.topic,
            per_second=per_second,
            plate=plate,
        )

    def _child(self, module: str, **given: Any) -> Child:
        child = Child(f"tests.soak.{module}", self.log_dir / f"{module}-{len(self.children)}.log", **given)
        self.children.append(child)
        return child

    def ask_all(self, what: str, **given: Any) -> list[Any]:
        """Every crowd's answer; they work at the same time."""
        for crowd in self.crowds:
            crowd.order(what, **given)
        return [crowd.answer() for crowd in self.crowds]

    def replace(self, server: LiveServer) -> LiveServer:
        """Another process on the port of one that is gone, not ready yet."""
        port = int(server.url.rsplit(":", 1)[1])
        fresh = self.launcher.begin(self.database_url, *API, port=port, **SETTINGS, **self.env)
        self.servers[self.servers.index(server)] = fresh
        return fresh

    def table(self) -> list[int]:
        """The truth: the numbers of the topic in the order of the log."""
        query = "select (payload->>'odometerMeters')::int from event_log where topic = %s order by xid, seq"
        with psycopg.connect(self.database_url) as connection:
            return [row[0] for row in connection.execute(query, [self.topic])]

    def wait_until_level(self, last: int, seconds: float = LEVEL_SECONDS) -> float:
        """Seconds until everybody is connected and has the last number, or until patience ends: the verdict says who."""
        started = time.monotonic()
        while sum(one["level"] for one in self.ask_all("status", last=last)) < self.size:
            if time.monotonic() - started > seconds:
                break
            time.sleep(0.2)
        return time.monotonic() - started

    def judge(self, numbers: list[int]) -> tuple[Verdict, dict[str, Any]]:
        """The verdict on all, and what else is worth knowing of them."""
        total = Verdict()
        more: dict[str, Any] = {"deliveries": 0, "worst": "", "happened": {}}
        for found, status in zip(self.ask_all("judge", numbers=numbers), self.ask_all("status"), strict=True):
            total.add(Verdict(**found["verdict"]))
            more["deliveries"] += found["deliveries"]
            more["worst"] = more["worst"] or found["worst"]
            for name, count in status["happened"].items():
                more["happened"][name] = more["happened"].get(name, 0) + count
        return total, more

    def close(self) -> None:
        for child in self.children:
            child.close()


def resident_bytes(server: LiveServer) -> int:
    found: int = psutil.Process(server.process.pid).memory_info().rss
    return found


def peak_bytes(server: LiveServer) -> int:
    """The most that it has ever had in memory; what it has now, where the system does not keep that."""
    status = Path(f"/proc/{server.process.pid}/status")
    if not status.exists():
        return resident_bytes(server)
    return next(int(line.split()[1]) for line in status.read_text().splitlines() if line.startswith("VmHWM")) * 1024


def cpu_seconds(server: LiveServer) -> float:
    used = psutil.Process(server.process.pid).cpu_times()
    return float(used.user + used.system)
