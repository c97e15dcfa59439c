"""Fines: as their rider sees them, and as staff do."""

from __future__ import annotations

from datetime import datetime

import strawberry
from strawberry import field

from domain import fines, ids
from resolvers import photos
from schema import fields, trip_enums
from schema.nodes import Node
from schema.types.geo import LatLng
from schema.types.money import Money

FineKind = trip_enums.FineKind
FineState = trip_enums.FineState
PHOTO = "How the vehicle was left, for ten minutes and for whoever has the link; null without a photo, or when it was forgotten."
_KIND = "What it is for."
_AMOUNT = "What it costs, VAT included if there is any."
_STATE = "Where it stands."
_EVIDENCE = "What it is based on."
_ISSUED = "When it was issued."
_UNTIL = "Until then, that instant included, the rider may appeal."
_APPEALED = "When the rider appealed; null: not at all."
_TEXT = "What the rider said; null: nothing."
_DECIDED = "When a person decided; null: nobody has."
_REASON = "Why it was decided so."


@strawberry.type(description="What a fine is based on. What does not concern its kind, or was forgotten, is null or empty.")
class FineEvidence:
    position: LatLng | None = field(description="Where the vehicle was left.")
    refusals: list[trip_enums.ReturnRefusal] = field(description="What spoke against leaving it there; 11 at most.")
    due_at: datetime | None = field(description="When it had to be back.")
    ended_at: datetime | None = field(description="When it was.")

    @classmethod
    def of(cls, row: fines.Fine) -> FineEvidence:
        facts, at = row.evidence, row.position
        return cls(
            position=None if at is None else LatLng(lat=at.lat, lon=at.lon),
            refusals=[trip_enums.ReturnRefusal(one) for one in facts.get("refusals") or ()],
            due_at=datetime.fromisoformat(facts["dueAt"]) if facts.get("dueAt") else None,
            ended_at=datetime.fromisoformat(facts["endedAt"]) if facts.get("endedAt") else None,
        )


@strawberry.type(description="What the rider was charged beside the fare of a trip.")
class Fine(Node):
    kind: FineKind = field(description=_KIND)
    amount: Money = field(description=_AMOUNT)
    state: FineState = field(description=_STATE)
    explanation: str | None = field(
        description="Why it was issued, in the rider's language and by the clock of the metro; null when that was forgotten."
    )
    evidence: FineEvidence = field(description=_EVIDENCE)
    trip_id: strawberry.ID = field(description="The trip.")
    receipt_id: strawberry.ID = field(description="The receipt on which it is a line.")
    issued_at: datetime = field(description=_ISSUED)
    appeal_until: datetime = field(description=_UNTIL)
    appealed_at: datetime | None = field(description=_APPEALED)
    appeal_text: str | None = field(description=_TEXT)
    decided_at: datetime | None = field(description=_DECIDED)
    decision_reason: str | None = field(description=_REASON)
    row: strawberry.Private[fines.Fine]

    @fields.resolved("Whether `appealFine` would take an appeal now.")
    def viewer_can_appeal(self, info: strawberry.Info) -> bool:
        return self.row.may_be_appealed(info.context.runtime.clock.now())

    @fields.resolved(PHOTO)
    def photo_url(self, info: strawberry.Info) -> str | None:
        return _photo_url(info, self.row)

    @classmethod
    def of(cls, row: fines.Fine) -> Fine:
        return cls(
            id=strawberry.ID(ids.encode(ids.FINE, row.id)),
            kind=row.kind,
            amount=Money.of(row.amount),
            state=row.state,
            explanation=row.explanation,
            evidence=FineEvidence.of(row),
            trip_id=strawberry.ID(ids.encode(ids.TRIP, row.trip_id)),
            receipt_id=strawberry.ID(ids.encode(ids.RECEIPT, row.receipt_id)),
            issued_at=row.issued_at,
            appeal_until=row.appeal_until,
            appealed_at=row.appealed_at,
            appeal_text=row.appeal_text,
            decided_at=row.decided_at,
            decision_reason=row.decision_reason,
            row=row,
        )


@strawberry.type(description="What a rider was charged beside the fare of a trip, as staff see it.")
class OpsFine(Node):
    kind: FineKind = field(description=_KIND)
    amount: Money = field(description=_AMOUNT)
    state: FineState = field(description=_STATE)
    evidence: FineEvidence = field(description=_EVIDENCE)
    trip_id: strawberry.ID = field(description="The trip.")
    receipt_id: strawberry.ID = field(description="The receipt on which it is a line.")
    customer_id: strawberry.ID = field(description="The rider.")
    issued_at: datetime = field(description=_ISSUED)
    appeal_until: datetime = field(description=_UNTIL)
    appealed_at: datetime | None = field(description=_APPEALED)
    appeal_text: str | None = field(description=_TEXT)
    decided_at: datetime | None = field(description=_DECIDED)
    decided_by_id: strawberry.ID | None = field(description="Who decided; null: nobody has.")
    decision_reason: str | None = field(description=_REASON)
    row: strawberry.Private[fines.Fine]

    @fields.resolved(PHOTO)
    def photo_url(self, info: strawberry.Info) -> str | None:
        return _photo_url(info, self.row)

    @classmethod
    def of(cls, row: fines.Fine) -> OpsFine:
        return cls(
            id=strawberry.ID(ids.encode(ids.OPS_FINE, row.id)),
            kind=row.kind,
            amount=Money.of(row.amount),
            state=row.state,
            evidence=FineEvidence.of(row),
            trip_id=strawberry.ID(ids.encode(ids.OPS_TRIP, row.trip_id)),
            receipt_id=strawberry.ID(ids.encode(ids.OPS_RECEIPT, row.receipt_id)),
            customer_id=strawberry.ID(ids.encode(ids.CUSTOMER, row.customer_id)),
            issued_at=row.issued_at,
            appeal_until=row.appeal_until,
            appealed_at=row.appealed_at,
            appeal_text=row.appeal_text,
            decided_at=row.decided_at,
            decided_by_id=strawberry.ID(ids.encode(ids.STAFF, row.decided_by)) if row.decided_by else None,
            decision_reason=row.decision_reason,
            row=row,
        )


def _photo_url(info: strawberry.Info, row: fines.Fine) -> str | None:
    if row.photo_id is None:
        return None
    runtime = info.context.runtime
    return photos.photo_url(runtime, row.photo_id, runtime.clock.now())
