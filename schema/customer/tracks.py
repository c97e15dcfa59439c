"""Where a rider's trips have gone."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated

import strawberry
from strawberry import field

from domain import tracks as domain_tracks
from resolvers import tracks
from schema import access, errors, trip_errors
from schema.customer.reservations import CURSOR
from schema.customer.trips import TRIP
from schema.types.geo import LatLngInput
from schema.types.trips import Trip

ACCURACY = "How far off it may be, as phones say: two of three positions lie within."


@strawberry.input(description="Where the vehicle was at an instant.")
class TripPositionInput:
    at: datetime = field(description="When, by the clock of whoever says so.")
    position: LatLngInput = field(description="Where.")
    accuracy_meters: float = field(description=ACCURACY)


@strawberry.input(description="Where a trip went.")
class RecordTripPositionsInput:
    trip_id: strawberry.ID = field(description="A trip that has begun and is not over.")
    positions: list[TripPositionInput] = field(description="In any order, 1 to 100. An instant is recorded once.")


@strawberry.type(description="The positions are recorded, but for those that were before, and jumps that no vehicle makes.")
class RecordTripPositionsSuccess:
    trip: Trip = field(description=TRIP)
    cursor: str = field(description=CURSOR)


RecordTripPositionsResult = Annotated[
    RecordTripPositionsSuccess | trip_errors.TripClosedError | errors.InvalidInputError | errors.NotFoundError,
    strawberry.union("RecordTripPositionsResult", description="What recording positions can answer."),
]


@strawberry.type
class TrackMutations:
    @access.mutation(access.RIDERS, "Say where a trip has gone: its distance is told by that. Kept for 30 days.")
    async def record_trip_positions(
        self, info: strawberry.Info, input: Annotated[RecordTripPositionsInput, access.INPUT]
    ) -> RecordTripPositionsResult | None:
        fixes = [
            domain_tracks.Fix(one.at, one.position.value(f"positions.{number}.position"), one.accuracy_meters)
            for number, one in enumerate(input.positions)
        ]
        row, position = await tracks.record_trip_positions(info.context, trip_id=input.trip_id, positions=fixes)
        cursor = info.context.runtime.cursors.of_position(position)
        return RecordTripPositionsSuccess(trip=Trip.of(row, position), cursor=cursor)
