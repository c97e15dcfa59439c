"""Stuck readers: sockets that never read cost nobody anything, and are gone soon."""

from __future__ import annotations

import contextlib
import socket
import time
from collections.abc import Callable, Iterator

import psutil
import pytest

from tests.live import Launcher, LiveServer
from tests.soak import frames
from tests.soak.conftest import Report
from tests.soak.scene import API, SECONDS, SETTINGS, SUBSCRIBERS, Scene, resident_bytes

pytestmark = [pytest.mark.soak, pytest.mark.timeout(600)]

STUCK = 30
#: letters in an event, which fill what a socket may hold in some seconds
PLATE = 2000
#: as schema/STREAMS.md has it: nothing taken for so long while events wait
STATED_SECONDS = 10.0
#: until its buffers are full, and for a busy machine
FILL_SECONDS = 15.0
PHASE_SECONDS = max(SECONDS / 2, 30.0)
#: beyond what the server had before: the buffers of all of them, and room for the allocator
LIMIT_BYTES = 64 << 20
LOOK_SECONDS = 0.25


@contextlib.contextmanager
def stuck_readers(scene: Scene, count: int) -> Iterator[list[socket.socket]]:
    """Sockets that have subscribed and never read again."""
    made: list[socket.socket] = []
    after = scene.metro_now()["cursor"]
    try:
        for _ in range(count):
            made.append(_stuck(scene, after))
        yield made
    finally:
        for one in made:
            one.close()


def _stuck(scene: Scene, after: str) -> socket.socket:
    port = int(scene.servers[0].url.rsplit(":", 1)[1])
    own = socket.socket()
    own.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
    own.settimeout(20)
    own.connect(("127.0.0.1", port))
    own.sendall(frames.handshake(port))
    heard = b""
    while b"\r\n\r\n" not in heard:
        heard += own.recv(1024)
    own.sendall(frames.connection_init(scene.token))
    while b"connection_ack" not in heard:
        heard += own.recv(1024)
    own.sendall(frames.subscribe(scene.metro["id"], after))
    return own


def connected(server: LiveServer, peers: list[socket.socket]) -> int:
    """How many of them the server still holds a socket for."""
    ours = {peer.getsockname()[1] for peer in peers}
    held = psutil.Process(server.process.pid).net_connections("tcp")
    return len([one for one in held if one.status == psutil.CONN_ESTABLISHED and one.raddr.port in ours])


def _most_resident(server: LiveServer, seconds: float, look: Callable[[], None] = lambda: None) -> int:
    most, until = 0, time.monotonic() + seconds
    while time.monotonic() < until:
        most = max(most, resident_bytes(server))
        look()
        time.sleep(LOOK_SECONDS)
    return most


def test_stuck_readers_cost_nobody_anything(
    serve: Launcher, soak_database: str, stage: Callable[..., Scene], report: Report
) -> None:
    server = serve(soak_database, *API, **SETTINGS)
    scene = stage(server)
    scene.gather(SUBSCRIBERS)
    publisher = scene.publisher(plate=PLATE)
    publisher.ask("go")
    without = _most_resident(server, PHASE_SECONDS)
    committed_without = publisher.ask("stop")["committed"]
    gone: list[float] = []
    with stuck_readers(scene, STUCK) as stuck:
        assert connected(server, stuck) == STUCK
        publisher.ask("go")
        since = time.monotonic()

        def look() -> None:
            gone.extend([time.monotonic() - since] * (STUCK - len(gone) - connected(server, stuck)))

        beside = _most_resident(server, PHASE_SECONDS, look)
        committed = publisher.ask("stop")["committed"][len(committed_without) :]
    numbers = scene.table()
    scene.wait_until_level(numbers[-1])
    verdict, more = scene.judge(numbers)
    quiet, busy = (scene.ask_all("latency", committed=one)[0] for one in (committed_without, committed))
    report(
        subscribers=SUBSCRIBERS,
        stuck=STUCK,
        **more,
        **vars(verdict),
        first_gone_after_seconds=min(gone, default=0.0),
        last_gone_after_seconds=max(gone, default=0.0),
        server_mib_without=without / 2**20,
        server_mib_beside_the_stuck=beside / 2**20,
        p50_ms_without=quiet[0],
        p50_ms_beside_the_stuck=busy[0],
        p99_ms_without=quiet[1],
        p99_ms_beside_the_stuck=busy[1],
    )
    assert verdict.is_clean, more["worst"]
    assert more["happened"] == {}, "nobody healthy was cut off"
    assert len(gone) == STUCK
    assert max(gone) < STATED_SECONDS + FILL_SECONDS
    assert beside - without < LIMIT_BYTES
