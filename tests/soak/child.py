"""A child: a process of the suite's own that takes orders and answers them, one line of JSON each."""

from __future__ import annotations

import asyncio
import json
import subprocess
import sys
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import IO, Any

ROOT = Path(__file__).parents[2]
STOP_SECONDS = 20.0
LINE_BYTES = 256 * 1024 * 1024
Order = Callable[..., Awaitable[Any]]


class Child:
    """The parent's end: `ask("status", last=7)` is answered by what the child's `status` returns."""

    def __init__(self, module: str, log_path: Path, **given: Any) -> None:
        self._log = log_path.open("wb")
        self.process = subprocess.Popen(
            [sys.executable, "-m", module], cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=self._log
        )
        self._log_path = log_path
        self._write(given)

    def ask(self, what: str, /, **given: Any) -> Any:
        self.order(what, **given)
        return self.answer()

    def order(self, what: str, /, **given: Any) -> None:
        """The same in two steps, to let several children work at a time."""
        self._write({"what": what, **given})

    def answer(self) -> Any:
        line = _pipe(self.process.stdout).readline()
        if not line:
            raise ChildProcessError(self._log_path.read_text(errors="replace"))
        return json.loads(line)

    def close(self) -> None:
        _pipe(self.process.stdin).close()
        try:
            self.process.wait(STOP_SECONDS)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
        _pipe(self.process.stdout).close()
        self._log.close()

    def _write(self, message: dict[str, Any]) -> None:
        pipe = _pipe(self.process.stdin)
        pipe.write(json.dumps(message).encode() + b"\n")
        pipe.flush()


def _pipe(end: IO[bytes] | None) -> IO[bytes]:
    assert end is not None
    return end


async def orders() -> asyncio.StreamReader:
    """The child's end: what the parent writes."""
    reader = asyncio.StreamReader(limit=LINE_BYTES)
    await asyncio.get_running_loop().connect_read_pipe(lambda: asyncio.StreamReaderProtocol(reader), sys.stdin)
    return reader


async def obey(reader: asyncio.StreamReader, known: dict[str, Order]) -> None:
    """Answers every order until the parent hangs up."""
    while line := await reader.readline():
        given = json.loads(line)
        found = await known[given.pop("what")](**given)
        sys.stdout.write(json.dumps(found) + "\n")
        sys.stdout.flush()
