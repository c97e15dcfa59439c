"""Fan-out: Nimrod's own measurements of its streams, for what the peers' harness does not ask.

The server has a core to itself; subscribers, publisher and database share the other. CPU is user and system time of the
server's process alone. Every delivery is counted and its number checked: a run in which one is missing, repeated or out
of order fails.

- `identical`, `distinct`: the next event when all have the last one; one operation id for all, as in the peers' harness,
  or a UUID each, as browsers have.
- `window`: 500 events per second, evenly, whether or not they were answered, with a window of 2 ms. Subscribers read by the
  clock: 500,000 deliveries a second are more than one process of Python takes one by one. Deliveries per second below
  subscribers times events say that the machine could not keep up.
- `latency`: from commit to each delivery, 10 events per second. The server writes the instant at which its commit
  returned into the answer of the mutation, on the machine's monotonic clock, which this process shares. So the way of the
  request is left out; the bell, the reader, the execution, the write and the reading here are in. The bells of
  PostgreSQL and of Redis leave the process and come back; the one in memory stays inside. Nothing else may write to the
  cluster meanwhile: the log waits for the oldest open transaction of all its databases.
- `memory`: what the server's resident memory has grown by per subscription that waits.
- `durable`: what the log costs: CPU per event with it less CPU per event without, in turns.
"""

from __future__ import annotations

import argparse
import asyncio
import socket
import statistics
import sys
from collections.abc import AsyncIterator, Callable

import uvloop
from rich.console import Console
from rich.table import Table

from tests.bench import load, rows, servers

EVENTS_PER_SECOND = 500
WINDOW_MILLISECONDS = "2"
LATENCY_EVENTS_PER_SECOND = 10
BELLS = {"memory": "memory://", "PostgreSQL": "", "Redis": "redis://127.0.0.1:6379"}
#: how often with and without the log take turns
TURNS = 3
IDLE_SECONDS = 1.0
#: measurement, subscribers, and what came out
Row = tuple[str, int, str, str, str]
COLUMNS = ("measurement", "subscribers", "server CPU", "deliveries/s", "p50 / p99 ms")


def _row(name: str, run: load.Load, usage: load.Usage) -> Row:
    latencies = run.latencies()
    shown = f"{load.quantile(latencies, 0.5):.2f} / {load.quantile(latencies, 0.99):.2f}"
    cost = f"{usage.per_delivery:.2f} µs a delivery"
    return name, len(run.subscribers), cost, f"{usage.deliveries / usage.seconds:,.0f}", shown


async def identical(subscribers: list[int], seconds: float) -> AsyncIterator[Row]:
    for count in subscribers:
        for mode in ("memory", "durable"):
            with servers.serving() as server:
                async with load.following(server, mode, count) as run:
                    yield _row(f"{mode}, one operation id", run, await run.one_by_one(seconds))


async def distinct(subscribers: list[int], seconds: float) -> AsyncIterator[Row]:
    for count in subscribers:
        with servers.serving() as server:
            async with load.following(server, "memory", count, distinct=True) as run:
                yield _row("memory, distinct operation ids", run, await run.one_by_one(seconds))


async def window(subscribers: list[int], seconds: float) -> AsyncIterator[Row]:
    for milliseconds in (WINDOW_MILLISECONDS, "0"):
        with servers.serving(NIMROD_STREAM_WINDOW_MILLISECONDS=milliseconds) as server:
            count = subscribers[0]
            # Without a window one core cannot carry as many: it is asked for a fifth.
            rate = EVENTS_PER_SECOND if milliseconds != "0" else EVENTS_PER_SECOND / 5
            async with load.following(server, "memory", count) as run, run.sweeping():
                usage = await run.evenly(seconds, rate)
                name, _, cost, speed, _ = _row(f"memory, {milliseconds} ms window, {rate:g} events/s", run, usage)
                yield name, count, cost, speed, ""


async def latency(subscribers: list[int], seconds: float) -> AsyncIterator[Row]:
    for name, url in BELLS.items():
        if url.startswith("redis") and not _answers(6379):
            print(f"No Redis answers: {name} was not measured.", flush=True)  # noqa: T201
            continue
        with servers.serving(NIMROD_DOORBELL_URL=url) as server:
            async with load.following(server, "durable", subscribers[0]) as run:
                usage = await run.evenly(max(seconds, 10.0), LATENCY_EVENTS_PER_SECOND)
                yield _row(f"commit to delivery, {name} bell", run, usage)


def _answers(port: int) -> bool:
    with socket.socket() as tried:
        return tried.connect_ex(("127.0.0.1", port)) == 0


async def memory(subscribers: list[int], seconds: float) -> AsyncIterator[Row]:
    for count in subscribers:
        with servers.serving() as server:
            before = server.resident_kib()
            run = await load.idling(server, "durable", count)
            await asyncio.sleep(IDLE_SECONDS)
            grown = (server.resident_kib() - before) / count
            run.close()
            yield "resident memory, idle", count, f"{grown:.1f} KiB a subscription", "", ""


async def durable(subscribers: list[int], seconds: float) -> AsyncIterator[Row]:
    for count in (1, subscribers[0]):
        costs: dict[str, list[float]] = {"durable": [], "memory": []}
        for _ in range(TURNS):
            for mode, found in costs.items():
                with servers.serving() as server:
                    async with load.following(server, mode, count) as run:
                        found.append((await run.one_by_one(seconds)).per_event)
        more = statistics.median(costs["durable"]) - statistics.median(costs["memory"])
        shown = " and ".join(f"{statistics.median(found):.2f}" for found in costs.values())
        yield "durable less memory", count, f"{more:.2f} ms an event ({shown})", "", ""


MEASUREMENTS: dict[str, Callable[[list[int], float], AsyncIterator[Row]]] = {
    one.__name__: one for one in (identical, distinct, window, latency, memory, durable)
}


async def _measure(names: list[str], subscribers: list[int], seconds: float) -> Table:
    table = Table(*COLUMNS, title="Nimrod's own fan-out")
    with servers.alone_on_its_core():
        for name in names:
            async for row in MEASUREMENTS[name](subscribers, seconds):
                print(*row, sep=" | ", flush=True)  # noqa: T201
                table.add_row(*map(str, row))
    return table


def main(arguments: list[str]) -> None:
    parser = argparse.ArgumentParser(description="Measures Nimrod's streams.")
    parser.add_argument("--only", default=",".join(MEASUREMENTS), help="measurements, separated by commas")
    parser.add_argument("--subscribers", default="1000,5000", help="numbers of them, separated by commas")
    parser.add_argument("--seconds", type=float, default=3.0, help="length of each measurement")
    given = parser.parse_args(arguments)
    rows.make()
    rows.clean()
    counts = [int(count) for count in given.subscribers.split(",")]
    table = uvloop.run(_measure(given.only.split(","), counts, given.seconds))
    rows.clean()
    Console().print(table)


if __name__ == "__main__":
    main(sys.argv[1:])
