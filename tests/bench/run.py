"""The benchmark: Nimrod's targets through the peers' harness, where that folder is there, beside the peers.

`nimrod` is the real schema; `nimrod-durable` and `nimrod-memory` are the probe's dispatch, which is the peers' event: the
one through the log, the other without, as the peers have it.
"""

from __future__ import annotations

import json
import os
import shutil
import string
import subprocess
import sys
from pathlib import Path

from domain import ids
from tests.bench import load, rows, servers
from tests.bench.servers import ROOT, WORK

HARNESS = Path(os.environ.get("BENCH", ROOT.parent / "shared" / "bench"))
#: `@` stands for the targets of ours
DEFAULT = ["--peers", "mercurius,strawberry,raw,@", "--rounds", "3", "--seconds", "4", "--subscribers", "1000,5000"]


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


def targets() -> list[Path]:
    """Those of ours, filled in."""
    WORK.mkdir(parents=True, exist_ok=True)
    given = {
        "ROOT": ROOT,
        "PYTHON": sys.executable,
        "DATABASE_URL": rows.url(),
        "DATA_DIR": WORK / "data",
        "SIGNING_KEY": servers.SIGNING_KEY,
        "TOKEN": load.token(),
        "METRO": ids.encode(ids.METRO, rows.METRO),
    }
    made = []
    for template in sorted((Path(__file__).parent / "targets").glob("*.json")):
        text = string.Template(template.read_text()).safe_substitute(given)
        made.append(WORK / template.name)
        made[-1].write_text(json.dumps(json.loads(text), indent=1))
    return made


def main(arguments: list[str]) -> int:
    if not HARNESS.is_dir():
        print(f"The peer benchmark is not at {HARNESS}: set BENCH to its folder. The peers are left out.")  # noqa: T201
        return 0
    folder = harness()
    given = arguments or DEFAULT
    own = ",".join(map(str, targets()))
    given = [argument.replace("@", own) for argument in given]
    return subprocess.run(
        [sys.executable, "run.py", *given, "--json", str(WORK / "result.json")], cwd=folder, check=False
    ).returncode


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
