"""Fines: what a rider is charged beside the fare, with what shows why; appeals against them, which a person decides."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from sqlalchemy import Row, Select, select, tuple_
from sqlalchemy.ext.asyncio import AsyncSession

from domain import credit_notes, errors, ids, meters, notifications, profiles, receipts, refunds, tables, wording
from domain.actor import Actor, Audience
from domain.tables import FineKind, FineState, LineKind
from domain.values import LatLng, Money, NotificationKind, is_storable

MAX_APPEAL_LENGTH = 2000
MAX_REASON_LENGTH = 500

_ROWS = tables.Fine


@dataclass(frozen=True, slots=True)
class Fine:
    id: UUID
    trip_id: UUID
    customer_id: UUID
    metro_id: UUID
    receipt_id: UUID
    kind: FineKind
    amount: Money
    state: FineState
    photo_id: UUID | None
    #: see `tables.Fine`
    evidence: dict[str, Any]
    issued_at: datetime
    #: that instant included
    appeal_until: datetime
    appealed_at: datetime | None
    appeal_text: str | None
    decided_by: UUID | None
    decided_at: datetime | None
    decision_reason: str | None
    #: whom it is explained to
    reader: wording.Reader

    @property
    def explanation(self) -> str | None:
        """In the rider's language; None when what it stands on is forgotten."""
        if self.kind is FineKind.WRONG_PLACE:
            facts = {"refusal": next(iter(self.evidence.get("refusals") or ["other"]))}
        elif {"dueAt", "endedAt"} <= self.evidence.keys():
            facts = {name: self.evidence[name] for name in ("dueAt", "endedAt")}
        else:
            return None
        return wording.common(f"fine_{self.kind}", self.reader, facts)

    @property
    def position(self) -> LatLng | None:
        """Where the vehicle was left."""
        lat, lon = self.evidence.get("lat"), self.evidence.get("lon")
        return None if lat is None or lon is None else LatLng(lat, lon)

    def may_be_appealed(self, now: datetime) -> bool:
        return self.state is FineState.ISSUED and now <= self.appeal_until


async def issue(
    session: AsyncSession,
    *,
    trip: tables.Trip,
    receipt: tables.Receipt,
    bill: meters.Bill,
    evidence: Mapping[FineKind, dict[str, Any]],
    photo_id: UUID | None,
    now: datetime,
) -> None:
    """One for each line of the bill that is a fine, in the transaction that charges it. `evidence`: plain JSON, what the trip
    itself does not say."""
    fined = [line for line in bill.lines if line.kind in credit_notes.FINES and line.amount_minor > 0]
    if not fined:
        return
    days = (await session.execute(select(tables.Metro.appeal_days).where(tables.Metro.id == trip.metro_id))).scalar_one()
    for line in fined:
        kind = FineKind(line.kind.value)
        row = _ROWS(
            id=ids.new(),
            trip_id=trip.id,
            customer_id=trip.customer_id,
            metro_id=trip.metro_id,
            receipt_id=receipt.id,
            kind=kind,
            amount_minor=line.amount_minor,
            currency=receipt.currency,
            state=FineState.ISSUED,
            photo_id=photo_id,
            evidence=_of_trip(trip, kind) | evidence.get(kind, {}),
            issued_at=now,
            appeal_until=now + timedelta(days=days),
        )
        session.add(row)
        await session.flush()
        facts = {
            "fineId": str(row.id),
            "fineKind": kind,
            "amountMinor": row.amount_minor,
            "currency": row.currency,
            "appealUntil": row.appeal_until.isoformat(),
        }
        await _tell(session, row, NotificationKind.FINE_ISSUED, facts, now)


def _of_trip(trip: tables.Trip, kind: FineKind) -> dict[str, Any]:
    if kind is FineKind.WRONG_PLACE:
        return {"lat": trip.end_lat, "lon": trip.end_lon}
    return {} if trip.ended_at is None else {"endedAt": trip.ended_at.isoformat()}


async def _tell(session: AsyncSession, row: tables.Fine, kind: NotificationKind, facts: dict[str, Any], now: datetime) -> None:
    given: dict[str, Any] = {"customer_id": row.customer_id, "metro_id": row.metro_id, "facts": facts, "now": now}
    await notifications.notify(session, kind, key=f"{kind}:{row.id}", **given)


async def _lock(session: AsyncSession, fine_id: UUID) -> tables.Fine:
    row = await session.get(_ROWS, fine_id, with_for_update=True, populate_existing=True)
    if row is None:
        raise errors.NotFound("There is no such fine.", path="fineId")
    return row


async def appeal_fine(session: AsyncSession, who: Actor, *, fine_id: UUID, text: str, now: datetime) -> None:
    """Once, until its time is over, that instant included; a person decides. Raises InvalidInput, NotFound, FineClosed."""
    if not (text.strip() and len(text) <= MAX_APPEAL_LENGTH and is_storable(text)):
        raise errors.InvalidInput.of("text", f"An appeal has 1 to {MAX_APPEAL_LENGTH:,} characters.")
    await profiles.hold_rider(session, who)
    row = await _lock(session, fine_id)
    if row.customer_id != who.account_id:
        raise errors.NotFound("There is no such fine.", path="fineId")
    if row.state is not FineState.ISSUED:
        raise errors.FineClosed(f"The fine is {row.state}: it is appealed against once.", path="fineId")
    if now > row.appeal_until:
        raise errors.FineClosed(f"It could be appealed against until {row.appeal_until:%Y-%m-%dT%H:%M:%SZ}.", path="fineId")
    row.state, row.appealed_at, row.appeal_text = FineState.APPEALED, now, text.strip()
    await session.flush()


