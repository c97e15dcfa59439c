"""What the public checks for GraphQL servers say of a live one: HTTP, code generators, linters, Relay, Apollo, urql."""

from __future__ import annotations

import fcntl
import hashlib
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from schema import printing
from tests.live import LiveServer
from tests.protocol import rss, targets

ROOT = Path(__file__).parent.parent.parent
CHECKS = Path(os.environ.get("CHECKS", ROOT.parent / "shared" / "checks"))
INSTALLED = ROOT / ".nimrod" / "checks"

pytestmark = [
    pytest.mark.skipif(shutil.which("node") is None, reason="Node.js is not installed"),
    pytest.mark.skipif(not CHECKS.is_dir(), reason=f"no conformance checks in {CHECKS} (CHECKS names another folder)"),
    pytest.mark.timeout(400),
]
AUDIENCES = ("customer", "ops")
#: what the schema does otherwise on purpose, each said in `schema/README.md`: lists that are no connections, and
#: connections that only go forward
EXPECTED_WARNINGS = {"graphql-eslint: flat/schema-relay"}


@pytest.fixture(scope="session")
def checks() -> Path:
    """A copy of the checks with their packages, installed once for every state of the lock file."""
    lock = (CHECKS / "package-lock.json").read_bytes()
    folder = INSTALLED / hashlib.sha256(lock).hexdigest()[:12]
    INSTALLED.mkdir(parents=True, exist_ok=True)
    with (INSTALLED / "lock").open("w") as alone:
        fcntl.flock(alone, fcntl.LOCK_EX)
        if not (folder / "node_modules" / ".package-lock.json").exists():
            folder.mkdir(exist_ok=True)
            for name in ("package.json", "package-lock.json"):
                shutil.copy(CHECKS / name, folder)
            installed = subprocess.run(
                ["npm", "ci", "--no-audit", "--no-fund"], cwd=folder, capture_output=True, text=True, check=False
            )
            if installed.returncode != 0:
                pytest.skip(f"the checks cannot be installed: {installed.stderr[-300:]}")
        for name in ("http_audit.mjs", "ecosystem.mjs", "ws_protocol.mjs", "lib"):
            if (CHECKS / name).is_dir():
                shutil.copytree(CHECKS / name, folder / name, dirs_exist_ok=True)
            else:
                shutil.copy(CHECKS / name, folder)
        if not (CHECKS / "lib" / "rss.py").exists():
            shutil.copy(rss.__file__, folder / "lib")
    return folder


def run_check(checks: Path, script: str, *arguments: str, token: str) -> list[str]:
    """Lines of what it warned of or passed over; fails when it found something wrong."""
    path = os.pathsep.join([str(Path(sys.executable).parent), os.environ["PATH"]])  # for its python3: ours
    environment = {**os.environ, "NIMROD_TOKEN": token, "NO_PROXY": "*", "PATH": path}
    done = subprocess.run(
        ["node", script, *arguments], cwd=checks, env=environment, capture_output=True, text=True, timeout=380, check=False
    )
    lines = done.stdout.splitlines()
    failures = [line for line in lines if line.startswith("FAIL")]
    assert done.returncode == 0, "\n".join(failures) or done.stderr[-2000:]
    return [line for line in lines if line.startswith(("WARN", "skip"))]


def token_of(server: LiveServer, audience: str) -> str:
    return server.rider_token if audience == "customer" else server.dispatcher_token


@pytest.mark.parametrize("audience", AUDIENCES)
def test_graphql_over_http(checks: Path, live_server: LiveServer, tmp_path: Path, audience: str) -> None:
    target = targets.prepare(live_server, audience, tmp_path)
    url = live_server.graphql_url
    assert run_check(checks, "http_audit.mjs", url, "--target", str(target), token=token_of(live_server, audience)) == []


def test_graphql_over_http_on_the_probe(checks: Path, probe_server: LiveServer) -> None:
    assert run_check(checks, "http_audit.mjs", probe_server.probe_url, "--target", str(targets.PROBE), token="") == []


def test_graphql_transport_ws(checks: Path, probe_server: LiveServer) -> None:
    arguments = (probe_server.probe_url, "--target", str(targets.PROBE), "--init-wait", "15")
    assert run_check(checks, "ws_protocol.mjs", *arguments, token="") == []
    unexpected = [line for line in probe_server.log.splitlines() if '"level":"error"' in line and not is_provoked(line)]
    assert unexpected == []


def is_provoked(line: str) -> bool:
    """The check asks for a field that crashes, and sends bytes that are no text."""
    return '"event":"masked error"' in line or "Invalid UTF-8" in line


@pytest.mark.parametrize("audience", AUDIENCES)
def test_clients_and_tools_of_the_ecosystem(checks: Path, live_server: LiveServer, tmp_path: Path, audience: str) -> None:
    target = targets.prepare(live_server, audience, tmp_path)
    sdl = printing.FOLDER / "schema.graphql"
    arguments = (live_server.graphql_url, "--target", str(target), "--sdl", str(sdl))
    warnings = run_check(checks, "ecosystem.mjs", *arguments, token=token_of(live_server, audience))
    assert [line for line in warnings if not any(expected in line for expected in EXPECTED_WARNINGS)] == []
