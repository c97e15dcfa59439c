"""Returning the vehicle at the end of a ride."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy.ext.asyncio import AsyncSession

from domain import errors, ids, returns
from domain.values import LatLng, Money
from resolvers import trips
from resolvers.context import Ctx


async def return_vehicle(
    ctx: Ctx,
    *,
    trip_id: str,
    position: LatLng,
    accuracy_meters: float,
    photo_id: str | None,
    accepted_fine: Money | None,
    idempotency_key: str,
) -> trips.Outcome:
    """A try that is refused is written down all the same: if a later one passes there, the first one stops the meter."""
    photo = None if photo_id is None else ids.decode(photo_id, ids.PHOTO, path="photoId")
    given = {
        "position": [position.lat, position.lon, accuracy_meters],
        "photoId": photo_id,
        "acceptedFine": None if accepted_fine is None else [accepted_fine.minor_units, accepted_fine.currency],
    }

    async def act(session: AsyncSession, now: datetime) -> errors.ReturnRefused | None:
        return await returns.return_vehicle(
            session,
            ctx.who,
            trip_id=ids.decode(trip_id, *trips.PREFIXES),
            position=position,
            accuracy_meters=accuracy_meters,
            photo_id=photo,
            accepted_fine=accepted_fine,
            now=now,
        )

    return await trips.once(ctx, "return_vehicle", trip_id, idempotency_key, given, act)
