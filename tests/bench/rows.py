"""The rows of the peers' database, in Nimrod's own: same vehicles, stations, customers and reservations, same ids.

All vehicles are cars or vans here and the metro takes bookings years ahead, because the workload books each of them
for 2030 with a fixed end; vehicles in maintenance are in use instead, so that every booking is possible as it is for
the peers.
"""

from __future__ import annotations

import os
import sys
from uuid import UUID

import psycopg

from app import database
from domain import ids

ADMIN = os.environ.get("NIMROD_BENCH_ADMIN_URL", "postgresql://postgres@127.0.0.1:5432/postgres")
PEERS = os.environ.get("BENCH_DSN", "postgresql://bench:bench@127.0.0.1:5432/mobility_bench")
#: another one when two measure at once
NAME = os.environ.get("NIMROD_BENCH_DATABASE", "nimrod_bench")
METRO = UUID("0190b0c0-0000-7000-8000-000000000001")
STAFF = UUID("0190b0c0-0000-7000-8000-000000000002")
_EXPECTED = 200_000

_FIXED = f"""
insert into metros (id, slug, name, country_code, timezone, currency, languages, lat, lon, south, west, north, east,
  map_digest, attribution, is_default, hold_ahead_minutes, hold_lapse_minutes, ride_max_hours, booking_ahead_days,
  booking_min_minutes, booking_max_days, proposal_minutes, created_at)
values ('{METRO}', 'berlin', 'Berlin', 'DE', 'Europe/Berlin', 'EUR', '{{de,en}}', 52.52, 13.4, 52.4, 13.2, 52.64, 13.64,
  'bench', 'bench', true, 30, 15, 12, 5000, 15, 7, 5, now());
insert into staff (id, email, name, role, metro_ids, created_at)
values ('{STAFF}', 'bench@nimrod.example', 'Bench', 'dispatcher', null, now());
insert into tariffs (id, metro_id, vehicle_type, version, currency, unlock_minor, per_minute_minor, day_cap_minor,
  vat_percent, valid_from)
select gen_random_uuid(), '{METRO}', kind, 1, 'EUR', 100, 29, null, 19, '2020-01-01' from unnest('{{car,van}}'::text[]) kind;
"""

# Everybody may drive: what is measured is reserving.
_LICENCES = """
insert into driving_licences (customer_id, id, country_code, number_digest, number_ending, expires_on, categories, state,
  submitted_at, decided_at, checks)
select id, id, 'DE', uuid_send(id), '1234', '2040-01-01', '{B}', 'verified', now(), now(), 1 from customers
on conflict do nothing
"""

# Ids of reservations follow their start, as those of a service that has run all the time do.
_COPIES = {
    "stations": (
        "select md5('s' || id)::uuid, %(metro)s::uuid, name, lat, lon, 0::bigint, 20, true, 'bench/' || id from stations",
        "id, metro_id, name, lat, lon, h3_cell, capacity, is_charging_station, osm_ref",
    ),
    "vehicles": (
        "select id, %(metro)s::uuid, md5('p' || id)::uuid, case when kind in ('scooter', 'car') then 'car' else 'van' end,"
        " case state when 'available' then 'available' when 'reserved' then 'reserved' else 'on_trip' end, plate,"
        " battery_pct, battery_pct * 500, 0::bigint, lat, lon, 0::bigint,"
        " case when station_id is not null then md5('s' || station_id)::uuid end, now() from vehicles",
        "id, metro_id, published_id, vehicle_type, state, plate, battery_percent, current_range_meters, odometer_meters,"
        " lat, lon, h3_cell, station_id, updated_at",
    ),
    "customers": (
        "select id, email, null, name, 'en', now() from customers",
        "id, email, password_hash, name, language, created_at",
    ),
    "reservations": (
        "select (lpad(to_hex((extract(epoch from r.starts_at) * 1000)::bigint), 12, '0') || '7'"
        " || substr(md5(r.id::text), 1, 3) || '8' || substr(md5(r.id::text), 4, 15))::uuid, %(metro)s::uuid, r.customer_id,"
        " r.vehicle_id, md5('p' || r.vehicle_id)::uuid, case when v.kind in ('scooter', 'car') then 'car' else 'van' end,"
        " %(tariff)s::uuid, case r.status when 'active' then 'confirmed' when 'completed' then 'ended' else 'cancelled' end,"
        " r.starts_at, r.ends_at, tstzrange(r.starts_at, r.ends_at), r.price_cents, 'EUR', r.starts_at"
        " from reservations r join vehicles v on v.id = r.vehicle_id where r.starts_at < '2030-01-01'",
        "id, metro_id, customer_id, vehicle_id, published_vehicle_id, vehicle_type, tariff_id, state, starts_at, ends_at,"
        " blocked, quoted_minor, currency, created_at",
    ),
}


def url() -> str:
    return ADMIN.rsplit("/", 1)[0] + f"/{NAME}"


def make() -> None:
    """A database with the schema of today, and whatever rows it has."""
    with psycopg.connect(ADMIN, autocommit=True) as admin:
        if admin.execute("select 1 from pg_database where datname = %s", [NAME]).fetchone() is None:
            admin.execute(f'create database "{NAME}"'.encode())
    database.migrate(url())


def load() -> None:
    """Makes and fills the database once; afterwards only what a run has written is removed."""
    make()
    with psycopg.connect(url()) as own:
        count = own.execute("select count(*) from reservations").fetchone()
        if count is None or count[0] < _EXPECTED:
            _fill(own)
        own.execute(_LICENCES.encode())
    clean()


def _fill(own: psycopg.Connection) -> None:
    own.execute("truncate metros, staff, customers, event_log cascade")
    own.execute(_FIXED.encode())
    tariff = own.execute("select id from tariffs limit 1").fetchone()
    given = {"metro": METRO, "tariff": tariff[0] if tariff else None}
    with psycopg.connect(PEERS) as peers:
        for table, (query, columns) in _COPIES.items():
            source = psycopg.ClientCursor(peers).mogrify(query, given)
            with (
                peers.cursor().copy(f"copy ({source}) to stdout".encode()) as rows,
                own.cursor().copy(f"copy {table} ({columns}) from stdin".encode()) as into,
            ):
                for chunk in rows:
                    into.write(chunk)
    own.commit()
    own.autocommit = True
    own.execute("vacuum (analyze)")


def clean() -> None:
    """Removes what bookings and streams wrote, and leaves the tables as they were before."""
    with psycopg.connect(url(), autocommit=True) as own:
        own.execute("delete from reservations where starts_at >= '2030-01-01'")
        own.execute("truncate event_log, idempotency_keys")
        own.execute("vacuum (analyze) reservations")


def staff_id() -> str:
    return ids.encode(ids.STAFF, STAFF)


if __name__ == "__main__":
    {"load": load, "clean": clean}[sys.argv[1]]()
