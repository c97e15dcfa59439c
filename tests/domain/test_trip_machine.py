"""Whatever riders, locks, the bank, sweeps and the clock do, and in whatever order: nothing is charged twice or forgotten."""

from __future__ import annotations

from tests.databases import Databases
from tests.domain import trip_machine


def test_trips_hold_against_faulty_locks_and_a_faulty_bank(databases: Databases) -> None:
    trip_machine.hold(databases, examples=8, steps=40, is_repeatable=True)
