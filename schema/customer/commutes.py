"""The rider's commutes: saving, forgetting, and reserving for one at a tap."""

from __future__ import annotations

from datetime import time
from typing import Annotated
from uuid import UUID

import strawberry
from strawberry import UNSET, field

from domain import commutes as domain_commutes
from domain import ids
from resolvers import commutes
from schema import access, enums, errors
from schema.customer.reservations import CURSOR, KEY
from schema.types.commutes import Commute
from schema.types.geo import LatLngInput
from schema.types.reservations import Reservation


@strawberry.input(description="A point with a name.")
class LabelledPointInput:
    label: str = field(description="What the rider calls it, 1 to 100 characters.")
    position: LatLngInput = field(description="Where it is, within the metro.")


@strawberry.input(one_of=True, description="Where a commute begins or ends.")
class CommuteEndInput:
    saved_place_id: strawberry.ID | None = field(description="A saved place: the commute moves with it.", default=UNSET)
    point: LabelledPointInput | None = field(description="Any other point.", default=UNSET)

    def value(self, path: str) -> domain_commutes.End | UUID:
        if isinstance(self.point, LabelledPointInput):
            return domain_commutes.End(None, self.point.label, self.point.position.value(f"{path}.point.position"))
        return ids.decode(str(self.saved_place_id), ids.SAVED_PLACE, path=f"{path}.savedPlaceId")


@strawberry.input(description="A commute to save, or to change: all of it.")
class SaveCommuteInput:
    name: str = field(description="1 to 100 characters. One commute a name: saving another takes its place.")
    metro_id: strawberry.ID = field(description="The metro that both ends lie in.")
    origin: CommuteEndInput = field(description="Where it begins.")
    destination: CommuteEndInput = field(description="Where it ends.")
    days: list[enums.Weekday] = field(description="On which days; one at least.")
    arrive_by: time = field(description="When to be there, by the clock of the metro.")
    modes: list[enums.VehicleType] = field(description="Which vehicles will do; one at least.")
    reminder_minutes: int | None = field(
        default=None, description="How long before the departure to remind, 5 to 180; null for never."
    )
    is_paused: bool = field(default=False, description="True keeps it without departures and reminders.")
    id: strawberry.ID | None = field(default=None, description="Of the commute to change; a new one when left out.")

    def value(self) -> domain_commutes.Draft:
        return domain_commutes.Draft(
            name=self.name,
            metro_id=ids.decode(self.metro_id, ids.METRO, path="metroId"),
            origin=self.origin.value("origin"),
            destination=self.destination.value("destination"),
            days=[day.iso for day in self.days],
            arrive_by=self.arrive_by,
            modes=self.modes,
            reminder_minutes=self.reminder_minutes,
            is_paused=self.is_paused,
        )


@strawberry.type(description="The commute is saved.")
class SaveCommuteSuccess:
    commute: Commute = field(description="The commute.")


SaveCommuteResult = Annotated[
    SaveCommuteSuccess | errors.InvalidInputError | errors.NotFoundError,
    strawberry.union("SaveCommuteResult", description="What saving a commute can answer."),
]


@strawberry.input(description="A commute to forget.")
class ForgetCommuteInput:
    commute_id: strawberry.ID = field(description="The commute.")


@strawberry.type(description="The commute is forgotten.")
class ForgetCommuteSuccess:
    is_forgotten: bool = field(description="Always true.")


ForgetCommuteResult = Annotated[
    ForgetCommuteSuccess | errors.InvalidInputError | errors.NotFoundError,
    strawberry.union("ForgetCommuteResult", description="What forgetting a commute can answer."),
]


@strawberry.input(description="The commute to reserve a vehicle for, from now on.")
class ReserveForCommuteInput:
    commute_id: strawberry.ID = field(description="The commute.")
    idempotency_key: str = field(description=KEY)


@strawberry.type(description="The vehicle nearest to the origin that will do is held.")
class ReserveForCommuteSuccess:
    reservation: Reservation = field(description="The reservation.")
    cursor: str = field(description=CURSOR)


ReserveForCommuteResult = Annotated[
    ReserveForCommuteSuccess
    | errors.VehicleUnavailableError
    | errors.CoolDownError
    | errors.DrivingLicenceRequiredError
    | errors.InvalidInputError
    | errors.NotFoundError
    | errors.IdempotencyConflictError,
    strawberry.union("ReserveForCommuteResult", description="What reserving for a commute can answer."),
]


@strawberry.type
class CommuteMutations:
    @access.mutation(access.RIDERS, "Save a commute, or change it; 20 at most. The same again changes nothing.")
    async def save_commute(
        self, info: strawberry.Info, input: Annotated[SaveCommuteInput, access.INPUT]
    ) -> SaveCommuteResult | None:
        row = await commutes.save_commute(info.context, input.value(), commute_id=input.id)
        return SaveCommuteSuccess(commute=Commute.of(row, info.context.runtime.clock.now()))

    @access.mutation(access.RIDERS, "Forget a commute.")
    async def forget_commute(
        self, info: strawberry.Info, input: Annotated[ForgetCommuteInput, access.INPUT]
    ) -> ForgetCommuteResult | None:
        await commutes.forget_commute(info.context, commute_id=input.commute_id)
        return ForgetCommuteSuccess(is_forgotten=True)

    @access.mutation(
        access.RIDERS,
        "Reserve the nearest vehicle within 1,000 m of a commute's origin, from now on: a scooter or bike open-ended, a car or"
        " van for as long as the way takes.",
    )
    async def reserve_for_commute(
        self, info: strawberry.Info, input: Annotated[ReserveForCommuteInput, access.INPUT]
    ) -> ReserveForCommuteResult | None:
        row, position = await commutes.reserve_for_commute(
            info.context, commute_id=input.commute_id, idempotency_key=input.idempotency_key
        )
        cursor = info.context.runtime.cursors.of_position(position)
        return ReserveForCommuteSuccess(reservation=Reservation.of(row), cursor=cursor)
