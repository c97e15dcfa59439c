"""The build of the page: npm and Vite, run only when a source has changed since the last one."""

import gzip
import hashlib
import re
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

from app.web.page import ASSETS_DIR, DIST_DIR

WEB_DIR = Path(__file__).parent
OLDEST_NODE = (20, 19)

_STAMP = DIST_DIR / ".stamp"
_SOURCES = ("package-lock.json", "package.json", "vite.config.ts", "tsconfig.json", "index.html", "build.py")
_PACKED_FROM_BYTES = 1024


def main(*, required: bool) -> int:
    """Exit code: without `required` a machine that cannot build the page still runs the API."""
    digest = _digest()
    if _STAMP.is_file() and _STAMP.read_text(encoding="ascii") == digest:
        _say("GraphiQL is up to date.")
        return 0
    if reason := _missing():
        _say(f"GraphiQL is not built: {reason}. The API works without it.")
        return int(required)
    started = time.monotonic()
    if failed := _run_npm():
        _say(f"GraphiQL is not built: `{failed}` failed. The API works without it.")
        return int(required)
    _pack()
    _STAMP.write_text(digest, encoding="ascii")
    _say(f"GraphiQL is built ({time.monotonic() - started:.0f} s).")
    return 0


def _digest() -> str:
    digest = hashlib.sha256()
    for path in _sources():
        content = path.read_bytes()
        digest.update(f"{path.relative_to(WEB_DIR)} {len(content)}\n".encode())
        digest.update(content)
    return digest.hexdigest()


def _sources() -> Iterator[Path]:
    yield from (WEB_DIR / name for name in _SOURCES)
    for folder in ("src", "examples"):
        yield from sorted(path for path in (WEB_DIR / folder).rglob("*") if path.is_file())


def _missing() -> str | None:
    wanted = ".".join(map(str, OLDEST_NODE))
    node = shutil.which("node")
    if node is None or shutil.which("npm") is None:
        return f"it needs Node.js {wanted} or newer with npm, and none is on the PATH"
    version = subprocess.run([node, "--version"], capture_output=True, text=True, check=False).stdout.strip()  # noqa: S603
    found = re.match(r"v(\d+)\.(\d+)", version)
    if found is None or (int(found[1]), int(found[2])) < OLDEST_NODE:
        return f"it needs Node.js {wanted} or newer, and this is {version or 'none that runs'}"
    return None


def _run_npm() -> str | None:
    """Answers the command that failed, after its output."""
    npm = shutil.which("npm") or "npm"
    for arguments in (["ci", "--no-audit", "--no-fund", "--loglevel=error"], ["run", "--silent", "build"]):
        done = subprocess.run(  # noqa: S603
            [npm, *arguments], cwd=WEB_DIR, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False
        )
        if done.returncode:
            _say(done.stdout.rstrip())
            return f"npm {' '.join(arguments)}"
    return None


def _pack() -> None:
    for path in list(ASSETS_DIR.iterdir()):
        if path.stat().st_size >= _PACKED_FROM_BYTES:
            Path(f"{path}.gz").write_bytes(gzip.compress(path.read_bytes(), compresslevel=9, mtime=0))


def _say(line: str) -> None:
    sys.stdout.write(f"{line}\n")


if __name__ == "__main__":
    sys.exit(main(required="--required" in sys.argv))
