"""Resident megabytes of the process that listens on a port and of its children: `rss.py PORT`, as the checks ask for it."""

from __future__ import annotations

import sys

import psutil


def resident_megabytes(port: int) -> int:
    for process in psutil.process_iter():
        try:
            listening = {one.laddr.port for one in process.net_connections("inet") if one.status == psutil.CONN_LISTEN}
            if port in listening:
                return sum(one.memory_info().rss for one in (process, *process.children(recursive=True))) // 2**20
        except psutil.Error:
            continue
    raise SystemExit(f"nobody listens on {port}")


if __name__ == "__main__":
    sys.stdout.write(f"{resident_megabytes(int(sys.argv[1]))}\n")
