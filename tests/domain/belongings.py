"""A rider of whom there is a row in every table that knows riders, each column filled with what is nobody else's."""

from __future__ import annotations

import hashlib
import itertools
from dataclasses import dataclass, field
from datetime import datetime, time, timedelta
from typing import Any
from uuid import UUID, uuid4

from sqlalchemy import (
    ARRAY,
    JSON,
    Boolean,
    Column,
    Date,
    DateTime,
    Enum,
    Float,
    Integer,
    LargeBinary,
    Numeric,
    String,
    Table,
    Time,
    Uuid,
    insert,
    select,
    text,
)
from sqlalchemy.dialects.postgresql import TSTZRANGE, Range
from sqlalchemy.ext.asyncio import AsyncSession

from domain import personal_data, tables
from domain.actor import Actor, Audience, Role
from tests import factories

_numbers = itertools.count(1)
#: rows of a rider, where one is not enough: what is booked sums to zero
HOLDS = {"ledger_entries": 2}


@dataclass
class City:
    """Rows of nobody that rows of riders refer to, by table."""

    ids: dict[str, UUID]


@dataclass
class Rider:
    word: str
    id: UUID
    now: datetime
    city: City
    #: by table: the id of this rider's row
    rows: dict[str, UUID] = field(default_factory=dict)
    #: whatever was written that tells of this rider, as the database shows it in text
    marks: set[str] = field(default_factory=set)

    @property
    def email(self) -> str:
        return f"{self.word}@example.org"

    @property
    def gateway_ref(self) -> str:
        return f"{self.word}-customers-gateway_ref"

    @property
    def who(self) -> Actor:
        return Actor(Audience.CUSTOMER, self.id, Role.RIDER, self.rows["sign_in_sessions"])

    def mark(self, value: str) -> str:
        self.marks.add(value)
        return value


def _demanded(rider: Rider) -> dict[str, dict[str, Any]]:
    """What constraints and meanings of columns demand; a new table mostly needs nothing here."""
    later = rider.now + timedelta(hours=1)
    return {
        "customers": {"id": rider.id, "email": rider.mark(rider.email), "language": "de", "erased_at": None},
        "sign_in_sessions": {"audience": Audience.CUSTOMER, "expires_at": later, "ended_at": None},
        "recovery_codes": {"audience": Audience.CUSTOMER, "account_id": rider.id},
        "reservations": {"ends_at": later, "lapses_at": None, "closed_at": None, "blocked": Range(rider.now, later)},
        "driving_licences": {"state": "pending", "decided_at": None},
        "commutes": {"days": [1]},
        "messages": {"author": "rider"},
        "notifications": {"email": None},
        "deliveries": {"sent_at": None},
        "event_log": {"topic": f"rider:{rider.id}"},
        "exports": {"size_bytes": None, "expires_at": None, "finished_at": None},
        **_trips(rider),
        **_books(rider),
    }


def _trips(rider: Rider) -> dict[str, dict[str, Any]]:
    return {
        "trips": {"state": "ended", "paused_at": None, "awaits": None, "awaits_until": None},
        "lock_commands": {"state": "succeeded", "failure": "jammed"},
        "photos": {"state": "stored", "store_key": f"photos/{uuid4()}"},
        "support_tickets": {"damaged_parts": ["front"]},
        "feedback": {"rating": 4},
        "incidents": {"severity": 1},
    }


def _books(rider: Rider) -> dict[str, dict[str, Any]]:
    """Numbers by which the payment gateway and the books know what is part of them name nobody."""
    number = f"DE-2026-{next(_numbers):06}"
    paid = {"amount_minor": 500, "captured_minor": 500, "refunded_minor": 0, "asks": None, "next_attempt_at": None}
    return {
        "receipts": {"number": number, "corrects_id": None, "total_minor": 500, "settled_minor": 500, "vat": []},
        "ledger_transactions": {"key": f"receipt:{number}"},
        "ledger_entries": {"amount_minor": 500, "position": 1},
        "payment_methods": {"removed_at": None},
        "payments": {"state": "succeeded", "gateway_ref": f"pi_{number}", "failure": "card_declined", **paid},
        "refunds": {"gateway_ref": f"re_{number}", "failure": "late", "state": "succeeded"},
        "disputes": {"gateway_ref": f"dp_{number}", "reason": "fraudulent", "state": "lost"},
        "fines": {"state": "upheld"},
    }


