"""What can be wrong with riding and paying, as the public sees it; `schema.errors` says which domain error each stands for."""

from __future__ import annotations

from typing import Self

import strawberry
from strawberry import field

from domain import errors, ids
from schema import trip_enums
from schema.types.geo import LatLng
from schema.types.money import Money
from schema.types.stations import Station
from schema.user_error import UserError


@strawberry.type(description="The rider is on a trip already: one at a time.")
class TripOpenError(UserError):
    trip_id: strawberry.ID | None = field(description="That trip.")

    @classmethod
    def of(cls, error: errors.DomainError) -> Self:
        trip_id = strawberry.ID(ids.encode(ids.TRIP, error.trip_id)) if isinstance(error, errors.TripOpen) else None
        return cls(message=error.message, path=error.path, trip_id=trip_id)


@strawberry.type(description="The trip is over, or not at the point where this could be done: the message says which.")
class TripClosedError(UserError):
    pass


@strawberry.type(description="The lock is still answering to what was asked before: wait for the trip to change.")
class VehicleBusyError(UserError):
    pass


@strawberry.type(description="The vehicle cannot be left as it stands. The try is noted: if a later one passes there, it counts.")
class ReturnRefusedError(UserError):
    refusals: list[trip_enums.ReturnRefusal] = field(description="All that speaks against it, 11 at most.")
    nearest: LatLng | None = field(description="The nearest place where it may be left; null when none is known.")
    station: Station | None = field(description="The station there; null when it is none.")
    fine: Money | None = field(
        description="Leaving it here costs this: show it, then pass exactly it as `acceptedFine`. Null: not at any price."
    )

    @classmethod
    def of(cls, error: errors.DomainError) -> Self:
        if not isinstance(error, errors.ReturnRefused):
            return cls(message=error.message, path=error.path, refusals=[], nearest=None, station=None, fine=None)
        return cls(
            message=error.message,
            path=error.path,
            refusals=[trip_enums.ReturnRefusal(one) for one in error.refusals],
            nearest=None if error.nearest is None else LatLng(lat=error.nearest.lat, lon=error.nearest.lon),
            station=None if error.station is None else Station.of(error.station),
            fine=None if error.fine is None else Money.of(error.fine),
        )


@strawberry.type(description="There is no card to charge: add one first.")
class PaymentMethodRequiredError(UserError):
    pass


@strawberry.type(description="The card was refused: add another one.")
class PaymentMethodDeclinedError(UserError):
    pass


@strawberry.type(description="Something is owed: pay it, then ride on.")
class DebtOpenError(UserError):
    owed: Money | None = field(description="All that is owed in the currency of the metro.")
    receipt_ids: list[strawberry.ID] = field(description="For what, 100 at most: `payReceipt` pays them.")

    @classmethod
    def of(cls, error: errors.DomainError) -> Self:
        if not isinstance(error, errors.DebtOpen):
            return cls(message=error.message, path=error.path, owed=None, receipt_ids=[])
        receipt_ids = [strawberry.ID(ids.encode(ids.RECEIPT, one)) for one in error.receipt_ids[:100]]
        return cls(message=error.message, path=error.path, owed=Money.of(error.owed), receipt_ids=receipt_ids)


@strawberry.type(description="The fine cannot be appealed against, or not any more: the message says why.")
class FineClosedError(UserError):
    pass


@strawberry.type(description="The code is not good, or not any more.")
class PromotionClosedError(UserError):
    pass
