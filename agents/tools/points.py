"""Points of a trip as a model names them: a place id, or `here`. Never coordinates, which it could invent."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from pydantic_ai.exceptions import ToolFailed

from agents.deps import AgentDeps
from agents.tools.fates import to_be_corrected
from domain import errors, ids, places
from domain.values import LatLng

HERE = "here"


@dataclass(frozen=True, slots=True)
class Point:
    name: str
    position: LatLng

    def as_json(self) -> dict[str, Any]:
        return {"name": self.name, "lat": self.position.lat, "lon": self.position.lon}


async def find_point(deps: AgentDeps, reference: str) -> Point:
    """Raises ModelRetry for a malformed reference, NotFound for a place of another metro."""
    if reference.strip().casefold() == HERE:
        if deps.position is None:
            raise ToolFailed("The rider has not shared a position. Ask for a place to start from.")
        return Point("your position", deps.position)
    with to_be_corrected():
        place_id = ids.decode(reference, ids.PLACE, path="place")
    async with deps.session_factory() as session:
        place = await places.get_place(session, place_id)
    if place.metro_id != deps.turn.metro.id:
        raise errors.NotFound("There is no such place.")
    return Point(place.name, place.position)
