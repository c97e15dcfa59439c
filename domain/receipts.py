"""Receipts: what somebody owes for a trip or a late cancellation, and what is given back of it, numbered without a gap."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID
from zoneinfo import ZoneInfo

from sqlalchemy import Row, Select, select, update
from sqlalchemy.dialects.postgresql import insert as upsert
from sqlalchemy.ext.asyncio import AsyncSession

from domain import credit_notes, errors, ids, ledger, meters, notifications, pricing, receipt_lines, tables, vat
from domain.actor import Actor, Audience
from domain.tables import ChargeCategory, LineKind, ReceiptSource
from domain.values import FeeSettlement, Money, NotificationKind

_RECEIPTS = tables.Receipt.__table__


@dataclass(frozen=True, slots=True)
class Receipt:
    id: UUID
    number: str
    source: ReceiptSource
    customer_id: UUID
    metro_id: UUID
    trip_id: UUID | None
    reservation_id: UUID | None
    #: of a credit note: what it gives back of
    corrects_id: UUID | None
    country_code: str
    currency: str
    total_minor: int
    settled_minor: int
    is_overdue: bool
    issued_at: datetime
    vat: tuple[vat.VatShare, ...]
    lines: tuple[meters.Line, ...]

    @property
    def total(self) -> Money:
        return Money(self.total_minor, self.currency)

    @property
    def owed_minor(self) -> int:
        """Nobody owes a credit note."""
        return 0 if self.source is ReceiptSource.CREDIT_NOTE else self.total_minor - self.settled_minor


async def issue_trip_receipt(
    session: AsyncSession,
    *,
    trip: tables.Trip,
    tariff: pricing.Tariff,
    bill: meters.Bill,
    country_code: str,
    now: datetime,
) -> tables.Receipt:
    """Of a trip that has ended, in the transaction that ends it; once. `country_code`: of the metro in which it started."""
    receipt = tables.Receipt(
        source=ReceiptSource.TRIP,
        customer_id=trip.customer_id,
        metro_id=trip.metro_id,
        trip_id=trip.id,
        country_code=country_code,
        currency=tariff.currency,
    )
    await _issue(session, receipt, bill, now)
    await _tell(session, receipt, trip.vehicle_id, now)
    return receipt


async def issue_cancellation_receipt(
    session: AsyncSession, *, reservation: tables.Reservation, tariff: pricing.Tariff, now: datetime
) -> tables.Receipt:
    """Of the fee that a reservation cost to give up (`cancel_fee_minor`), in that transaction; once."""
    metros = tables.Metro
    country = (await session.execute(select(metros.country_code).where(metros.id == reservation.metro_id))).scalar_one()
    fee = meters.fee_line(tariff, LineKind.CANCELLATION, ChargeCategory.FARE, reservation.cancel_fee_minor or 0)
    receipt = tables.Receipt(
        source=ReceiptSource.CANCELLATION,
        customer_id=reservation.customer_id,
        metro_id=reservation.metro_id,
        reservation_id=reservation.id,
        country_code=country,
        currency=tariff.currency,
    )
    await _issue(session, receipt, meters.total_of([fee], tariff.currency), now)
    await _tell(session, receipt, reservation.vehicle_id, now)
    return receipt


async def issue_credit_note(
    session: AsyncSession,
    *,
    receipt: tables.Receipt,
    kinds: Collection[LineKind] | None = None,
    amount_minor: int | None = None,
    now: datetime,
) -> tables.Receipt:
    """Gives back lines of those kinds, or an amount, or all that was not given back yet. `refunds.refund` settles it.

    Raises NotFound (a credit note is not corrected), InvalidInput (no more than was charged is given back).
    """
    locked = await session.get_one(tables.Receipt, receipt.id, with_for_update=True, populate_existing=True)
    if locked.source is ReceiptSource.CREDIT_NOTE:
        raise errors.NotFound("There is no such receipt.", path="receiptId")
    lines = await receipt_lines.find_lines(session, [locked.id])
    given = await receipt_lines.find_lines(session, await _notes_of(session, locked.id))
    charged, back = lines[locked.id], [line for each in given.values() for line in each]
    wanted = credit_notes.lines_to_give_back(charged, back, kinds=kinds, amount_minor=amount_minor)
    note = tables.Receipt(
        source=ReceiptSource.CREDIT_NOTE,
        customer_id=locked.customer_id,
        metro_id=locked.metro_id,
        trip_id=locked.trip_id,
        reservation_id=locked.reservation_id,
        corrects_id=locked.id,
        country_code=locked.country_code,
        currency=locked.currency,
    )
    await _issue(session, note, meters.total_of(wanted, locked.currency), now)
    return note


async def _issue(session: AsyncSession, receipt: tables.Receipt, bill: meters.Bill, now: datetime) -> None:
    receipt.id = ids.new()
    receipt.number = await _next_number(session, receipt.metro_id, receipt.country_code, now)
    receipt.total_minor = bill.total.minor_units
    receipt.vat = [vat.to_json(share) for share in bill.vat]
    receipt.settled_minor, receipt.is_overdue, receipt.issued_at = 0, False, now
    session.add(receipt)
    await session.flush()
    await receipt_lines.write_lines(session, receipt.id, bill.lines)
    await ledger.post(
        session,
        key=f"receipt:{receipt.id}",
        entries=receipt_lines.entries_of(bill),
        currency=receipt.currency,
        customer_id=receipt.customer_id,
        receipt_id=receipt.id,
        at=now,
    )


async def _next_number(session: AsyncSession, metro_id: UUID, country_code: str, now: datetime) -> str:
    """The row of the series stays locked until the transaction ends: what is rolled back leaves no gap. The year is that of
    the metro's clock."""
    metros, rows = tables.Metro, tables.ReceiptNumber
    timezone = (await session.execute(select(metros.timezone).where(metros.id == metro_id))).scalar_one()
    series = f"{country_code}-{now.astimezone(ZoneInfo(timezone)).year}"
    taken = upsert(rows).values(series=series, last=1)
    taken = taken.on_conflict_do_update(index_elements=["series"], set_={"last": rows.last + 1})
    return f"{series}-{(await session.execute(taken.returning(rows.last))).scalar_one():06}"


