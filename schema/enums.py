"""Enums: the domain's own, with every value described."""

from __future__ import annotations

from enum import Enum

import strawberry
from strawberry.types.enum import StrawberryEnumDefinition

from domain import actor, channels, erasure, proposals, tables, values


def describe(members: type[Enum], description: str, *, name: str | None = None, **described: str) -> None:
    """Publishes an enum; names every value with its description and refuses to forget one."""
    strawberry.enum(members, name=name, description=description)
    definition: StrawberryEnumDefinition = members.__strawberry_definition__  # type: ignore[attr-defined]
    for value in definition.values:
        value.description = described.pop(value.name)
    if described:
        raise TypeError(f"{members.__name__} has no {', '.join(described)}")


VehicleType = values.VehicleType
describe(
    VehicleType,
    "Kind of vehicle, as in GBFS form factors.",
    SCOOTER_STANDING="Electric kick scooter. Held up to 30 minutes ahead, open-ended.",
    BICYCLE="Electrically assisted bicycle. Held up to 30 minutes ahead, open-ended.",
    CAR="Electric car. Booked for a fixed time, up to 7 days ahead.",
    VAN="Electric van; in GBFS a car with cargo capacity. Booked like a car.",
)
VehicleState = values.VehicleState
describe(
    VehicleState,
    "State of a vehicle, as in MDS 2.0.",
    AVAILABLE="In service and nobody's at the moment.",
    RESERVED="Held for a rider who has not unlocked it yet.",
    ON_TRIP="Being ridden.",
    STOPPED="In a rider's hands, standing (cars and vans).",
    NON_OPERATIONAL="Out of service where it stands.",
    REMOVED="Taken off the street.",
    NON_CONTACTABLE="Does not answer.",
    MISSING="Not where it should be.",
    ELSEWHERE="Outside the metro.",
)
ReservationState = values.ReservationState
describe(
    ReservationState,
    "State of a reservation, as in TOMP-API 2.0.",
    CONFIRMED="The vehicle is held.",
    STARTED="The vehicle has been unlocked.",
    ENDED="The trip is over.",
    CANCELLED="Given up before the start.",
    EXPIRED="Nobody came: the hold lapsed or the booked time passed.",
)
Weekday = values.Weekday
describe(
    Weekday,
    "A day of the week, by the clock of the metro.",
    MONDAY="The first of ISO 8601.",
    TUESDAY="The second.",
    WEDNESDAY="The third.",
    THURSDAY="The fourth.",
    FRIDAY="The fifth.",
    SATURDAY="The sixth.",
    SUNDAY="The seventh.",
)
SavedPlaceKind = values.SavedPlaceKind
describe(
    SavedPlaceKind,
    "What a saved place is to the rider.",
    HOME="Where the rider lives.",
    WORK="Where the rider works.",
    FAVOURITE="Any other.",
)
LicenceState = values.LicenceState
describe(
    LicenceState,
    "State of a driving licence.",
    NOT_SUBMITTED="There is none.",
    PENDING="It is being checked.",
    VERIFIED="Cars and vans may be booked to its last day.",
    REJECTED="It was not accepted.",
    EXPIRED="Its last day is over.",
)
LicenceCategory = values.LicenceCategory
describe(
    LicenceCategory,
    "Category of a driving licence, as in directive 2006/126/EC.",
    AM="Mopeds and light quadricycles.",
    A1="Light motorcycles.",
    A2="Motorcycles of medium power.",
    A="Motorcycles.",
    B1="Heavy quadricycles.",
    B="Cars and vans up to 3.5 t: what cars and vans of ours need.",
    BE="B with a heavy trailer.",
    C1="Lorries up to 7.5 t.",
    C1E="C1 with a heavy trailer.",
    C="Lorries.",
    CE="C with a heavy trailer.",
    D1="Buses with 16 seats at most.",
    D1E="D1 with a heavy trailer.",
    D="Buses.",
    DE="D with a heavy trailer.",
)
CancelCause = values.CancelCause
describe(
    CancelCause,
    "Whose doing a cancellation was.",
    RIDER="The rider gave the reservation up.",
    OPERATOR="The operator cancelled it; `cancelReason` says why.",
    VEHICLE_WITHDRAWN="The vehicle was taken out of service. Nothing is owed, and it does not count as an unused hold.",
    UNLOCK_FAILED="The vehicle did not unlock, or the deposit was declined. Nothing is owed, and it is no unused hold.",
)
FeeSettlement = values.FeeSettlement
describe(
    FeeSettlement,
    "How a rider came out of the debt of a fee.",
    PAID="The rider has paid it.",
    WAIVED="The operator has let it go.",
)
Role = actor.Role
describe(
    Role,
    "What an account may do.",
    RIDER="Rents vehicles.",
    TECHNICIAN="Works in the field: reports and repairs vehicles.",
    DISPATCHER="Steers a metro's fleet and helps riders.",
    ADMIN="May do everything in the ops namespace.",
)
TurnKind = tables.TurnKind
describe(
    TurnKind,
    "Why the agent speaks.",
    MESSAGE="It answers a message.",
    REPORT="It reports what a decision did.",
)
ProposalState = tables.ProposalState
describe(
    ProposalState,
    "State of a proposal.",
    PENDING="Waits for the rider's decision.",
    EXECUTED="Approved and done.",
    DECLINED="The rider said no.",
    SUPERSEDED="A newer proposal took its place.",
)
ProposalDecision = proposals.Decision
describe(
    ProposalDecision,
    "The rider's answer to a proposal.",
    name="ProposalDecision",
    APPROVE="Do exactly what is proposed.",
    DECLINE="Drop it.",
)
ExportState = tables.ExportState
describe(
    ExportState,
    "State of an archive.",
    REQUESTED="It is being built, or begun again after a fault.",
    READY="It may be downloaded.",
    FAILED="It could not be built. Ask for another.",
    EXPIRED="Its time is over and it is gone.",
)
ConsentPurpose = tables.ConsentPurpose
describe(
    ConsentPurpose,
    "What a consent is about.",
    TERMS="The terms of use. An account needs them.",
    PRIVACY_NOTICE="The privacy notice. An account needs it.",
    MARKETING="News and offers.",
    PUSH="Notifications on a device.",
    PERSONALIZATION="Suggestions from what the rider did before.",
)
ErasureBlockerCode = erasure.BlockerCode
describe(
    ErasureBlockerCode,
    "What keeps an account from being erased.",
    OPEN_TRIP="A vehicle is in the rider's hands.",
    OWED_FEE="The fee of a booking that was cancelled late is neither paid nor waived.",
    OWED_RECEIPT="The receipt of a trip is not paid yet.",
    LATE_BOOKING="A booking that cannot be cancelled for nothing any more.",
    OPEN_PAYMENT="Money that is on its way from or to a card.",
    OPEN_APPEAL="An appeal against a fine that nobody has decided yet.",
    OPEN_DISPUTE="A payment that the rider's bank disputes.",
)

