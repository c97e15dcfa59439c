"""Enums of trips and of what they cost, with every value described."""

from __future__ import annotations

from domain import tables
from schema.enums import describe

TripState = tables.TripState
describe(
    TripState,
    "State of a trip, as of a leg in TOMP-API 2.0.",
    PREPARING="Asked for: the deposit or the lock has not answered yet. Nothing is charged.",
    IN_USE="Under way, by the minute.",
    PAUSED="Locked in between, at the price of a pause.",
    ENDED="Over.",
    CANCELLED="Never began. Nothing is charged.",
)
TripStep = tables.TripStep
describe(
    TripStep,
    "What an open trip waits for.",
    AUTHORIZATION="The bank: the deposit is being held.",
    UNLOCK="The lock is opening.",
    PAUSE="The lock is closing; until then it is ridden.",
    RESUME="The lock is opening; until then it is paused.",
    RETURN="The lock is closing for good.",
)
TripEnd = tables.TripEnd
describe(
    TripEnd,
    "Why a trip is over, or never began.",
    RETURNED="The rider returned the vehicle.",
    EMERGENCY="The rider reported an emergency.",
    OPERATOR="The operator ended it.",
    LOCK_SILENT="The rider returned the vehicle, and its lock never said so: somebody looks at it.",
    UNLOCK_FAILED="The lock refused to open.",
    UNLOCK_TIMED_OUT="The lock did not answer.",
    AUTHORIZATION_DECLINED="The deposit was declined.",
    AUTHORIZATION_TIMED_OUT="The bank did not answer about the deposit.",
    RIDER="The rider gave up before it began.",
)
ReturnRefusal = tables.ReturnRefusal
describe(
    ReturnRefusal,
    "Why a vehicle may not be left as it stands.",
    PHOTO_MISSING="There is no photo of this trip that was uploaded and not used yet.",
    PHOTO_ELSEWHERE="The photo was taken elsewhere.",
    PHOTO_STALE="The photo was taken too early.",
    POSITION_VAGUE="The position is too vague: wait for a better one.",
    POSITION_DISAGREES="The vehicle says that it is elsewhere.",
    OUTSIDE_METRO="It stands outside the metro.",
    NO_PARKING_ZONE="It stands where no ride may end.",
    NOT_AT_STATION="Cars and vans are returned at a station, and there is none near.",
    STATION_FULL="The station has no free place.",
    CHARGER_NOT_PLUGGED_IN="The charger is not plugged in.",
    NOT_LOCKED="The lock could not close.",
)
PhotoPurpose = tables.PhotoPurpose
describe(
    PhotoPurpose,
    "What a photo is to show.",
    RETURN="How the vehicle was left.",
    FAULT="What is broken.",
)
PhotoState = tables.PhotoState
describe(
    PhotoState,
    "Where a photo stands.",
    REQUESTED="It may be uploaded.",
    STORED="It was uploaded and is a photo.",
)
ReceiptSource = tables.ReceiptSource
describe(
    ReceiptSource,
    "What a receipt is for.",
    TRIP="A trip.",
    CANCELLATION="A reservation that was cancelled late.",
    CREDIT_NOTE="What was charged before and is given back, in negative lines.",
)
LineKind = tables.LineKind
describe(
    LineKind,
    "What a line of a receipt is for.",
    UNLOCK="Unlocking.",
    RESERVATION="Having reserved it.",
    RIDING="Minutes ridden.",
    PAUSE="Minutes paused.",
    DAY_CAP="Less what minutes would have cost above the cap of a day; negative.",
    LATE_RETURN="The fine for a late return.",
    WRONG_PLACE="The fine for leaving it in a wrong place.",
    CANCELLATION="The fee for cancelling late.",
)
ChargeCategory = tables.ChargeCategory
describe(
    ChargeCategory,
    "Category of a charge, as in TOMP-API 2.0.",
    FARE="The price of the trip.",
    EXTRA_USAGE="Beyond what was booked.",
    FINE="For breaking a rule.",
    DAMAGE="For damage.",
    REFUND="Given back.",
    VOUCHER="Paid by a voucher.",
    CREDIT="Paid from credit.",
)
VatTreatment = tables.VatTreatment
describe(
    VatTreatment,
    "How a line stands to VAT.",
    STANDARD="VAT is in it.",
    OUT_OF_SCOPE="There is none.",
)
PaymentState = tables.PaymentState
describe(
    PaymentState,
    "Where a payment stands.",
    PENDING="The bank has not answered yet.",
    AUTHORIZED="Held, not taken.",
    SUCCEEDED="Taken.",
    FAILED="Refused.",
    CANCELLED="Let go.",
)
RefundState = tables.RefundState
describe(
    RefundState,
    "Where a refund stands.",
    PENDING="On its way.",
    SUCCEEDED="Given back.",
    FAILED="The bank could not take it; the operator looks after it.",
)
DisputeState = tables.DisputeState
describe(
    DisputeState,
    "What became of a payment that the rider's bank took back.",
    OPEN="Not decided.",
    WON="Decided for the operator.",
    LOST="Decided for the rider.",
)
FineKind = tables.FineKind
describe(FineKind, "What a fine is for.", LATE_RETURN="A late return.", WRONG_PLACE="Leaving the vehicle in a wrong place.")
FineState = tables.FineState
describe(
    FineState,
    "Where a fine stands.",
    ISSUED="It is on the receipt.",
    APPEALED="The rider objects; a person decides.",
    UPHELD="A person has decided that it stays.",
    WAIVED="A person has decided that it is given back.",
)
SupportType = tables.SupportType
describe(
    SupportType,
    "What is wrong, as in TOMP-API 2.0.",
    BROKEN_DOWN="It broke down.",
    NOT_AT_LOCATION="It is not where it is shown.",
    MISSING_AFTER_PAUSE="It is gone after a pause.",
    NOT_CLEAN="It is dirty.",
    NOT_AVAILABLE="It cannot be had although it is shown as free.",
    UNABLE_TO_OPEN="It does not open.",
    UNABLE_TO_CLOSE="It does not close.",
    ACCIDENT="There was an accident.",
    REPORT_DAMAGE="It is damaged.",
    REQUEST_ASSISTANCE="Somebody needs help.",
    OTHER="Something else; the comment says what.",
)
SupportPriority = tables.SupportPriority
describe(
    SupportPriority,
    "How bad it is, as in TOMP-API 2.0.",
    ERROR_CANNOT_CONTINUE="It cannot be ridden: it goes out of service.",
    ERROR_CAN_CONTINUE="Something is broken, and it can be ridden.",
    DISTURBING_ISSUE="It disturbs.",
    QUESTION="A question.",
    OTHER="Something else.",
)
DamagedPart = tables.DamagedPart
describe(
    DamagedPart,
    "Where it is damaged, as in TOMP-API 2.0.",
    FRONT="In front.",
    REAR="At the rear.",
    LEFT="On the left.",
    RIGHT="On the right.",
    TOP="On top.",
    BOTTOM="Below.",
    INTERIOR="Inside.",
    TIRE="A tire.",
    ANCILLARY="Something that belongs to it.",
    OTHER="Elsewhere.",
)
SupportState = tables.SupportState
describe(
    SupportState,
    "Where a report stands, as in TOMP-API 2.0.",
    ISSUE_OPEN="Nobody has closed it yet.",
    ISSUE_RESOLVED="It was mended, or answered.",
    ISSUE_REVOKED="There was nothing.",
)
EmergencyKind = tables.EmergencyKind
describe(
    EmergencyKind,
    "What kind of emergency.",
    ACCIDENT="A collision or a fall.",
    INJURY="Somebody is hurt.",
    FIRE="Fire or smoke.",
    THREAT="Somebody is threatened.",
    OTHER="Something else.",
)
