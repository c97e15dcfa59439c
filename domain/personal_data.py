"""Personal data: of every table, whether it tells of a rider, how those rows are found, shown and erased.

Export and erasure go by this registry alone; a table that it does not name fails `tests/domain/test_personal_data.py`.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from sqlalchemy import ColumnElement, Table, any_, case, func, literal, select, union_all

from domain.actor import Audience
from domain.personal_rows import Changed, Deleted, Kept, Nobodys, Riders, Rows, Silenced, addressed, either, own
from domain.tables import Base


def through(column: str, parent: str) -> Rows:
    """The column holds the id of a row of another table of riders."""

    def rows(table: Table, customer_id: UUID) -> ColumnElement[bool]:
        entry = of_table(parent)
        return table.c[column].in_(select(entry.source.c.id).where(entry.of(customer_id)))

    return rows


def topics_of(customer_id: UUID) -> ColumnElement[Any]:
    """Topics of the event log that are the customer's alone, as an array."""
    conversations = Base.metadata.tables["conversations"]
    chats = select(func.concat("chat:", conversations.c.id)).where(conversations.c.customer_id == customer_id)
    return func.array(union_all(select(literal(f"rider:{customer_id}")), chats).scalar_subquery())


def _in_own_topics(table: Table, customer_id: UUID) -> ColumnElement[bool]:
    return table.c.topic == any_(topics_of(customer_id))


def _nobodys_address(table: Table, _: datetime) -> ColumnElement[Any]:
    return func.concat("erased-", table.c.id, "@erased.invalid")


def _nobodys_digest(table: Table, _: datetime) -> ColumnElement[Any]:
    return func.sha256(func.convert_to(func.concat(table.c.id), "UTF8"))


def _since(table: Table, now: datetime) -> ColumnElement[Any]:
    return func.coalesce(table.c.erased_at, now)


def _ended(table: Table, now: datetime) -> ColumnElement[Any]:
    return func.coalesce(table.c.ended_at, now)


def _soon_forgotten(table: Table, now: datetime) -> ColumnElement[Any]:
    return func.least(table.c.expires_at, now + ENDED_SESSIONS_KEPT)


def _now(_: Table, now: datetime) -> ColumnElement[Any]:
    return literal(now)


def _nothing(table: Table, _: datetime) -> ColumnElement[Any]:
    return literal({}, table.c.evidence.type)


def _silence(table: Table, _: datetime) -> ColumnElement[Any]:
    return case((table.c.appealed_at.is_not(None), ""), else_=None)


#: sockets of an erased account learn from its sessions that they are over
ENDED_SESSIONS_KEPT = timedelta(days=1)
_DIGEST = "the digest of a secret"
_INTERNAL = "a number by which the database orders transactions"
_BOOKS = "who was charged for what is part of the books"
_INTERNAL_STEP = "a number by which a code is known to be used"
_CITY = "the city and its fleet: true of everybody"

