"""The benchmark: Nimrod's target through the peers' harness, where that folder is there."""

from __future__ import annotations

import json
import os
import shutil
import string
import subprocess
import sys
from pathlib import Path

from app.auth import AccessTokens
from app.gateways.clock import SystemClock
from domain import ids
from domain.actor import Actor, Audience, Role
from tests.bench import rows

ROOT = Path(__file__).parents[2]
HARNESS = Path(os.environ.get("BENCH", ROOT.parent / "shared" / "bench"))
WORK = ROOT / ".nimrod" / "bench"
SIGNING_KEY = "bench bench bench bench bench bench"  # a key for numbers, not for people


def harness() -> Path:
    """A copy that can be written to, with its peers set up."""
    copy = WORK / "harness"
    if not (copy / "bin" / "fanout").exists():
        shutil.rmtree(copy, ignore_errors=True)
        shutil.copytree(HARNESS, copy)
        for path in [copy, *copy.rglob("*")]:
            path.chmod(path.stat().st_mode | 0o200)
        print("Setting up the peers (some minutes, once) …", flush=True)  # noqa: T201
        subprocess.run(["./setup.sh"], cwd=copy, check=True, stdout=subprocess.DEVNULL)
    return copy


def target() -> Path:
    who = Actor(Audience.OPS, rows.STAFF, Role.DISPATCHER, session_id=rows.STAFF)
    token, _ = AccessTokens(SIGNING_KEY.encode(), SystemClock(), minutes=24 * 60).access_token(who)
    text = string.Template((Path(__file__).parent / "target.json").read_text()).safe_substitute(
        ROOT=ROOT,
        PYTHON=sys.executable,
        NIMROD=Path(sys.executable).parent / "nimrod",
        DATABASE_URL=rows.url(),
        DATA_DIR=WORK / "data",
        SIGNING_KEY=SIGNING_KEY,
        TOKEN=token,
        METRO=ids.encode(ids.METRO, rows.METRO),
    )
    WORK.mkdir(parents=True, exist_ok=True)
    made = WORK / "nimrod.json"
    made.write_text(json.dumps(json.loads(text), indent=1))
    return made


def main(arguments: list[str]) -> int:
    if not HARNESS.is_dir():
        print(f"The peer benchmark is not at {HARNESS}: set BENCH to its folder.", file=sys.stderr)  # noqa: T201
        return 1
    folder = harness()
    given = arguments or ["--peers", "mercurius,strawberry,raw,@", "--rounds", "3", "--seconds", "4", "--subscribers", "1000"]
    own = str(target())
    given = [argument.replace("@", own) for argument in given]
    return subprocess.run(
        [sys.executable, "run.py", *given, "--json", str(WORK / "result.json")], cwd=folder, check=False
    ).returncode


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
