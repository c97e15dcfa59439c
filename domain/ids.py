"""Public ids: TypeIDs, a prefix naming the type and a UUIDv7 in 26 characters of Crockford base32.

Specification: jetify-com/typeid, version 0.3. `reservation_01j…` sorts by time of creation, is safe in a URL and readable
in a log. A prefix belongs to exactly one GraphQL type.
"""

from uuid import UUID

from uuid_utils.compat import uuid7

from domain import errors

_ALPHABET = "0123456789abcdefghjkmnpqrstvwxyz"
_VALUES = {letter: value for value, letter in enumerate(_ALPHABET)}
_PAIRS = [high + low for high in _ALPHABET for low in _ALPHABET]
_LENGTH = 26

METRO = "metro"
PLACE = "place"
STATION = "station"
ZONE = "zone"
VEHICLE = "vehicle"
FLEET_VEHICLE = "fleet_vehicle"
TARIFF = "tariff"
CUSTOMER = "customer"
STAFF = "staff"
SESSION = "session"
IDENTITY = "identity"
RESERVATION = "reservation"
OPS_RESERVATION = "ops_reservation"
SAVED_PLACE = "saved_place"
COMMUTE = "commute"
CONVERSATION = "conversation"
MESSAGE = "message"
TURN = "turn"
PROPOSAL = "proposal"
EXPORT = "export"
NOTIFICATION = "notification"
DELIVERY = "delivery"
TRIP = "trip"
OPS_TRIP = "ops_trip"
PHOTO = "photo"
RECEIPT = "receipt"
OPS_RECEIPT = "ops_receipt"
PAYMENT_METHOD = "payment_method"
PAYMENT = "payment"
FINE = "fine"
OPS_FINE = "ops_fine"
SUPPORT_TICKET = "support_ticket"
OPS_SUPPORT_TICKET = "ops_support_ticket"
INCIDENT = "incident"
OPS_INCIDENT = "ops_incident"


def new() -> UUID:
    return uuid7()


def encode(prefix: str, value: UUID) -> str:
    number = value.int
    pairs = _PAIRS
    return (
        f"{prefix}_"
        f"{pairs[number >> 120]}{pairs[number >> 110 & 1023]}{pairs[number >> 100 & 1023]}{pairs[number >> 90 & 1023]}"
        f"{pairs[number >> 80 & 1023]}{pairs[number >> 70 & 1023]}{pairs[number >> 60 & 1023]}{pairs[number >> 50 & 1023]}"
        f"{pairs[number >> 40 & 1023]}{pairs[number >> 30 & 1023]}{pairs[number >> 20 & 1023]}{pairs[number >> 10 & 1023]}"
        f"{pairs[number & 1023]}"
    )


def prefix_of(public_id: str) -> str:
    return public_id.rpartition("_")[0]


def decode(public_id: str, *prefixes: str, path: str = "id") -> UUID:
    """The UUID behind a public id that has one of `prefixes`.

    Raises InvalidInput naming the input field `path` when the text is no TypeID or is the id of another type.
    """
    prefix, _, suffix = public_id.rpartition("_")
    if prefix not in prefixes:
        expected = " or ".join(f"{name}_…" for name in prefixes)
        raise errors.InvalidInput.of(path, f"Expected an id like {expected}, got {public_id[:60]!r}.")
    number = 0
    if len(suffix) != _LENGTH or suffix[0] > "7":
        raise errors.InvalidInput.of(path, f"{public_id[:60]!r} is not a complete id: {_LENGTH} characters follow the prefix.")
    for letter in suffix:
        value = _VALUES.get(letter)
        if value is None:
            raise errors.InvalidInput.of(path, f"{public_id[:60]!r} has a character that no id contains: {letter!r}.")
        number = number << 5 | value
    return UUID(int=number)
