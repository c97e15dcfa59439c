"""The real Mosquitto, one for a test, which can be killed and comes back with what it wrote down."""

from __future__ import annotations

import asyncio
import os
import shutil
import signal
import subprocess
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from app.gateways.mqtt import Address
from tests.live import free_port

MOSQUITTO = shutil.which("mosquitto", path=os.pathsep.join([os.environ.get("PATH", ""), "/usr/sbin", "/usr/local/sbin"]))


class Broker:
    def __init__(self, directory: Path, *lines: str) -> None:
        self.port = free_port()
        self._config = directory / "mosquitto.conf"
        #: written down at every change, so that it may be killed at any time
        own = ["persistence true", f"persistence_location {directory}/", "autosave_on_changes true", "autosave_interval 1"]
        listening = [f"listener {self.port} 127.0.0.1", "allow_anonymous true", *lines]
        self._config.write_text("\n".join([*own, *listening, ""]))
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def address(self) -> Address:
        return Address.parse(f"mqtt://127.0.0.1:{self.port}")

    async def start(self) -> None:
        assert MOSQUITTO is not None
        # As whoever it is started by: else it becomes another user, who may not read what tests write.
        user = ["user root"] if os.geteuid() == 0 else []
        if user and "user root" not in self._config.read_text():
            self._config.write_text("\n".join([*user, self._config.read_text()]))
        self._process = subprocess.Popen([MOSQUITTO, "-c", self._config], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)  # noqa: ASYNC220 it is there at once
        async with asyncio.timeout(60):
            while True:
                assert self._process.poll() is None, "the broker did not start"
                try:
                    _, writer = await asyncio.open_connection("127.0.0.1", self.port)
                except OSError:
                    await asyncio.sleep(0.02)
                else:
                    writer.close()
                    return

    def kill(self, how: signal.Signals = signal.SIGKILL) -> None:
        if self._process is not None:
            self._process.send_signal(how)
            self._process.wait(timeout=60)
            self._process = None


@asynccontextmanager
async def serving(directory: Path, *lines: str) -> AsyncIterator[Broker]:
    if MOSQUITTO is None:
        pytest.skip("Mosquitto is not installed: nothing is there to hear the orders.")
    broker = Broker(directory, *lines)
    await broker.start()
    try:
        yield broker
    finally:
        broker.kill()
