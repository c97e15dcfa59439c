"""Small values that every layer shares: vehicle types and states, money, positions, windows of time."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from math import asin, cos, radians, sin, sqrt

EARTH_RADIUS_METERS = 6_371_008.8
#: that we write to people in, as BCP 47 tags
LANGUAGES = ("en", "de", "fr", "it", "es")


class VehicleType(StrEnum):
    """GBFS form factors, with vans (a GBFS `car` with cargo capacity) kept apart."""

    SCOOTER_STANDING = "scooter_standing"
    BICYCLE = "bicycle"
    CAR = "car"
    VAN = "van"

    @property
    def is_micromobility(self) -> bool:
        """Scooters and bikes: held up to 30 minutes ahead, open-ended. Cars and vans: a fixed window, up to 7 days ahead."""
        return self in (VehicleType.SCOOTER_STANDING, VehicleType.BICYCLE)


class VehicleState(StrEnum):
    """MDS 2.0 vehicle states."""

    AVAILABLE = "available"
    RESERVED = "reserved"
    ON_TRIP = "on_trip"
    STOPPED = "stopped"
    NON_OPERATIONAL = "non_operational"
    REMOVED = "removed"
    NON_CONTACTABLE = "non_contactable"
    MISSING = "missing"
    ELSEWHERE = "elsewhere"


#: where no reservation may stay; `stopped` and `on_trip` are somebody's ride
OUT_OF_SERVICE = (VehicleState.NON_OPERATIONAL, VehicleState.REMOVED, VehicleState.MISSING, VehicleState.ELSEWHERE)


class ReservationState(StrEnum):
    """TOMP-API 2.0 package states."""

    CONFIRMED = "confirmed"
    STARTED = "started"
    ENDED = "ended"
    CANCELLED = "cancelled"
    EXPIRED = "expired"


class Weekday(StrEnum):
    MONDAY = "monday"
    TUESDAY = "tuesday"
    WEDNESDAY = "wednesday"
    THURSDAY = "thursday"
    FRIDAY = "friday"
    SATURDAY = "saturday"
    SUNDAY = "sunday"

    @property
    def iso(self) -> int:
        """Of ISO 8601, Monday is 1."""
        return list(Weekday).index(self) + 1

    @classmethod
    def of_iso(cls, day: int) -> Weekday:
        return list(cls)[day - 1]


class SavedPlaceKind(StrEnum):
    HOME = "home"
    WORK = "work"
    FAVOURITE = "favourite"


class LicenceState(StrEnum):
    NOT_SUBMITTED = "not_submitted"
    PENDING = "pending"
    VERIFIED = "verified"
    REJECTED = "rejected"
    EXPIRED = "expired"


class LicenceCategory(StrEnum):
    """Of the European Union, directive 2006/126/EC."""

    AM = "AM"
    A1 = "A1"
    A2 = "A2"
    A = "A"
    B1 = "B1"
    B = "B"
    BE = "BE"
    C1 = "C1"
    C1E = "C1E"
    C = "C"
    CE = "CE"
    D1 = "D1"
    D1E = "D1E"
    D = "D"
    DE = "DE"


class CancelCause(StrEnum):
    """Whose doing a cancellation was."""

    RIDER = "rider"
    OPERATOR = "operator"
    VEHICLE_WITHDRAWN = "vehicle_withdrawn"
    #: the lock, or the card, said no to who just unlocked
    UNLOCK_FAILED = "unlock_failed"


class FeeSettlement(StrEnum):
    """How a rider came out of the debt of a fee."""

    PAID = "paid"
    WAIVED = "waived"


class NotificationKind(StrEnum):
    """What riders are told. Instants in facts are ISO 8601 in UTC, ids are UUIDs, money is `minorUnits` and `currency`."""

    #: facts: `registrationId` (sealed into the link), `name`
    EMAIL_VERIFICATION = "email_verification"
    #: somebody registered with the address of an account. No facts
    ACCOUNT_EXISTS = "account_exists"
    #: facts: `resetId` (sealed into the link), `audience`: whose page the link leads to
    PASSWORD_RESET = "password_reset"  # noqa: S105 - the name of a kind
    #: no facts
    PASSWORD_CHANGED = "password_changed"  # noqa: S105 - the name of a kind
    #: facts: `isEnabled`
    SECOND_FACTOR_CHANGED = "second_factor_changed"
    #: a hold lapsed, or a booking ended that nobody used. Facts: `reservationId` `vehicleType` `plate` `startsAt`
    RESERVATION_EXPIRED = "reservation_expired"
    #: by staff. Facts: as before, and `reason`
    RESERVATION_CANCELLED = "reservation_cancelled"
    #: the vehicle was taken out of service. Facts: those of a reservation, and `alternatives`: at most three of
    #: `publishedVehicleId` `plate` `distanceMeters`
    VEHICLE_WITHDRAWN = "vehicle_withdrawn"
    #: facts: `commuteId` `name` `leaveAt` `arriveBy`
    COMMUTE_REMINDER = "commute_reminder"
    #: facts: `state`, and `reason` if refused
    LICENCE_DECIDED = "licence_decided"
    #: facts: `exportId` (sealed into the link), `expiresAt`
    EXPORT_READY = "export_ready"
    #: the vehicle has to be back soon. Facts: `tripId` `vehicleType` `plate` `dueAt`, `extendableUntil` of a booking,
    #: `alternatives` as of VEHICLE_WITHDRAWN to swap for
    RETURN_DUE = "return_due"
    #: facts: `receiptId` `number` `vehicleType` `plate` `totalMinor` `currency`
    RECEIPT_READY = "receipt_ready"
    #: facts: `receiptId` `number` `dueMinor` `currency`
    PAYMENT_FAILED = "payment_failed"
    #: money is on its way back. Facts: `receiptId` `number` `refundedMinor` `currency`
    REFUNDED = "refunded"
    #: facts: `fineId` `fineKind` `amountMinor` `currency` `appealUntil`
    FINE_ISSUED = "fine_issued"
    #: by a person. Facts: `fineId` `state` `reason`
    APPEAL_DECIDED = "appeal_decided"
    #: to the address that the account had. No facts
    ACCOUNT_ERASED = "account_erased"


class LegMode(StrEnum):
    """OpenTripPlanner leg modes."""

    WALK = "walk"
    BICYCLE = "bicycle"
    SCOOTER = "scooter"
    CAR = "car"

    @classmethod
    def of(cls, vehicle_type: VehicleType) -> LegMode:
        return {
            VehicleType.SCOOTER_STANDING: cls.SCOOTER,
            VehicleType.BICYCLE: cls.BICYCLE,
            VehicleType.CAR: cls.CAR,
            VehicleType.VAN: cls.CAR,
        }[vehicle_type]


@dataclass(frozen=True, slots=True)
class Money:
    minor_units: int
    currency: str


def is_storable(text: str) -> bool:
    """Whether PostgreSQL takes it: JSON can carry NUL characters and halves of surrogate pairs, a row cannot."""
    try:
        return b"\0" not in text.encode()
    except UnicodeEncodeError:
        return False


@dataclass(frozen=True, slots=True)
class LatLng:
    lat: float
    lon: float

    def meters_to(self, other: LatLng) -> float:
        """Great-circle distance (haversine, mean Earth radius)."""
        lat1, lat2 = radians(self.lat), radians(other.lat)
        half = sin((lat2 - lat1) / 2) ** 2 + cos(lat1) * cos(lat2) * sin(radians(other.lon - self.lon) / 2) ** 2
        return 2 * EARTH_RADIUS_METERS * asin(sqrt(half))


@dataclass(frozen=True, slots=True)
class Box:
    south: float
    west: float
    north: float
    east: float


@dataclass(frozen=True, slots=True)
class TimeWindow:
    """Half open: [starts_at, ends_at), both aware and in UTC."""

    starts_at: datetime
    ends_at: datetime
