"""The command line: what it prints, and what it refuses in one line."""

from __future__ import annotations

import socket
import subprocess
import sys
from pathlib import Path

import httpx

from tests import live
from tests.databases import Databases
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


def test_production_refuses_the_probe_in_one_clear_line(tmp_path: Path, database_url: str) -> None:
    env = live.environment(tmp_path, database_url, NIMROD_ENV="production", NIMROD_SIGNING_KEY="k" * 32)
    done = live.run("serve", "--protocol-probe", env=env)
    assert done.returncode == 1
    assert done.stderr.strip() == "--protocol-probe is for conformance checks: production refuses it."


def test_a_token_opens_the_api(live_server: LiveServer) -> None:
    rider = live.run("token", "--email", "Rider@nimrod.example", env=live_server.environment())
    assert rider.returncode == 0, rider.stderr
    assert viewer(live_server, "customer", rider.stdout.strip()) == "rider@nimrod.example"
    staff = live.run("token", "--email", "dispatcher@nimrod.example", env=live_server.environment())
    assert viewer(live_server, "ops", staff.stdout.strip()) == "dispatcher@nimrod.example"


def test_a_token_for_nobody_is_refused(live_server: LiveServer) -> None:
    done = live.run("token", "--email", "rider@nimrod.example", "--ops", env=live_server.environment())
    assert done.returncode == 1
    assert done.stdout == ""
    assert done.stderr.strip() == "There is no member of staff with the email rider@nimrod.example."


def test_a_token_needs_a_database_with_tables(databases: Databases, tmp_path: Path) -> None:
    url = databases.clone("template1")
    done = live.run("token", "--email", "rider@nimrod.example", env=live.environment(tmp_path, url))
    databases.drop(url)
    assert done.returncode == 1
    assert done.stderr.strip() == "The database has no tables yet: run nimrod migrate, then nimrod seed."


def test_commands_for_people_start_without_the_machinery_of_a_server() -> None:
    heavy = {"sqlalchemy", "alembic", "fastapi", "pydantic_ai", "strawberry"}
    script = "import sys, app.cli, app.terminal.ask, app.terminal.watch; print(*sys.modules)"
    loaded = subprocess.run([sys.executable, "-c", script], cwd=live.ROOT, capture_output=True, text=True, check=True)
    assert heavy.isdisjoint(loaded.stdout.split())


def viewer(server: LiveServer, namespace: str, token: str) -> str:
    answer = httpx.post(
        server.graphql_url,
        json={"query": f"{{ {namespace} {{ viewer {{ email }} }} }}"},
        headers={"authorization": f"Bearer {token}"},
        trust_env=False,
    )
    email: str = answer.json()["data"][namespace]["viewer"]["email"]
    return email