async def _tell(session: AsyncSession, receipt: tables.Receipt, vehicle_id: UUID, now: datetime) -> None:
    vehicles = tables.Vehicle
    found = await session.execute(select(vehicles.vehicle_type, vehicles.plate).where(vehicles.id == vehicle_id))
    vehicle_type, plate = found.one()
    await notifications.notify(
        session,
        NotificationKind.RECEIPT_READY,
        customer_id=receipt.customer_id,
        metro_id=receipt.metro_id,
        facts={
            "receiptId": str(receipt.id),
            "number": receipt.number,
            "vehicleType": vehicle_type,
            "plate": plate,
            "totalMinor": receipt.total_minor,
            "currency": receipt.currency,
        },
        key=f"receipt:{receipt.id}",
        now=now,
    )


async def note_settled(
    session: AsyncSession, receipt: tables.Receipt, now: datetime, how: FeeSettlement = FeeSettlement.PAID
) -> None:
    """After more of a receipt was settled: a fee of a cancellation that is paid for is settled with it. See `lock_receipt`."""
    if receipt.source is not ReceiptSource.CANCELLATION or receipt.settled_minor < receipt.total_minor:
        return
    rows = tables.Reservation
    unsettled = update(rows).where(rows.id == receipt.reservation_id, rows.fee_settled_at.is_(None))
    await session.execute(unsettled.values(fee_settlement=how, fee_settled_at=now))


async def lock_receipt(session: AsyncSession, receipt_id: UUID) -> tables.Receipt:
    """The reservation first, of which it is the fee: who settles that has locked it."""
    rows, fees = tables.Reservation, tables.Receipt
    of_it = select(fees.reservation_id).where(fees.id == receipt_id, fees.source == ReceiptSource.CANCELLATION)
    await session.execute(select(rows.id).where(rows.id.in_(of_it)).with_for_update())
    return await session.get_one(fees, receipt_id, with_for_update=True, populate_existing=True)


async def lock_cancellation_receipt(session: AsyncSession, reservation_id: UUID) -> tables.Receipt | None:
    """None: the fee is from before fees had receipts. The reservation is locked before."""
    rows = tables.Receipt
    found = select(rows).where(rows.reservation_id == reservation_id, rows.source == ReceiptSource.CANCELLATION)
    locked = found.with_for_update().execution_options(populate_existing=True)
    return (await session.execute(locked)).scalar_one_or_none()


async def get_receipt(session: AsyncSession, who: Actor, receipt_id: UUID) -> Receipt:
    """Riders their own, staff any of their metros. Raises NotFound."""
    found = await _read(session, _visible(who).where(_RECEIPTS.c.id == receipt_id))
    if not found:
        raise errors.NotFound("There is no such receipt.", path="receiptId")
    return found[0]


async def find_receipts(session: AsyncSession, who: Actor, receipt_ids: Collection[UUID]) -> dict[UUID, Receipt]:
    """What the actor may see of these."""
    found = await _read(session, _visible(who).where(_RECEIPTS.c.id.in_(receipt_ids)))
    return {receipt.id: receipt for receipt in found}


async def find_unchecked(session: AsyncSession, receipt_id: UUID) -> Receipt | None:
    """For who holds a sealed link to it."""
    found = await _read(session, select(_RECEIPTS).where(_RECEIPTS.c.id == receipt_id))
    return found[0] if found else None


async def list_receipts(
    session: AsyncSession,
    who: Actor,
    *,
    customer_id: UUID | None = None,
    metro_id: UUID | None = None,
    before: UUID | None = None,
    limit: int,
) -> list[Receipt]:
    """Latest first, credit notes among them. Riders see their own; staff those of their metros."""
    query = _visible(who)
    if customer_id is not None:
        query = query.where(_RECEIPTS.c.customer_id == customer_id)
    if metro_id is not None:
        query = query.where(_RECEIPTS.c.metro_id == metro_id)
    if before is not None:
        query = query.where(_RECEIPTS.c.id < before)
    return await _read(session, query.order_by(_RECEIPTS.c.id.desc()).limit(limit))


def _visible(who: Actor) -> Select[tuple[object, ...]]:
    query = select(_RECEIPTS)
    if who.audience is Audience.CUSTOMER:
        query = query.where(_RECEIPTS.c.customer_id == who.account_id)
    elif who.metro_ids is not None:
        query = query.where(_RECEIPTS.c.metro_id.in_(who.metro_ids))
    return query


async def _read(session: AsyncSession, query: Select[tuple[object, ...]]) -> list[Receipt]:
    rows = (await session.execute(query)).all()
    lines = await receipt_lines.find_lines(session, [row.id for row in rows])
    return [_of(row, lines.get(row.id, ())) for row in rows]


def _of(row: Row[tuple[object, ...]], lines: Iterable[meters.Line]) -> Receipt:
    own = {name: getattr(row, name) for name in Receipt.__slots__ if name not in ("vat", "lines")}
    return Receipt(**own, vat=tuple(vat.of_json(share) for share in row.vat), lines=tuple(lines))


async def _notes_of(session: AsyncSession, receipt_id: UUID) -> list[UUID]:
    return list((await session.execute(select(_RECEIPTS.c.id).where(_RECEIPTS.c.corrects_id == receipt_id))).scalars())
