"""Forks: processes of ours begun where everything is imported already, for tests that start many."""

from __future__ import annotations

import multiprocessing
import os
import signal
import subprocess
import sys
from pathlib import Path

#: tests are no package that is installed: whoever is forked finds them by this
_ROOT = str(Path(__file__).parent.parent)
if _ROOT not in sys.path:
    sys.path.append(_ROOT)
_forkserver = multiprocessing.get_context("forkserver")
# Importing is most of what a start costs, and the same for all.
_forkserver.set_forkserver_preload(["app.cli", "app.main", "app.worker"])


def _run(arguments: list[str], env: dict[str, str], written: tuple[str, str]) -> None:
    os.environ.clear()
    os.environ.update(env)
    for stream, path in enumerate(written, start=1):
        log = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND)
        os.dup2(log, stream)
        os.close(log)
    signal.signal(signal.SIGINT, signal.default_int_handler)
    sys.argv = ["nimrod", *arguments]
    from app.cli import main

    main()


class Fork:
    """The `nimrod` command with these arguments; as much of `subprocess.Popen` as tests need."""

    def __init__(self, *arguments: str, env: dict[str, str], log_path: Path, errors_path: Path | None = None) -> None:
        written = (str(log_path), str(errors_path or log_path))
        self._process = _forkserver.Process(target=_run, args=(list(arguments), env, written))
        self._process.start()
        assert self._process.pid is not None
        self.pid = self._process.pid

    @property
    def returncode(self) -> int | None:
        return self._process.exitcode

    def poll(self) -> int | None:
        return self._process.exitcode

    def wait(self, timeout: float | None = None) -> int:
        self._process.join(timeout)
        if (code := self._process.exitcode) is None:
            raise subprocess.TimeoutExpired("nimrod", timeout or 0)
        return code

    def send_signal(self, number: int) -> None:
        if self.poll() is None:
            os.kill(self.pid, number)

    def terminate(self) -> None:
        self.send_signal(signal.SIGTERM)

    def kill(self) -> None:
        self.send_signal(signal.SIGKILL)