async def add_city(session: AsyncSession) -> City:
    metro = await factories.add_metro(session)
    tariff = await factories.add_tariff(session, metro)
    station = await factories.add_station(session, metro)
    place = await factories.add_place(session, metro, "Museum")
    promotion = tables.Promotion(
        code="NIMROD5",
        metro_id=metro.id,
        amount_minor=500,
        currency="EUR",
        valid_until=metro.created_at + timedelta(days=30),
        max_redemptions=100,
        created_at=metro.created_at,
    )
    session.add(promotion)
    await session.flush()
    return City(
        {"metros": metro.id, "tariffs": tariff.id, "stations": station.id, "places": place.id, "promotions": promotion.id}
    )


async def add_rider(session: AsyncSession, city: City, word: str, now: datetime) -> Rider:
    metro = await session.get_one(tables.Metro, city.ids["metros"])
    vehicle = await factories.add_vehicle(session, metro)
    rider = Rider(word, uuid4(), now, City({**city.ids, "vehicles": vehicle.id}))
    demanded = _demanded(rider)
    for entry in personal_data.riders():
        table = entry.source
        row = demanded.get(table.name, {}) | {
            column.name: _value(rider, table, column)
            for column in table.columns
            if column.identity is None and column.server_default is None and column.name not in demanded.get(table.name, {})
        }
        await session.execute(insert(table).values(row))
        if isinstance(key := row.get("id"), UUID):
            rider.rows[table.name] = key
    entries = tables.LedgerEntry
    other = {"transaction_id": rider.rows["ledger_transactions"], "position": 2, "account": tables.LedgerAccount.REVENUE}
    await session.execute(insert(entries).values(**other, currency="EUR", amount_minor=-500))
    return rider


def _value(rider: Rider, table: Table, column: Column[Any]) -> Any:
    for key in column.foreign_keys:
        parent = key.column.table.name
        if parent == "staff":  # the row is a rider's
            return None
        return rider.rows.get(parent) or rider.city.ids[parent]
    if column.name == "email":
        return rider.mark(rider.email)
    if isinstance(column.type, Uuid):
        return rider.id if column.name in ("account_id", "customer_id") else uuid4()
    return _plain(rider, f"{rider.word}-{table.name}-{column.name}", column)


def _plain(rider: Rider, mark: str, column: Column[Any]) -> Any:
    kind, number = column.type, next(_numbers)
    if isinstance(kind, Enum):
        return kind.enums[0]
    if isinstance(kind, String):
        return _text(rider, mark, kind.length)
    if isinstance(kind, LargeBinary):
        digest = hashlib.sha256(mark.encode()).digest()
        rider.mark(digest.hex())
        return digest
    if isinstance(kind, JSON):
        return {"said": rider.mark(mark)}
    if isinstance(kind, ARRAY):
        return [_text(rider, mark, getattr(kind.item_type, "length", None))] if isinstance(kind.item_type, String) else [number]
    if isinstance(kind, Float):
        where = 10 + number / 1000 + 0.0000123
        rider.mark(repr(where))
        return where
    if isinstance(kind, TSTZRANGE):
        return Range(rider.now, rider.now + timedelta(hours=1))
    for type_, value in (
        (Boolean, True),
        (Integer, number),
        (Numeric, 1 + number % 99),
        (DateTime, rider.now),
        (Date, rider.now.date()),
        (Time, time(8, 30)),
    ):
        if isinstance(kind, type_):
            return value
    raise TypeError(f"say in tests/domain/belongings.py what a column like {column} is filled with")


def _text(rider: Rider, mark: str, length: int | None) -> str:
    """A code of a few letters tells of nobody."""
    if length is not None and length < 10:
        return "EUR"[:length]
    return rider.mark(
        mark[:length] if length is None or len(mark) <= length else hashlib.sha256(mark.encode()).hexdigest()[:length]
    )


async def everything(session: AsyncSession) -> dict[str, list[str]]:
    """All rows of all tables, each as text: also those of the job queue."""
    names = text("select tablename from pg_tables where schemaname = 'public' order by tablename")
    return {
        name: [row for (row,) in await session.execute(text(f'select t::text from "{name}" t'))]
        for (name,) in (await session.execute(names)).all()
    }


async def traces(session: AsyncSession, rider: Rider) -> set[tuple[str, str]]:
    """Tables and what in them tells of the rider."""
    return {
        (table, mark)
        for table, rows in (await everything(session)).items()
        for row in rows
        for mark in rider.marks
        if mark in row
    }


async def holdings(session: AsyncSession, rider: Rider) -> dict[str, list[str]]:
    """The rider's rows as text."""
    found = {}
    for entry in personal_data.riders():
        shown = text(f'"{entry.table}"::text')
        rows = await session.execute(select(shown).select_from(entry.source).where(entry.of(rider.id)))
        found[entry.table] = sorted(row for (row,) in rows)
    return found
