"""The trip machine: the same sentence as in the suite, for thousands of steps."""

from __future__ import annotations

import os

import pytest

from tests.databases import Databases
from tests.domain import trip_machine

pytestmark = [pytest.mark.soak, pytest.mark.timeout(3600)]
#: of 50 steps each
STORIES = int(os.environ.get("NIMROD_SOAK_STORIES", "200"))


def test_trips_hold_against_faulty_locks_and_a_faulty_bank(databases: Databases) -> None:
    trip_machine.hold(databases, examples=STORIES, steps=50, is_repeatable=False)
