"""Whatever the order of appends, commits, sweeps and resumes: nothing is lost, repeated or out of order without a word."""

from __future__ import annotations

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from app.database import SessionFactory
from tests.resolvers import interleavings


@settings(max_examples=50, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow])
@given(given_acts=st.lists(interleavings.acts, min_size=5, max_size=40))
async def test_every_event_once_in_order_or_the_gap_before_it(
    session_factory: SessionFactory, given_acts: list[interleavings.Act]
) -> None:
    await interleavings.hold(session_factory, given_acts)
