"""The command line: what it prints, and what it refuses in one line."""

from __future__ import annotations

import socket
from pathlib import Path

from tests import live
from tests.live import LiveServer


def test_a_served_city_is_ready_and_says_where_it_is(live_server: LiveServer) -> None:
    assert live_server.answers("/health/ready")
    assert live_server.graphql_url in live_server.log
    assert "rider@nimrod.example" in live_server.log


def test_serving_on_a_busy_port_is_one_clear_line(tmp_path: Path, database_url: str) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        done = live.run("serve", "--port", str(port), env=live.environment(tmp_path, database_url))
    assert done.returncode == 1
    assert done.stderr.strip().splitlines() == [f"Port {port} is busy: Address already in use. Choose another with --port."]


def test_production_without_a_signing_key_is_one_clear_line(tmp_path: Path, database_url: str) -> None:
    done = live.run("serve", env=live.environment(tmp_path, database_url, NIMROD_ENV="production"))
    assert done.returncode == 2
    (line,) = done.stderr.strip().splitlines()
    assert "NIMROD_SIGNING_KEY must be set in production" in line
