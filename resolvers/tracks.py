"""Where trips have gone."""

from __future__ import annotations

from collections.abc import Sequence

from domain import ids, tracks, trips
from resolvers.context import Ctx
from resolvers.trips import PREFIXES, Outcome


async def record_trip_positions(ctx: Ctx, *, trip_id: str, positions: Sequence[tracks.Fix]) -> Outcome:
    """Needs no key: an instant is recorded once."""
    target = ids.decode(trip_id, *PREFIXES, path="tripId")
    async with ctx.runtime.transaction() as session:
        position, now = await trips.take_turn(session, target), ctx.runtime.clock.now()
        await tracks.record_positions(session, ctx.who, trip_id=target, positions=positions, now=now)
        return await trips.get_trip(session, ctx.who, target), position