NotificationKind = values.NotificationKind
describe(
    NotificationKind,
    "What riders are told.",
    EMAIL_VERIFICATION="Confirm the address, to open the account.",
    ACCOUNT_EXISTS="Somebody registered with the address of an account.",
    PASSWORD_RESET="A link to choose a new password was sent.",  # noqa: S106
    PASSWORD_CHANGED="The password was changed.",  # noqa: S106
    SECOND_FACTOR_CHANGED="The second factor was switched on or off.",
    RESERVATION_EXPIRED="A hold lapsed, or a booking ended that nobody used.",
    RESERVATION_CANCELLED="A reservation was cancelled for the rider.",
    VEHICLE_WITHDRAWN="The reserved vehicle was taken out of service.",
    COMMUTE_REMINDER="It is time to leave for a saved commute.",
    LICENCE_DECIDED="The driving licence was accepted, or not.",
    EXPORT_READY="The archive of all data about the rider is ready.",
    RETURN_DUE="The vehicle has to be back soon.",
    RECEIPT_READY="A receipt was issued.",
    PAYMENT_FAILED="A payment failed: what is owed has to be paid before the next trip.",
    REFUNDED="Money is on its way back.",
    FINE_ISSUED="A fine was issued; it may be appealed against.",
    APPEAL_DECIDED="A person has decided an appeal.",
    ACCOUNT_ERASED="The account is erased.",
)
NotificationCategory = channels.Category
describe(
    NotificationCategory,
    "What a rider may switch off or on as one.",
    name="NotificationCategory",
    ACCOUNT="Safety of the account, and links that were asked for. Mail about it cannot be switched off.",
    RESERVATIONS="What happens to reservations.",
    TRIPS="What concerns a trip while it lasts, such as when the vehicle has to be back.",
    PAYMENTS="Receipts, failed payments, refunds, fines and appeals. Mail about them cannot be switched off.",
    COMMUTES="Reminders of saved commutes.",
    MARKETING="Offers and news. Off unless it is switched on.",
)
NotificationChannel = channels.Channel
describe(
    NotificationChannel,
    "By which way a notification comes.",
    name="NotificationChannel",
    EMAIL="Mail to the address of the account.",
    SMS="Text message to the phone in the profile.",
    PUSH="Push message to the registered devices.",
)
PushPlatform = channels.PushPlatform
describe(
    PushPlatform,
    "What a device runs.",
    IOS="iOS or iPadOS.",
    ANDROID="Android.",
    WEB="A browser.",
)
DeliveryState = channels.DeliveryState
describe(
    DeliveryState,
    "Where a notification stands on one of its channels.",
    QUEUED="Waits for its next attempt, or is being sent.",
    SENT="Taken over by the server that carries it further.",
    FAILED="Refused for good, or too often.",
    SKIPPED="Not to be sent: switched off, nowhere to send it, or too late.",
)
