"""Interleavings: the same sentences as in the suite, tried for thousands of orders."""

from __future__ import annotations

import os

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from app.database import SessionFactory
from tests.resolvers import interleavings

pytestmark = [pytest.mark.soak, pytest.mark.timeout(1800)]
EXAMPLES = int(os.environ.get("NIMROD_SOAK_EXAMPLES", "3000"))


@settings(max_examples=EXAMPLES, deadline=None, suppress_health_check=list(HealthCheck))
@given(given_acts=st.lists(interleavings.acts, min_size=5, max_size=60))
async def test_every_event_once_in_order_or_the_gap_before_it(
    session_factory: SessionFactory, given_acts: list[interleavings.Act]
) -> None:
    await interleavings.hold(session_factory, given_acts)
