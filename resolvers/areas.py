"""Areas: where riders look, with the limits of a circle and of a box, and the pages of what is ordered by distance."""

from __future__ import annotations

import struct
from uuid import UUID

from domain import errors, search
from domain.values import Box, LatLng
from resolvers.context import Ctx

NEAR_KEY = struct.Struct(">d16s")
MAX_BOX_DEGREES = 5.0


def around(near: LatLng, radius_meters: int, path: str) -> search.Area:
    """`path`: of the radius."""
    if not 1 <= radius_meters <= search.MAX_RADIUS_METERS:
        raise errors.InvalidInput.of(path, f"radiusMeters lies between 1 and {search.MAX_RADIUS_METERS}.")
    return search.Area.around(near, radius_meters)


def within(box: Box, path: str) -> search.Area:
    return search.Area.within(check_box(box, path))


def check_box(box: Box, path: str, *, max_degrees: float = MAX_BOX_DEGREES) -> Box:
    if not (box.south < box.north and box.west < box.east):
        raise errors.InvalidInput.of(path, "A box reaches from south to north and from west to east.")
    if not (box.north - box.south <= max_degrees and box.east - box.west <= max_degrees):
        raise errors.InvalidInput.of(path, f"A box spans {max_degrees:g} degrees at most.")
    return box


def near_key(ctx: Ctx, after: str) -> tuple[float, UUID]:
    """Distance and id of the last item of a page that is ordered by them."""
    key = ctx.runtime.cursors.key(after)
    if len(key) != NEAR_KEY.size:
        raise errors.InvalidInput.of("after", "after is a cursor of another list.")
    distance, last = NEAR_KEY.unpack(key)
    return distance, UUID(bytes=last)
