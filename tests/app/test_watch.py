"""Watching from the terminal: a second process sees what the first one did."""

from __future__ import annotations

import json
import signal
import subprocess
from functools import partial
from typing import Any

from tests import live
from tests.live import Launcher, LiveServer

BOOK = "Book a bike from Central Station to the Museum"


class Watching:
    """A `nimrod watch` whose standard output is read line by line."""

    def __init__(self, server: LiveServer, *arguments: str, urls: str | None = None) -> None:
        self.process = subprocess.Popen(
            [*live.COMMAND, "watch", "--url", urls or server.graphql_url, *arguments],
            cwd=live.ROOT,
            env=server.environment(),
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            stdin=subprocess.DEVNULL,
            text=True,
            # A shell that runs this in the background has its children ignore it.
            preexec_fn=partial(signal.signal, signal.SIGINT, signal.SIG_DFL),
        )
        assert self.process.stderr is not None
        self.greeting = self.process.stderr.readline()

    def line(self) -> str:
        assert self.process.stdout is not None
        return self.process.stdout.readline().rstrip("\n")

    def end(self) -> tuple[str, int]:
        """What it says after Ctrl-C, and how it ends."""
        self.process.send_signal(signal.SIGINT)
        output, complaint = self.process.communicate(timeout=60)
        return output + complaint, self.process.returncode


def book(server: LiveServer) -> str:
    """The plate."""
    done = live.run("ask", BOOK, "--yes", "--url", server.graphql_url, env=server.environment(NIMROD_TOKEN=server.rider_token))
    assert done.returncode == 0, done.stdout + done.stderr
    return next(line.split("│")[2].strip() for line in done.stdout.splitlines() if "Plate" in line)


def test_a_reservation_is_seen_by_dispatch(live_server: LiveServer) -> None:
    watching = Watching(live_server)
    assert watching.greeting.startswith("Watching Nimburg")
    plate = book(live_server)
    shown = [watching.line(), watching.line()]
    assert all(plate in line for line in shown)
    assert {"reservation", "vehicle"} == {line.split()[1] for line in shown}
    said, code = watching.end()
    assert "Traceback" not in said
    assert code == 0


def test_json_lines_carry_cursors_to_go_on_from(live_server: LiveServer) -> None:
    watching = Watching(live_server, "--json")
    plates = [book(live_server), book(live_server)]
    events: list[dict[str, Any]] = [json.loads(watching.line()) for _ in range(4)]
    watching.end()
    assert [event["plate"] for event in events] == [plates[0]] * 2 + [plates[1]] * 2
    resumed = Watching(live_server, "--json", "--after", events[1]["cursor"])
    assert [json.loads(resumed.line()) for _ in range(2)] == events[2:]
    resumed.end()


def test_a_stream_goes_on_at_the_next_server(live_server: LiveServer, serve: Launcher) -> None:
    first, second = serve(live_server.database_url, "--no-worker"), live_server
    watching = Watching(first, urls=f"{first.graphql_url},{second.graphql_url}")
    plate = book(second)
    assert plate in watching.line()
    first.kill()
    another = book(second)
    assert plate in watching.line()
    assert another in watching.line()
    said, code = watching.end()
    assert "Trying again" in said
    assert code == 0


def test_riders_may_not_watch(live_server: LiveServer) -> None:
    env = live_server.environment(NIMROD_TOKEN=live_server.rider_token)
    done = live.run("watch", "--url", live_server.graphql_url, env=env)
    assert done.returncode == 1
    assert len(done.stderr.strip().splitlines()) == 1
    assert "FORBIDDEN" in done.stderr
