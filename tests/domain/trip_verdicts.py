"""Verdicts on trips: what must hold of their rows, vehicles, reservations, receipts and books, whatever has happened."""

from __future__ import annotations

from datetime import datetime
from typing import Any, NamedTuple
from uuid import UUID

import psycopg

from domain.tables import TripState, TripStep

Connection = psycopg.Connection[Any]
_OPEN = "('preparing', 'in_use', 'paused')"
#: each finds what is wrong
_WRONG = {
    "a rider or a vehicle has two open trips": f"""
        select customer_id from trips where state in {_OPEN} group by customer_id having count(*) > 1 union all
        select vehicle_id from trips where state in {_OPEN} group by vehicle_id having count(*) > 1""",
    "charged and not ridden, or ridden and not charged": """
        select t.id, t.state from trips t full join (select * from receipts where source = 'trip') r on r.trip_id = t.id
        where (t.state = 'ended') is distinct from (r.id is not null)""",
    "a receipt is not the sum of its lines": """
        select r.id from receipts r left join receipt_lines l on l.receipt_id = r.id
        group by r.id having r.total_minor <> coalesce(sum(l.amount_minor), 0)""",
    "a transaction of the ledger does not sum to zero": """
        select transaction_id from ledger_entries group by transaction_id, currency having sum(amount_minor) <> 0""",
    "a receipt is not in the books": """
        select r.id from receipts r where r.total_minor <> 0
          and not exists (select from ledger_transactions x where x.receipt_id = r.id)""",
    "more was taken for a receipt than it says": """
        select r.id, r.total_minor from receipts r join payments p on p.receipt_id = r.id and p.state = 'succeeded'
        group by r.id having sum(p.captured_minor) - coalesce((select sum(f.amount_minor) from refunds f join payments q
          on q.id = f.payment_id where q.receipt_id = r.id and f.state <> 'failed'), 0) > r.total_minor""",
    "a vehicle is not in the state that its trip says": f"""
        select v.state, t.state from trips t join vehicles v on v.id = t.vehicle_id where t.state in {_OPEN} and v.state <>
          case when t.state = 'preparing' then 'reserved' when t.state = 'paused' and v.vehicle_type in ('car', 'van')
            then 'stopped' else 'on_trip' end""",
    "a vehicle is ridden by nobody": f"""
        select v.state from vehicles v where v.state in ('on_trip', 'stopped')
          and not exists (select from trips t where t.vehicle_id = v.id and t.state in {_OPEN})""",
    "a vehicle is reserved by nobody": """
        select v.id from vehicles v where v.state = 'reserved'
          and not exists (select from reservations r where r.vehicle_id = v.id and r.state in ('confirmed', 'started'))""",
    "a reservation is not in the state that its trip says": f"""
        select r.state, t.state from trips t join reservations r on r.id = t.reservation_id
        where (t.state in {_OPEN} and r.state <> 'started') or (t.state = 'ended' and r.state <> 'ended')
          or (t.state = 'cancelled' and t.is_walk_up and r.state <> 'cancelled')""",
    "a pause is open beside its trip": """
        select p.id, t.state from trip_pauses p join trips t on t.id = p.trip_id
        where (p.ended_at is null and t.state <> 'paused') or p.ended_at > t.ended_at""",
}
_WRONG_AT_THE_END = {
    "a trip waits": f"select id, state, awaits from trips where state in {_OPEN}",
    "a lock is asked": "select purpose, state from lock_commands where state in ('queued', 'sent')",
    "the bank is asked": "select purpose, asks, state from payments where asks is not null",
    "a refund is asked for": "select state, amount_minor from refunds where state = 'pending'",
    "a deposit is held": "select id from payments where purpose = 'deposit' and state in ('pending', 'authorized')",
    "a receipt is not settled": "select number, total_minor, settled_minor from receipts where settled_minor < total_minor",
    "a vehicle is in between": "select state from vehicles where state not in ('available', 'reserved', 'non_operational',"
    " 'non_contactable')",
    "a rider owes": """select x.customer_id, sum(e.amount_minor) from ledger_entries e
        join ledger_transactions x on x.id = e.transaction_id where e.account = 'receivable'
        group by x.customer_id having sum(e.amount_minor) <> 0""",
}
_GATEWAY = "select coalesce(sum(amount_minor), 0)::int from ledger_entries where account = 'gateway'"


class Row(NamedTuple):
    id: UUID
    customer_id: UUID
    state: TripState
    awaits: TripStep | None


def trips(connection: Connection) -> list[Row]:
    """First to last."""
    found = connection.execute("select id, customer_id, state, awaits from trips order by requested_at, id").fetchall()
    return [Row(row[0], row[1], TripState(row[2]), TripStep(row[3]) if row[3] else None) for row in found]


def trips_of(connection: Connection, customer_id: UUID) -> list[UUID]:
    return [row.id for row in trips(connection) if row.customer_id == customer_id]


def is_held(connection: Connection, customer_id: UUID, vehicle_id: UUID, now: datetime) -> bool:
    """Whether the rider has a booking of the vehicle that may begin."""
    query = """select from reservations where customer_id = %s and vehicle_id = %s and state = 'confirmed'
        and (lapses_at > %s or ends_at > %s)"""
    return connection.execute(query, (customer_id, vehicle_id, now, now)).fetchone() is not None


def owes(connection: Connection, customer_id: UUID) -> bool:
    query = "select from receipts where customer_id = %s and is_overdue and settled_minor < total_minor"
    return connection.execute(query, (customer_id,)).fetchone() is not None


def unpaid(connection: Connection, customer_id: UUID) -> list[UUID]:
    query = "select id from receipts where customer_id = %s and settled_minor < total_minor"
    return [row[0] for row in connection.execute(query, (customer_id,)).fetchall()]


def hold(connection: Connection) -> None:
    """After every step."""
    _judge(connection, _WRONG)


def hold_at_the_end(connection: Connection, kept_minor: int) -> None:
    """`kept_minor`: by the word of the bank."""
    _judge(connection, _WRONG_AT_THE_END)
    assert connection.execute(_GATEWAY).fetchone() == (kept_minor,), "the bank has it as the books do"


def _judge(connection: Connection, wrong: dict[str, str]) -> None:
    parts = " union all ".join(
        f"(select '{name}', row_to_json(x)::text from ({query}) x limit 3)" for name, query in wrong.items()
    )
    found = connection.execute(parts.encode()).fetchall()
    assert not found, found