#: every table, once; children beside their parents
REGISTRY: tuple[Nobodys | Riders, ...] = (
    Nobodys("metros", _CITY),
    Nobodys("places", _CITY),
    Nobodys("stations", _CITY),
    Nobodys("zones", _CITY),
    Nobodys("vehicles", _CITY),
    Nobodys("tariffs", _CITY),
    Nobodys("staff", "those who work here, in their work", despite=("email", "password_hash")),
    Nobodys("receipt_numbers", "how far the numbers of receipts have come"),
    Nobodys("gateway_events", "which notes of the payment gateway were received, by their numbers"),
    Nobodys("gateway_removals", "what the payment gateway is still to forget, by its own names, until it has"),
    Nobodys("promotions", "codes that anybody may redeem"),
    Nobodys("unmet_demand", "counts of searches by area and hour, of nobody in particular"),
    Nobodys("event_log_epoch", "one row about the database cluster"),
    Nobodys("event_log_horizons", "how far topics were deleted: positions, nothing of what the events told"),
    Riders(
        "customers",
        "Your account.",
        own("id"),
        Changed(
            "what is kept of reservations belongs to somebody, of whom this row says nothing",
            {
                "email": _nobodys_address,
                "password_hash": None,
                "name": "",
                "language": "en",
                "phone": None,
                "gateway_ref": None,
                "erased_at": _since,
            },
        ),
        withheld={"password_hash": _DIGEST},
    ),
    Riders(
        "registrations",
        "A registration with your address that nobody has verified.",
        addressed("email"),
        Deleted(),
        withheld={"password_hash": _DIGEST},
    ),
    Riders("identities", "With which outside issuers you sign in, and as whom they know you.", own("customer_id"), Deleted()),
    Riders(
        "sign_in_sessions",
        "Where and when you signed in.",
        own("account_id", audience=Audience.CUSTOMER),
        Changed(
            "for a day, so that what the sessions have open is closed",
            {"ended_at": _ended, "expires_at": _soon_forgotten, "refresh_hash": _nobodys_digest},
        ),
        withheld={"refresh_hash": _DIGEST},
    ),
    Riders(
        "second_factors",
        "Since when your sign-in asks for a code of an app.",
        own("account_id"),
        Deleted(),
        withheld={"secret": "what the codes are made of", "last_step": _INTERNAL_STEP},
    ),
    Riders(
        "recovery_codes",
        "That you have recovery codes left, one row each.",
        own("account_id"),
        Deleted(),
        withheld={"digest": _DIGEST},
    ),
    Riders("password_resets", "Links by which you could set your password anew.", own("account_id"), Deleted()),
    Riders(
        "rotated_refresh_tokens",
        "When your sessions were prolonged.",
        through("session_id", "sign_in_sessions"),
        Deleted(),
        withheld={"digest": _DIGEST},
    ),
    Riders(
        "idempotency_keys",
        "Acts of the last day, so that none is done twice.",
        own("account_id"),
        Deleted(),
        withheld={"input_digest": "a digest of what the act was given"},
    ),
    Riders(
        "reservations",
        "Your reservations.",
        own("customer_id"),
        Changed("who was billed for which vehicle is part of the books", {"cancel_reason": None}),
    ),
    Riders(
        "trips",
        "Your trips.",
        own("customer_id"),
        Changed(_BOOKS, dict.fromkeys(("start_lat", "start_lon", "end_lat", "end_lon", "end_station_id", "end_reason"))),
    ),
    Riders("trip_pauses", "When you paused them.", through("trip_id", "trips"), Kept(_BOOKS)),
    Riders("return_attempts", "Your tries to return the vehicle.", through("trip_id", "trips"), Deleted()),
    Riders("trip_positions", "Where you rode.", through("trip_id", "trips"), Deleted()),
    Riders("lock_commands", "What was said to the lock on your trips.", through("trip_id", "trips"), Kept(_BOOKS)),
    Riders(
        "photos",
        "The photos that you took; the pictures lie beside this list.",
        own("customer_id"),
        Changed(
            "until the picture is deleted, within the hour",
            {"taken_at": None, "taken_lat": None, "taken_lon": None, "sha256": _nobodys_digest, "forget_at": _now},
        ),
        withheld={"sha256": _DIGEST, "store_key": "where the picture lies"},
    ),
    Riders("receipts", "What you were charged.", own("customer_id"), Kept(_BOOKS)),
    Riders("receipt_lines", "For what.", through("receipt_id", "receipts"), Kept(_BOOKS)),
    Riders("ledger_transactions", "What happened to that money.", own("customer_id"), Kept(_BOOKS)),
    Riders("ledger_entries", "How it was booked.", through("transaction_id", "ledger_transactions"), Kept(_BOOKS)),
    Riders("payment_methods", "Your cards, as the payment gateway knows them.", own("customer_id"), Deleted()),
    Riders("payments", "What you paid, and what was held.", own("customer_id"), Kept(_BOOKS)),
    Riders("refunds", "What you got back.", through("payment_id", "payments"), Kept(_BOOKS)),
    Riders("disputes", "Payments that your bank took back.", through("payment_id", "payments"), Kept(_BOOKS)),
    Riders("redemptions", "Codes that you redeemed.", own("customer_id"), Kept(_BOOKS)),
    Riders(
        "fines",
        "Fines, with what shows why, and what you said to them.",
        own("customer_id"),
        Changed(_BOOKS, {"evidence": _nothing, "appeal_text": _silence, "decision_reason": None}),
    ),
    Riders("feedback", "How you liked your trips.", own("customer_id"), Deleted()),
    Riders(
        "support_tickets",
        "Faults that you reported.",
        own("customer_id"),
        Changed("what is known of the vehicle", {"comment": None}),
    ),
    Riders(
        "incidents",
        "Emergencies that you reported.",
        own("customer_id"),
        Changed("what happened to the vehicle", {"comment": None, "lat": None, "lon": None}),
    ),
    Riders("commutes", "The commutes that you saved.", own("customer_id"), Deleted()),
    Riders("saved_places", "The places that you saved.", own("customer_id"), Deleted()),
    Riders(
        "driving_licences",
        "The driving licence that you submitted, and what was decided about it.",
        own("customer_id"),
        Deleted(),
        withheld={"number_digest": _DIGEST, "number_sealed": "the number, encrypted until it is checked"},
    ),
    Riders("conversations", "Your conversations with the travel agent.", own("customer_id"), Deleted()),
    Riders(
        "turns",
        "What the travel agent did to answer each of your messages.",
        through("conversation_id", "conversations"),
        Deleted(),
    ),
    Riders("messages", "What you and the travel agent said.", through("conversation_id", "conversations"), Deleted()),
    Riders(
        "proposals",
        "What the travel agent proposed, and what you decided.",
        through("conversation_id", "conversations"),
        Deleted(),
        withheld={"digest": "a digest of the columns beside it"},
    ),
    Riders("consents", "What you agreed to, and what you took back.", own("customer_id"), Deleted()),
    Riders("exports", "The archives you asked for, this one among them.", own("customer_id"), Deleted()),
    Riders(
        "export_parts",
        "The pieces of those archives.",
        through("export_id", "exports"),
        Deleted(),
        withheld={"content": "the archive itself"},
    ),
    Riders("notifications", "What we told you.", either(own("customer_id"), addressed("email")), Deleted()),
    Riders("deliveries", "What became of each of our messages to you.", through("notification_id", "notifications"), Deleted()),
    Riders("notification_preferences", "By which ways you want to hear of what.", own("customer_id"), Deleted()),
    Riders(
        "push_devices",
        "Devices that get push messages.",
        own("customer_id"),
        Deleted(),
        withheld={"token": "whoever has it could write to the device"},
    ),
    Riders(
        "event_log",
        "What was shown to you live: changes of your reservations, and your chats as they were written.",
        _in_own_topics,
        Silenced(),
        withheld={"xid": _INTERNAL},
    ),
)


def riders() -> Iterator[Riders]:
    """Tables with rows about riders, those that others refer to first."""
    entries = {entry.table: entry for entry in REGISTRY if isinstance(entry, Riders)}
    return (entries[table.name] for table in Base.metadata.sorted_tables if table.name in entries)


def of_table(name: str) -> Riders:
    return next(entry for entry in REGISTRY if isinstance(entry, Riders) and entry.table == name)