async def decide_appeal(
    session: AsyncSession, who: Actor, *, fine_id: UUID, state: FineState, reason: str, now: datetime
) -> None:
    """By a person, once. What is waived is given back with it: less is owed, or a refund is under way.
    Raises InvalidInput, NotFound, FineClosed (not appealed against, or decided)."""
    issues = []
    if state not in (FineState.UPHELD, FineState.WAIVED):
        issues.append(errors.Issue("state", "An appeal is decided as UPHELD or WAIVED."))
    if not (reason.strip() and len(reason) <= MAX_REASON_LENGTH and is_storable(reason)):
        issues.append(errors.Issue("reason", f"A reason has 1 to {MAX_REASON_LENGTH} characters: the rider is told."))
    if issues:
        raise errors.InvalidInput(issues)
    row = await _lock(session, fine_id)
    who.require_metro(row.metro_id)
    if row.state is not FineState.APPEALED:
        was = "nobody has appealed against it" if row.state is FineState.ISSUED else "the appeal is decided"
        raise errors.FineClosed(f"The fine is {row.state}: {was}.", path="fineId")
    row.state, row.decided_by, row.decided_at, row.decision_reason = state, who.account_id, now, reason.strip()
    await session.flush()
    if state is FineState.WAIVED:
        await _give_back(session, row, now)
    facts = {"fineId": str(row.id), "state": state, "reason": row.decision_reason}
    await _tell(session, row, NotificationKind.APPEAL_DECIDED, facts, now)


async def _give_back(session: AsyncSession, row: tables.Fine, now: datetime) -> None:
    receipt = await session.get_one(tables.Receipt, row.receipt_id)
    # What staff have given back before is waived all the same, and not given back twice.
    with suppress(errors.InvalidInput):
        kinds = [LineKind(row.kind.value)]
        note = await receipts.issue_credit_note(session, receipt=receipt, kinds=kinds, now=now)
        await refunds.refund(session, credit_note=note, now=now)


_OWN = (
    "id", "trip_id", "customer_id", "metro_id", "receipt_id", "kind", "state", "photo_id", "evidence", "issued_at",
    "appeal_until", "appealed_at", "appeal_text", "decided_by", "decided_at", "decision_reason",
)  # fmt: skip


def _select(who: Actor) -> Select[Any]:
    """What somebody may see: riders their own, staff those of their metros."""
    customers, metros = tables.Customer, tables.Metro
    own = [_ROWS.__table__.c[name] for name in (*_OWN, "amount_minor", "currency")]
    query = select(*own, customers.language, customers.name, metros.timezone).select_from(_ROWS)
    query = query.join(customers, customers.id == _ROWS.customer_id).join(metros, metros.id == _ROWS.metro_id)
    if who.audience is Audience.CUSTOMER:
        query = query.where(_ROWS.customer_id == who.account_id)
    return query if who.metro_ids is None else query.where(_ROWS.metro_id.in_(who.metro_ids))


def _of(row: Row[Any]) -> Fine:
    own = dict(zip(_OWN, tuple(row), strict=False))
    reader = wording.Reader(row.language, row.timezone, row.name)
    return Fine(**own, amount=Money(row.amount_minor, row.currency), reader=reader)


async def list_fines(session: AsyncSession, who: Actor, *, before: UUID | None, limit: int) -> list[Fine]:
    """The latest first."""
    query = _select(who) if before is None else _select(who).where(_ROWS.id < before)
    return [_of(row) for row in await session.execute(query.order_by(_ROWS.id.desc()).limit(limit))]


async def list_appealed_fines(
    session: AsyncSession, who: Actor, *, metro_id: UUID | None, after: tuple[datetime, UUID] | None, limit: int
) -> list[Fine]:
    """Those that wait longest for a decision first. `after`: when the last one of the page before was appealed, and its id."""
    place = (_ROWS.appealed_at, _ROWS.id)
    query = _select(who).where(_ROWS.state == FineState.APPEALED)
    if metro_id is not None:
        query = query.where(_ROWS.metro_id == metro_id)
    if after is not None:
        query = query.where(tuple_(*place) > after)
    return [_of(row) for row in await session.execute(query.order_by(*place).limit(limit))]


async def find_fine(session: AsyncSession, who: Actor, fine_id: UUID) -> Fine | None:
    row = (await session.execute(_select(who).where(_ROWS.id == fine_id))).one_or_none()
    return None if row is None else _of(row)


async def get_fine(session: AsyncSession, who: Actor, fine_id: UUID) -> Fine:
    found = await find_fine(session, who, fine_id)
    if found is None:
        raise errors.NotFound("There is no such fine.", path="fineId")
    return found
