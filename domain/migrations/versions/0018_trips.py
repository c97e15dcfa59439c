"""Trips and what they cost: locks, photos, receipts, the ledger, payments, fines, feedback and emergencies.

Revision: 0018
"""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0018"
down_revision = "0017"
branch_labels = None
depends_on = None

_CAUSES = ("rider", "operator", "vehicle_withdrawn")
_NEW_CAUSES = ("unlock_failed",)
_KINDS = (
    "email_verification", "account_exists", "password_reset", "password_changed", "second_factor_changed", "reservation_expired",
    "reservation_cancelled", "vehicle_withdrawn", "commute_reminder", "licence_decided", "export_ready", "account_erased",
)  # fmt: skip
_NEW_KINDS = ("return_due", "receipt_ready", "payment_failed", "refunded", "fine_issued", "appeal_decided")

# The entries of a transaction sum to zero in each currency when it commits, and the books are only ever added to.
_BALANCED = """
create function must_balance() returns trigger language plpgsql as $$
begin
    if exists (
        select from ledger_entries where transaction_id = new.transaction_id group by currency having sum(amount_minor) <> 0
    ) then
        raise exception 'the entries of ledger transaction % do not sum to zero', new.transaction_id
            using errcode = 'check_violation', constraint = 'ledger_entries_balanced', table = 'ledger_entries';
    end if;
    return null;
end $$;
create constraint trigger ledger_entries_balanced after insert on ledger_entries
    deferrable initially deferred for each row execute function must_balance();
create function must_not_change() returns trigger language plpgsql as $$
begin
    raise exception 'the ledger is only added to' using errcode = 'check_violation', constraint = 'ledger_append_only';
end $$;
create trigger ledger_entries_append_only before update on ledger_entries for each row execute function must_not_change();
create trigger receipt_lines_append_only before update on receipt_lines for each row execute function must_not_change();
"""


def _must_be_one_of(table: str, name: str, column: str, values: tuple[str, ...]) -> None:
    op.drop_constraint(op.f(name), table, type_="check")
    listed = ", ".join(f"'{value}'" for value in values)
    op.create_check_constraint(op.f(name), table, f"{column} in ({listed})")


def upgrade() -> None:
    _must_be_one_of("reservations", "ck_reservations_cancelcause", "cancel_cause", _CAUSES + _NEW_CAUSES)
    _must_be_one_of("notifications", "ck_notifications_notificationkind", "kind", _KINDS + _NEW_KINDS)
    op.create_table(
        "gateway_events",
        sa.Column("id", sa.String(), nullable=False),
        sa.Column("kind", sa.String(), nullable=False),
        sa.Column("gateway_ref", sa.String(), nullable=False),
        sa.Column("received_at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_gateway_events")),
    )
    op.create_index("ix_gateway_events_received_at", "gateway_events", ["received_at"], unique=False)
    op.create_table(
        "receipt_numbers",
        sa.Column("series", sa.String(), nullable=False),
        sa.Column("last", sa.Integer(), nullable=False),
        sa.PrimaryKeyConstraint("series", name=op.f("pk_receipt_numbers")),
    )
    op.create_table(
        "payment_methods",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("customer_id", sa.Uuid(), nullable=False),
        sa.Column("gateway_ref", sa.String(), nullable=False),
        sa.Column("brand", sa.String(), nullable=False),
        sa.Column("last4", sa.String(length=4), nullable=False),
        sa.Column("expires_month", sa.Integer(), nullable=False),
        sa.Column("expires_year", sa.Integer(), nullable=False),
        sa.Column("is_default", sa.Boolean(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("removed_at", sa.DateTime(timezone=True), nullable=True),
        sa.CheckConstraint("not (is_default and removed_at is not null)", name=op.f("ck_payment_methods_default_is_there")),
        sa.ForeignKeyConstraint(
            ["customer_id"], ["customers.id"], name=op.f("fk_payment_methods_customer_id"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_payment_methods")),
        sa.UniqueConstraint("gateway_ref", name=op.f("uq_payment_methods_gateway_ref")),
    )
    op.create_index("ix_payment_methods_customer_id", "payment_methods", ["customer_id"], unique=False)
    op.create_index(
        "ix_payment_methods_one_default", "payment_methods", ["customer_id"], unique=True, postgresql_where=sa.text("is_default")
    )
    op.create_table(
        "photos",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("customer_id", sa.Uuid(), nullable=False),
        sa.Column(
            "purpose",
            sa.Enum("return", "fault", name="photopurpose", native_enum=False, create_constraint=True, length=40),
            nullable=False,
        ),
        sa.Column(
            "state",
            sa.Enum("requested", "stored", name="photostate", native_enum=False, create_constraint=True, length=40),
            nullable=False,
        ),
        sa.Column("requested_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("expires_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("stored_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("store_key", sa.String(), nullable=True),
        sa.Column("sha256", sa.LargeBinary(), nullable=True),
        sa.Column("size_bytes", sa.Integer(), nullable=True),
        sa.Column("width", sa.Integer(), nullable=True),
        sa.Column("height", sa.Integer(), nullable=True),
        sa.Column("taken_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("taken_lat", sa.Double(), nullable=True),
        sa.Column("taken_lon", sa.Double(), nullable=True),
        sa.Column("used_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("forget_at", sa.DateTime(timezone=True), nullable=True),
        sa.CheckConstraint(
            "(state = 'stored') = (stored_at is not null and store_key is not null and sha256 is not null)",
            name=op.f("ck_photos_stored"),
        ),
        sa.ForeignKeyConstraint(["customer_id"], ["customers.id"], name=op.f("fk_photos_customer_id"), ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_photos")),
        sa.UniqueConstraint("store_key", name=op.f("uq_photos_store_key")),
    )
    op.create_index("ix_photos_customer_id_id", "photos", ["customer_id", "id"], unique=False)
    op.create_index(
        "ix_photos_expires_at", "photos", ["expires_at"], unique=False, postgresql_where=sa.text("state = 'requested'")
    )
    op.create_index(
        "ix_photos_forget_at", "photos", ["forget_at"], unique=False, postgresql_where=sa.text("forget_at is not null")
    )
    op.create_table(
        "promotions",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("code", sa.String(), nullable=False),
        sa.Column("metro_id", sa.Uuid(), nullable=False),
        sa.Column("amount_minor", sa.BigInteger(), nullable=False),
        sa.Column("currency", sa.String(length=3), nullable=False),
        sa.Column("valid_until", sa.DateTime(timezone=True), nullable=False),
        sa.Column("max_redemptions", sa.Integer(), nullable=False),
        sa.Column("redemptions", sa.Integer(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.CheckConstraint("amount_minor > 0", name=op.f("ck_promotions_amount")),
        sa.CheckConstraint("redemptions between 0 and max_redemptions", name=op.f("ck_promotions_redemptions")),
        sa.ForeignKeyConstraint(["metro_id"], ["metros.id"], name=op.f("fk_promotions_metro_id"), ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_promotions")),
        sa.UniqueConstraint("code", name=op.f("uq_promotions_code")),
    )
    op.create_table(
        "redemptions",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("promotion_id", sa.Uuid(), nullable=False),
        sa.Column("customer_id", sa.Uuid(), nullable=False),
        sa.Column("redeemed_at", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(["customer_id"], ["customers.id"], name=op.f("fk_redemptions_customer_id"), ondelete="CASCADE"),
        sa.ForeignKeyConstraint(
            ["promotion_id"], ["promotions.id"], name=op.f("fk_redemptions_promotion_id"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_redemptions")),
        sa.UniqueConstraint("promotion_id", "customer_id", name=op.f("uq_redemptions_promotion_id_customer_id")),
    )
    op.create_index("ix_redemptions_customer_id", "redemptions", ["customer_id"], unique=False)
    op.create_table(
        "trips",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("metro_id", sa.Uuid(), nullable=False),
        sa.Column("customer_id", sa.Uuid(), nullable=False),
        sa.Column("vehicle_id", sa.Uuid(), nullable=False),
        sa.Column("published_vehicle_id", sa.Uuid(), nullable=False),
        sa.Column(
            "vehicle_type",
            sa.Enum(
                "scooter_standing",
                "bicycle",
                "car",
                "van",
                name="vehicletype",
                native_enum=False,
                create_constraint=True,
                length=40,
            ),
            nullable=False,
        ),
        sa.Column("reservation_id", sa.Uuid(), nullable=False),
        sa.Column("is_walk_up", sa.Boolean(), nullable=False),
        sa.Column("tariff_id", sa.Uuid(), nullable=False),
        sa.Column(
            "state",
            sa.Enum(
                "preparing",
                "in_use",
                "paused",
                "ended",
                "cancelled",
                name="tripstate",
                native_enum=False,
                create_constraint=True,
                length=40,
            ),
            nullable=False,
        ),
        sa.Column(
            "awaits",
            sa.Enum(
                "authorization",
                "unlock",
                "pause",
                "resume",
                "return",
                name="tripstep",
                native_enum=False,
                create_constraint=True,
                length=40,
            ),
            nullable=True,
        ),
        sa.Column("awaits_until", sa.DateTime(timezone=True), nullable=True),
        sa.Column("requested_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("started_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("paused_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("ended_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("closed_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column(
            "end_cause",
            sa.Enum(
                "returned",
                "emergency",
                "operator",
                "lock_silent",
                "unlock_failed",
                "unlock_timed_out",
                "authorization_declined",
                "authorization_timed_out",
                "rider",
                name="tripend",
                native_enum=False,
                create_constraint=True,
                length=40,
            ),
            nullable=True,
        ),
        sa.Column("start_lat", sa.Double(), nullable=True),
        sa.Column("start_lon", sa.Double(), nullable=True),
        sa.Column("end_lat", sa.Double(), nullable=True),
        sa.Column("end_lon", sa.Double(), nullable=True),
        sa.Column("end_station_id", sa.Uuid(), nullable=True),
        sa.Column("distance_meters", sa.Integer(), nullable=False),
        sa.Column("start_battery_percent", sa.Integer(), nullable=False),
        sa.Column("end_battery_percent", sa.Integer(), nullable=True),
        sa.Column("return_photo_id", sa.Uuid(), nullable=True),
        sa.Column("accepted_fine_minor", sa.Integer(), nullable=True),
        sa.CheckConstraint("(closed_at is not null) = (state in ('ended', 'cancelled'))", name=op.f("ck_trips_closed")),
        sa.CheckConstraint("(end_cause is not null) = (state in ('ended', 'cancelled'))", name=op.f("ck_trips_end_cause")),
        sa.CheckConstraint("(ended_at is not null) = (state = 'ended')", name=op.f("ck_trips_ended")),
        sa.CheckConstraint("(paused_at is not null) = (state = 'paused')", name=op.f("ck_trips_paused")),
        sa.CheckConstraint("(started_at is not null) = (state in ('in_use', 'paused', 'ended'))", name=op.f("ck_trips_started")),
        sa.CheckConstraint(
            "awaits is null or state in ('preparing', 'in_use', 'paused')", name=op.f("ck_trips_awaits_while_open")
        ),
        sa.CheckConstraint("(awaits is null) = (awaits_until is null)", name=op.f("ck_trips_awaits")),
        sa.CheckConstraint("distance_meters >= 0", name=op.f("ck_trips_distance")),
        sa.CheckConstraint("ended_at >= started_at", name=op.f("ck_trips_ends_after_start")),
        sa.ForeignKeyConstraint(["customer_id"], ["customers.id"], name=op.f("fk_trips_customer_id"), ondelete="CASCADE"),
        sa.ForeignKeyConstraint(["end_station_id"], ["stations.id"], name=op.f("fk_trips_end_station_id"), ondelete="SET NULL"),
        sa.ForeignKeyConstraint(["metro_id"], ["metros.id"], name=op.f("fk_trips_metro_id"), ondelete="CASCADE"),
        sa.ForeignKeyConstraint(
            ["reservation_id"], ["reservations.id"], name=op.f("fk_trips_reservation_id"), ondelete="CASCADE"
        ),
        sa.ForeignKeyConstraint(["return_photo_id"], ["photos.id"], name=op.f("fk_trips_return_photo_id"), ondelete="SET NULL"),
        sa.ForeignKeyConstraint(["tariff_id"], ["tariffs.id"], name=op.f("fk_trips_tariff_id")),
        sa.ForeignKeyConstraint(["vehicle_id"], ["vehicles.id"], name=op.f("fk_trips_vehicle_id"), ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_trips")),
    )
    op.create_index(
        "ix_trips_awaits_until", "trips", ["awaits_until"], unique=False, postgresql_where=sa.text("awaits_until is not null")
    )
    op.create_index("ix_trips_customer_id_id", "trips", ["customer_id", "id"], unique=False)
    op.create_index("ix_trips_metro_id_id", "trips", ["metro_id", "id"], unique=False)
    op.create_index(
        "ix_trips_one_open_per_customer",
        "trips",
        ["customer_id"],
        unique=True,
        postgresql_where=sa.text("state in ('preparing', 'in_use', 'paused')"),
    )
    op.create_index(
        "ix_trips_one_open_per_vehicle",
        "trips",
        ["vehicle_id"],
        unique=True,
        postgresql_where=sa.text("state in ('preparing', 'in_use', 'paused')"),
    )
    op.create_index(
        "ix_trips_one_per_reservation", "trips", ["reservation_id"], unique=True, postgresql_where=sa.text("state <> 'cancelled'")
    )
    op.create_index("ix_trips_vehicle_id_id", "trips", ["vehicle_id", "id"], unique=False)
    op.create_table(
        "feedback",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("trip_id", sa.Uuid(), nullable=False),
        sa.Column("customer_id", sa.Uuid(), nullable=False),
        sa.Column("rating", sa.SmallInteger(), nullable=False),
        sa.Column("comment", sa.String(), nullable=True),
        sa.Column("given_at", sa.DateTime(timezone=True), nullable=False),
        sa.CheckConstraint("rating between 1 and 5", name=op.f("ck_feedback_rating")),
        sa.ForeignKeyConstraint(["customer_id"], ["customers.id"], name=op.f("fk_feedback_customer_id"), ondelete="CASCADE"),
        sa.ForeignKeyConstraint(["trip_id"], ["trips.id"], name=op.f("fk_feedback_trip_id"), ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_feedback")),
        sa.UniqueConstraint("trip_id", name=op.f("uq_feedback_trip_id")),
    )
    op.create_index("ix_feedback_customer_id", "feedback", ["customer_id"], unique=False)
    op.create_table(
        "incidents",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("metro_id", sa.Uuid(), nullable=False),
        sa.Column("vehicle_id", sa.Uuid(), nullable=True),
        sa.Column("trip_id", sa.Uuid(), nullable=True),
        sa.Column("customer_id", sa.Uuid(), nullable=True),
        sa.Column("severity", sa.SmallInteger(), nullable=False),
        sa.Column(
            "kind",
            sa.Enum(
                "accident",
                "injury",
                "fire",
                "threat",
                "other",
                name="emergencykind",
                native_enum=False,
                create_constraint=True,
                length=40,
            ),
            nullable=False,
        ),
        sa.Column("comment", sa.String(), nullable=True),
        sa.Column("lat", sa.Double(), nullable=True),
        sa.Column("lon", sa.Double(), nullable=True),
        sa.Column("reported_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("resolved_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("resolved_by", sa.Uuid(), nullable=True),
        sa.CheckConstraint("severity between 1 and 4", name=op.f("ck_incidents_severity")),
        sa.ForeignKeyConstraint(["customer_id"], ["customers.id"], name=op.f("fk_incidents_customer_id"), ondelete="CASCADE"),
        sa.ForeignKeyConstraint(["metro_id"], ["metros.id"], name=op.f("fk_incidents_metro_id"), ondelete="CASCADE"),
        sa.ForeignKeyConstraint(["resolved_by"], ["staff.id"], name=op.f("fk_incidents_resolved_by"), ondelete="SET NULL"),
        sa.ForeignKeyConstraint(["trip_id"], ["trips.id"], name=op.f("fk_incidents_trip_id"), ondelete="CASCADE"),
        sa.ForeignKeyConstraint(["vehicle_id"], ["vehicles.id"], name=op.f("fk_incidents_vehicle_id"), ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_incidents")),
    )
    op.create_index("ix_incidents_customer_id", "incidents", ["customer_id"], unique=False)
    op.create_index(
        "ix_incidents_metro_id_open",
        "incidents",
        ["metro_id", "id"],
        unique=False,
        postgresql_where=sa.text("resolved_at is null"),
    )
    op.create_table(
        "lock_commands",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("vehicle_id", sa.Uuid(), nullable=False),
        sa.Column("trip_id", sa.Uuid(), nullable=True),
        sa.Column(
            "action",
            sa.Enum("unlock", "lock", name="lockaction", native_enum=False, create_constraint=True, length=40),
            nullable=False,
        ),
        sa.Column(
            "purpose",
            sa.Enum(
                "unlock",
                "pause",
                "resume",
                "return",
                "relock",
                name="lockpurpose",
                native_enum=False,
                create_constraint=True,
                length=40,
            ),
            nullable=False,
        ),
        sa.Column(
            "state",
            sa.Enum(
                "queued",
                "sent",
                "succeeded",
                "failed",
                "timed_out",
                name="lockcommandstate",
                native_enum=False,
                create_constraint=True,
                length=40,
            ),
            nullable=False,
        ),
        sa.Column("attempts", sa.Integer(), nullable=False),
        sa.Column("requested_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("next_attempt_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("expires_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("answered_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("failure", sa.String(), nullable=True),
        sa.CheckConstraint(
            "(answered_at is not null) = (state in ('succeeded', 'failed'))", name=op.f("ck_lock_commands_answered")
        ),
        sa.ForeignKeyConstraint(["trip_id"], ["trips.id"], name=op.f("fk_lock_commands_trip_id"), ondelete="CASCADE"),
        sa.ForeignKeyConstraint(["vehicle_id"], ["vehicles.id"], name=op.f("fk_lock_commands_vehicle_id"), ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_lock_commands")),
        sa.UniqueConstraint("vehicle_id", "id", name=op.f("uq_lock_commands_vehicle_id_id")),
    )
    op.create_index(
        "ix_lock_commands_next_attempt_at",
        "lock_commands",
        ["next_attempt_at"],
        unique=False,
        postgresql_where=sa.text("state in ('queued', 'sent')"),
    )
    op.create_index(
        "ix_lock_commands_one_open",
        "lock_commands",
        ["vehicle_id"],
        unique=True,
        postgresql_where=sa.text("state in ('queued', 'sent') and purpose <> 'relock'"),
    )
    op.create_index("ix_lock_commands_requested_at", "lock_commands", ["requested_at"], unique=False)
    op.create_index("ix_lock_commands_trip_id", "lock_commands", ["trip_id"], unique=False)
    op.create_table(
        "receipts",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("number", sa.String(), nullable=False),
        sa.Column(
            "source",
            sa.Enum(
                "trip", "cancellation", "credit_note", name="receiptsource", native_enum=False, create_constraint=True, length=40
            ),
            nullable=False,
        ),
        sa.Column("customer_id", sa.Uuid(), nullable=False),
        sa.Column("metro_id", sa.Uuid(), nullable=False),
        sa.Column("trip_id", sa.Uuid(), nullable=True),
        sa.Column("reservation_id", sa.Uuid(), nullable=True),
        sa.Column("corrects_id", sa.Uuid(), nullable=True),
        sa.Column("country_code", sa.String(length=2), nullable=False),
        sa.Column("currency", sa.String(length=3), nullable=False),
        sa.Column("total_minor", sa.BigInteger(), nullable=False),
        sa.Column("vat", postgresql.JSONB(astext_type=sa.Text()), nullable=False),
        sa.Column("settled_minor", sa.BigInteger(), nullable=False),
        sa.Column("is_overdue", sa.Boolean(), nullable=False),
        sa.Column("issued_at", sa.DateTime(timezone=True), nullable=False),
        sa.CheckConstraint("(source = 'credit_note') = (corrects_id is not null)", name=op.f("ck_receipts_corrects")),
        sa.CheckConstraint("(source = 'credit_note') or total_minor >= 0", name=op.f("ck_receipts_total")),
        sa.CheckConstraint("source = 'credit_note' or settled_minor between 0 and total_minor", name=op.f("ck_receipts_settled")),
        sa.ForeignKeyConstraint(["corrects_id"], ["receipts.id"], name=op.f("fk_receipts_corrects_id"), ondelete="CASCADE"),
        sa.ForeignKeyConstraint(["customer_id"], ["customers.id"], name=op.f("fk_receipts_customer_id"), ondelete="CASCADE"),
        sa.ForeignKeyConstraint(["metro_id"], ["metros.id"], name=op.f("fk_receipts_metro_id"), ondelete="CASCADE"),
        sa.ForeignKeyConstraint(
            ["reservation_id"], ["reservations.id"], name=op.f("fk_receipts_reservation_id"), ondelete="CASCADE"
        ),
        sa.ForeignKeyConstraint(["trip_id"], ["trips.id"], name=op.f("fk_receipts_trip_id"), ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_receipts")),
        sa.UniqueConstraint("number", name=op.f("uq_receipts_number")),
    )
    op.create_index(
        "ix_receipts_corrects_id", "receipts", ["corrects_id"], unique=False, postgresql_where=sa.text("corrects_id is not null")
    )
    op.create_index("ix_receipts_customer_id_id", "receipts", ["customer_id", "id"], unique=False)
    op.create_index(
        "ix_receipts_one_per_cancellation",
        "receipts",
        ["reservation_id"],
        unique=True,
        postgresql_where=sa.text("source = 'cancellation'"),
    )
    op.create_index("ix_receipts_one_per_trip", "receipts", ["trip_id"], unique=True, postgresql_where=sa.text("source = 'trip'"))
    op.create_index(
        "ix_receipts_unsettled",
        "receipts",
        ["customer_id"],
        unique=False,
        postgresql_where=sa.text("settled_minor < total_minor"),
    )
    op.create_table(
        "return_attempts",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("trip_id", sa.Uuid(), nullable=False),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("lat", sa.Double(), nullable=False),
        sa.Column("lon", sa.Double(), nullable=False),
        sa.Column("accuracy_meters", sa.Float(), nullable=False),
        sa.Column("refusals", sa.ARRAY(sa.String()), nullable=False),
        sa.ForeignKeyConstraint(["trip_id"], ["trips.id"], name=op.f("fk_return_attempts_trip_id"), ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_return_attempts")),
    )
    op.create_index("ix_return_attempts_trip_id_at", "return_attempts", ["trip_id", "at"], unique=False)
    op.create_table(
        "support_tickets",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("metro_id", sa.Uuid(), nullable=False),
        sa.Column("vehicle_id", sa.Uuid(), nullable=False),
        sa.Column("trip_id", sa.Uuid(), nullable=True),
        sa.Column("customer_id", sa.Uuid(), nullable=False),
        sa.Column(
            "support_type",
            sa.Enum(
                "broken_down",
                "not_at_location",
                "missing_after_pause",
                "not_clean",
                "not_available",
                "unable_to_open",
                "unable_to_close",
                "accident",
                "report_damage",
                "request_assistance",
                "other",
                name="supporttype",
                native_enum=False,
                create_constraint=True,
                length=40,
            ),
            nullable=False,
        ),
        sa.Column(
            "priority",
            sa.Enum(
                "error_cannot_continue",
                "error_can_continue",
                "disturbing_issue",
                "question",
                "other",
                name="supportpriority",
                native_enum=False,
                create_constraint=True,
                length=40,
            ),
            nullable=False,
        ),
        sa.Column("damaged_parts", sa.ARRAY(sa.String()), nullable=False),
        sa.Column("comment", sa.String(), nullable=True),
        sa.Column("photo_id", sa.Uuid(), nullable=True),
        sa.Column(
            "state",
            sa.Enum(
                "issue_open",
                "issue_resolved",
                "issue_revoked",
                name="supportstate",
                native_enum=False,
                create_constraint=True,
                length=40,
            ),
            nullable=False,
        ),
        sa.Column("withdrew_vehicle", sa.Boolean(), nullable=False),
        sa.Column("reported_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("closed_at", sa.DateTime(timezone=True), nullable=True),
        sa.ForeignKeyConstraint(
            ["customer_id"], ["customers.id"], name=op.f("fk_support_tickets_customer_id"), ondelete="CASCADE"
        ),
        sa.ForeignKeyConstraint(["metro_id"], ["metros.id"], name=op.f("fk_support_tickets_metro_id"), ondelete="CASCADE"),
        sa.ForeignKeyConstraint(["photo_id"], ["photos.id"], name=op.f("fk_support_tickets_photo_id"), ondelete="SET NULL"),
        sa.ForeignKeyConstraint(["trip_id"], ["trips.id"], name=op.f("fk_support_tickets_trip_id"), ondelete="CASCADE"),
        sa.ForeignKeyConstraint(["vehicle_id"], ["vehicles.id"], name=op.f("fk_support_tickets_vehicle_id"), ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_support_tickets")),
    )
    op.create_index("ix_support_tickets_customer_id", "support_tickets", ["customer_id"], unique=False)
    op.create_index(
        "ix_support_tickets_metro_id_open",
        "support_tickets",
        ["metro_id", "id"],
        unique=False,
        postgresql_where=sa.text("state = 'issue_open'"),
    )
    op.create_index("ix_support_tickets_vehicle_id_reported_at", "support_tickets", ["vehicle_id", "reported_at"], unique=False)
    op.create_table(
        "trip_pauses",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("trip_id", sa.Uuid(), nullable=False),
        sa.Column("started_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("ended_at", sa.DateTime(timezone=True), nullable=True),
        sa.CheckConstraint("ended_at >= started_at", name=op.f("ck_trip_pauses_ends_after_start")),
        sa.ForeignKeyConstraint(["trip_id"], ["trips.id"], name=op.f("fk_trip_pauses_trip_id"), ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_trip_pauses")),
    )
    op.create_index(
        "ix_trip_pauses_one_open", "trip_pauses", ["trip_id"], unique=True, postgresql_where=sa.text("ended_at is null")
    )
    op.create_index("ix_trip_pauses_trip_id_started_at", "trip_pauses", ["trip_id", "started_at"], unique=False)
    op.create_table(
        "trip_positions",
        sa.Column("trip_id", sa.Uuid(), nullable=False),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("received_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("lat", sa.Double(), nullable=False),
        sa.Column("lon", sa.Double(), nullable=False),
        sa.Column("accuracy_meters", sa.Float(), nullable=False),
        sa.ForeignKeyConstraint(["trip_id"], ["trips.id"], name=op.f("fk_trip_positions_trip_id"), ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("trip_id", "at", name=op.f("pk_trip_positions")),
    )
    op.create_index("ix_trip_positions_received_at", "trip_positions", ["received_at"], unique=False)
    op.create_table(
        "fines",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("trip_id", sa.Uuid(), nullable=False),
        sa.Column("customer_id", sa.Uuid(), nullable=False),
        sa.Column("metro_id", sa.Uuid(), nullable=False),
        sa.Column("receipt_id", sa.Uuid(), nullable=False),
        sa.Column(
            "kind",
            sa.Enum("late_return", "wrong_place", name="finekind", native_enum=False, create_constraint=True, length=40),
            nullable=False,
        ),
        sa.Column("amount_minor", sa.BigInteger(), nullable=False),
        sa.Column("currency", sa.String(length=3), nullable=False),
        sa.Column(
            "state",
            sa.Enum(
                "issued", "appealed", "upheld", "waived", name="finestate", native_enum=False, create_constraint=True, length=40
            ),
            nullable=False,
        ),
        sa.Column("photo_id", sa.Uuid(), nullable=True),
        sa.Column("evidence", postgresql.JSONB(astext_type=sa.Text()), nullable=False),
        sa.Column("issued_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("appeal_until", sa.DateTime(timezone=True), nullable=False),
        sa.Column("appealed_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("appeal_text", sa.String(), nullable=True),
        sa.Column("decided_by", sa.Uuid(), nullable=True),
        sa.Column("decided_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("decision_reason", sa.String(), nullable=True),
        sa.CheckConstraint("(decided_at is not null) = (state in ('upheld', 'waived'))", name=op.f("ck_fines_decided")),
        sa.CheckConstraint("(appealed_at is not null) = (appeal_text is not null)", name=op.f("ck_fines_appealed")),
        sa.CheckConstraint("amount_minor > 0", name=op.f("ck_fines_amount")),
        sa.ForeignKeyConstraint(["customer_id"], ["customers.id"], name=op.f("fk_fines_customer_id"), ondelete="CASCADE"),
        sa.ForeignKeyConstraint(["decided_by"], ["staff.id"], name=op.f("fk_fines_decided_by"), ondelete="SET NULL"),
        sa.ForeignKeyConstraint(["metro_id"], ["metros.id"], name=op.f("fk_fines_metro_id"), ondelete="CASCADE"),
        sa.ForeignKeyConstraint(["photo_id"], ["photos.id"], name=op.f("fk_fines_photo_id"), ondelete="SET NULL"),
        sa.ForeignKeyConstraint(["receipt_id"], ["receipts.id"], name=op.f("fk_fines_receipt_id"), ondelete="CASCADE"),
        sa.ForeignKeyConstraint(["trip_id"], ["trips.id"], name=op.f("fk_fines_trip_id"), ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_fines")),
        sa.UniqueConstraint("trip_id", "kind", name=op.f("uq_fines_trip_id_kind")),
    )
    op.create_index(
        "ix_fines_appealed", "fines", ["metro_id", "appealed_at"], unique=False, postgresql_where=sa.text("state = 'appealed'")
    )
    op.create_index("ix_fines_customer_id_id", "fines", ["customer_id", "id"], unique=False)
    op.create_index("ix_fines_receipt_id", "fines", ["receipt_id"], unique=False)
    op.create_table(
        "ledger_transactions",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("key", sa.String(), nullable=False),
        sa.Column("customer_id", sa.Uuid(), nullable=True),
        sa.Column("receipt_id", sa.Uuid(), nullable=True),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(
            ["customer_id"], ["customers.id"], name=op.f("fk_ledger_transactions_customer_id"), ondelete="CASCADE"
        ),
        sa.ForeignKeyConstraint(
            ["receipt_id"], ["receipts.id"], name=op.f("fk_ledger_transactions_receipt_id"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_ledger_transactions")),
        sa.UniqueConstraint("key", name=op.f("uq_ledger_transactions_key")),
    )
    op.create_index("ix_ledger_transactions_customer_id", "ledger_transactions", ["customer_id"], unique=False)
    op.create_index("ix_ledger_transactions_receipt_id", "ledger_transactions", ["receipt_id"], unique=False)
    op.create_table(
        "payments",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("customer_id", sa.Uuid(), nullable=False),
        sa.Column("method_id", sa.Uuid(), nullable=True),
        sa.Column(
            "purpose",
            sa.Enum("deposit", "receipt", name="paymentpurpose", native_enum=False, create_constraint=True, length=40),
            nullable=False,
        ),
        sa.Column("trip_id", sa.Uuid(), nullable=True),
        sa.Column("receipt_id", sa.Uuid(), nullable=True),
        sa.Column(
            "state",
            sa.Enum(
                "pending",
                "authorized",
                "succeeded",
                "failed",
                "cancelled",
                name="paymentstate",
                native_enum=False,
                create_constraint=True,
                length=40,
            ),
            nullable=False,
        ),
        sa.Column("currency", sa.String(length=3), nullable=False),
        sa.Column("amount_minor", sa.BigInteger(), nullable=False),
        sa.Column("captured_minor", sa.BigInteger(), nullable=False),
        sa.Column("refunded_minor", sa.BigInteger(), nullable=False),
        sa.Column(
            "asks",
            sa.Enum(
                "authorize",
                "charge",
                "capture",
                "cancel",
                name="paymentask",
                native_enum=False,
                create_constraint=True,
                length=40,
            ),
            nullable=True,
        ),
        sa.Column("attempts", sa.Integer(), nullable=False),
        sa.Column("next_attempt_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("gateway_ref", sa.String(), nullable=True),
        sa.Column("failure", sa.String(), nullable=True),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("updated_at", sa.DateTime(timezone=True), nullable=False),
        sa.CheckConstraint("(asks is null) = (next_attempt_at is null)", name=op.f("ck_payments_asks")),
        sa.CheckConstraint("amount_minor > 0", name=op.f("ck_payments_amount")),
        sa.CheckConstraint("captured_minor between 0 and amount_minor", name=op.f("ck_payments_captured")),
        sa.CheckConstraint("refunded_minor between 0 and captured_minor", name=op.f("ck_payments_refunded")),
        sa.ForeignKeyConstraint(["customer_id"], ["customers.id"], name=op.f("fk_payments_customer_id"), ondelete="CASCADE"),
        sa.ForeignKeyConstraint(["method_id"], ["payment_methods.id"], name=op.f("fk_payments_method_id"), ondelete="SET NULL"),
        sa.ForeignKeyConstraint(["receipt_id"], ["receipts.id"], name=op.f("fk_payments_receipt_id"), ondelete="CASCADE"),
        sa.ForeignKeyConstraint(["trip_id"], ["trips.id"], name=op.f("fk_payments_trip_id"), ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_payments")),
        sa.UniqueConstraint("gateway_ref", name=op.f("uq_payments_gateway_ref")),
    )
    op.create_index("ix_payments_customer_id_id", "payments", ["customer_id", "id"], unique=False)
    op.create_index(
        "ix_payments_next_attempt_at", "payments", ["next_attempt_at"], unique=False, postgresql_where=sa.text("asks is not null")
    )
    op.create_index(
        "ix_payments_one_deposit", "payments", ["trip_id"], unique=True, postgresql_where=sa.text("purpose = 'deposit'")
    )
    op.create_index(
        "ix_payments_one_pending_per_receipt",
        "payments",
        ["receipt_id"],
        unique=True,
        postgresql_where=sa.text("receipt_id is not null and state in ('pending', 'authorized')"),
    )
    op.create_index("ix_payments_receipt_id", "payments", ["receipt_id"], unique=False)
    op.create_table(
        "receipt_lines",
        sa.Column("receipt_id", sa.Uuid(), nullable=False),
        sa.Column("position", sa.Integer(), nullable=False),
        sa.Column(
            "kind",
            sa.Enum(
                "unlock",
                "reservation",
                "riding",
                "pause",
                "day_cap",
                "late_return",
                "wrong_place",
                "cancellation",
                name="linekind",
                native_enum=False,
                create_constraint=True,
                length=40,
            ),
            nullable=False,
        ),
        sa.Column(
            "category",
            sa.Enum(
                "fare",
                "extra_usage",
                "fine",
                "damage",
                "refund",
                "voucher",
                "credit",
                name="chargecategory",
                native_enum=False,
                create_constraint=True,
                length=40,
            ),
            nullable=False,
        ),
        sa.Column("quantity", sa.Integer(), nullable=False),
        sa.Column("unit_minor", sa.Numeric(precision=16, scale=4), nullable=False),
        sa.Column("amount_minor", sa.BigInteger(), nullable=False),
        sa.Column(
            "vat_treatment",
            sa.Enum("standard", "out_of_scope", name="vattreatment", native_enum=False, create_constraint=True, length=40),
            nullable=False,
        ),
        sa.Column("vat_percent", sa.Numeric(precision=5, scale=2), nullable=False),
        sa.ForeignKeyConstraint(["receipt_id"], ["receipts.id"], name=op.f("fk_receipt_lines_receipt_id"), ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("receipt_id", "position", name=op.f("pk_receipt_lines")),
    )
    op.create_table(
        "disputes",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("payment_id", sa.Uuid(), nullable=False),
        sa.Column("gateway_ref", sa.String(), nullable=False),
        sa.Column("amount_minor", sa.BigInteger(), nullable=False),
        sa.Column("reason", sa.String(), nullable=False),
        sa.Column(
            "state",
            sa.Enum("open", "won", "lost", name="disputestate", native_enum=False, create_constraint=True, length=40),
            nullable=False,
        ),
        sa.Column("opened_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("closed_at", sa.DateTime(timezone=True), nullable=True),
        sa.ForeignKeyConstraint(["payment_id"], ["payments.id"], name=op.f("fk_disputes_payment_id"), ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_disputes")),
        sa.UniqueConstraint("gateway_ref", name=op.f("uq_disputes_gateway_ref")),
    )
    op.create_index("ix_disputes_payment_id", "disputes", ["payment_id"], unique=False)
    op.create_table(
        "ledger_entries",
        sa.Column("transaction_id", sa.Uuid(), nullable=False),
        sa.Column("position", sa.Integer(), nullable=False),
        sa.Column(
            "account",
            sa.Enum(
                "receivable",
                "gateway",
                "revenue",
                "fines",
                "vat",
                "credit",
                "promotions",
                "disputed",
                "losses",
                "outside",
                name="ledgeraccount",
                native_enum=False,
                create_constraint=True,
                length=40,
            ),
            nullable=False,
        ),
        sa.Column("currency", sa.String(length=3), nullable=False),
        sa.Column("amount_minor", sa.BigInteger(), nullable=False),
        sa.CheckConstraint("amount_minor <> 0", name=op.f("ck_ledger_entries_amount")),
        sa.ForeignKeyConstraint(
            ["transaction_id"], ["ledger_transactions.id"], name=op.f("fk_ledger_entries_transaction_id"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("transaction_id", "position", name=op.f("pk_ledger_entries")),
        sa.UniqueConstraint(
            "transaction_id", "account", "currency", name=op.f("uq_ledger_entries_transaction_id_account_currency")
        ),
    )
    op.create_index("ix_ledger_entries_account", "ledger_entries", ["account", "currency"], unique=False)
    op.create_table(
        "refunds",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("payment_id", sa.Uuid(), nullable=False),
        sa.Column("receipt_id", sa.Uuid(), nullable=False),
        sa.Column("amount_minor", sa.BigInteger(), nullable=False),
        sa.Column(
            "state",
            sa.Enum("pending", "succeeded", "failed", name="refundstate", native_enum=False, create_constraint=True, length=40),
            nullable=False,
        ),
        sa.Column("attempts", sa.Integer(), nullable=False),
        sa.Column("next_attempt_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("gateway_ref", sa.String(), nullable=True),
        sa.Column("failure", sa.String(), nullable=True),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.CheckConstraint("amount_minor > 0", name=op.f("ck_refunds_amount")),
        sa.ForeignKeyConstraint(["payment_id"], ["payments.id"], name=op.f("fk_refunds_payment_id"), ondelete="CASCADE"),
        sa.ForeignKeyConstraint(["receipt_id"], ["receipts.id"], name=op.f("fk_refunds_receipt_id"), ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_refunds")),
        sa.UniqueConstraint("gateway_ref", name=op.f("uq_refunds_gateway_ref")),
    )
    op.create_index(
        "ix_refunds_next_attempt_at", "refunds", ["next_attempt_at"], unique=False, postgresql_where=sa.text("state = 'pending'")
    )
    op.create_index("ix_refunds_payment_id", "refunds", ["payment_id"], unique=False)
    op.create_index("ix_refunds_receipt_id", "refunds", ["receipt_id"], unique=False)
    op.add_column("customers", sa.Column("gateway_ref", sa.String(), nullable=True))
    op.create_unique_constraint(op.f("uq_customers_gateway_ref"), "customers", ["gateway_ref"])
    op.add_column("metros", sa.Column("unlock_radius_meters", sa.Integer(), server_default="100", nullable=False))
    op.add_column("metros", sa.Column("return_radius_meters", sa.Integer(), server_default="50", nullable=False))
    op.add_column("metros", sa.Column("return_accuracy_meters", sa.Integer(), server_default="100", nullable=False))
    op.add_column("metros", sa.Column("return_settle_minutes", sa.Integer(), server_default="15", nullable=False))
    op.add_column("metros", sa.Column("return_warning_minutes", sa.Integer(), server_default="30", nullable=False))
    op.add_column("metros", sa.Column("late_grace_minutes", sa.Integer(), server_default="10", nullable=False))
    op.add_column("metros", sa.Column("appeal_days", sa.Integer(), server_default="14", nullable=False))
    op.add_column("tariffs", sa.Column("reservation_minor", sa.Integer(), server_default="0", nullable=False))
    op.add_column(
        "tariffs", sa.Column("pause_per_minute_minor", sa.Numeric(precision=12, scale=4), server_default="0", nullable=False)
    )
    op.add_column("tariffs", sa.Column("late_fine_minor", sa.Integer(), server_default="0", nullable=False))
    op.add_column("tariffs", sa.Column("wrong_place_fine_minor", sa.Integer(), server_default="0", nullable=False))
    op.add_column(
        "tariffs",
        sa.Column(
            "fee_vat",
            sa.Enum("standard", "out_of_scope", name="vattreatment", native_enum=False, create_constraint=True, length=40),
            server_default="standard",
            nullable=False,
        ),
    )
    op.add_column("tariffs", sa.Column("deposit_minor", sa.Integer(), server_default="0", nullable=False))
    op.add_column("vehicles", sa.Column("is_plugged_in", sa.Boolean(), nullable=True))
    op.add_column("vehicles", sa.Column("nfc_token", sa.String(), nullable=True))
    op.create_unique_constraint(op.f("uq_vehicles_nfc_token"), "vehicles", ["nfc_token"])
    op.execute(_BALANCED)


def downgrade() -> None:

    op.drop_constraint(op.f("uq_vehicles_nfc_token"), "vehicles", type_="unique")
    op.drop_column("vehicles", "nfc_token")
    op.drop_column("vehicles", "is_plugged_in")
    op.drop_column("tariffs", "deposit_minor")
    op.drop_column("tariffs", "fee_vat")
    op.drop_column("tariffs", "wrong_place_fine_minor")
    op.drop_column("tariffs", "late_fine_minor")
    op.drop_column("tariffs", "pause_per_minute_minor")
    op.drop_column("tariffs", "reservation_minor")
    op.drop_column("metros", "appeal_days")
    op.drop_column("metros", "late_grace_minutes")
    op.drop_column("metros", "return_warning_minutes")
    op.drop_column("metros", "return_settle_minutes")
    op.drop_column("metros", "return_accuracy_meters")
    op.drop_column("metros", "return_radius_meters")
    op.drop_column("metros", "unlock_radius_meters")
    op.drop_constraint(op.f("uq_customers_gateway_ref"), "customers", type_="unique")
    op.drop_column("customers", "gateway_ref")
    op.drop_index("ix_refunds_receipt_id", table_name="refunds")
    op.drop_index("ix_refunds_payment_id", table_name="refunds")
    op.drop_index("ix_refunds_next_attempt_at", table_name="refunds", postgresql_where=sa.text("state = 'pending'"))
    op.drop_table("refunds")
    op.drop_index("ix_ledger_entries_account", table_name="ledger_entries")
    op.drop_table("ledger_entries")
    op.drop_index("ix_disputes_payment_id", table_name="disputes")
    op.drop_table("disputes")
    op.drop_table("receipt_lines")
    op.drop_index("ix_payments_receipt_id", table_name="payments")
    op.drop_index(
        "ix_payments_one_pending_per_receipt",
        table_name="payments",
        postgresql_where=sa.text("receipt_id is not null and state in ('pending', 'authorized')"),
    )
    op.drop_index("ix_payments_one_deposit", table_name="payments", postgresql_where=sa.text("purpose = 'deposit'"))
    op.drop_index("ix_payments_next_attempt_at", table_name="payments", postgresql_where=sa.text("asks is not null"))
    op.drop_index("ix_payments_customer_id_id", table_name="payments")
    op.drop_table("payments")
    op.drop_index("ix_ledger_transactions_receipt_id", table_name="ledger_transactions")
    op.drop_index("ix_ledger_transactions_customer_id", table_name="ledger_transactions")
    op.drop_table("ledger_transactions")
    op.drop_index("ix_fines_receipt_id", table_name="fines")
    op.drop_index("ix_fines_customer_id_id", table_name="fines")
    op.drop_index("ix_fines_appealed", table_name="fines", postgresql_where=sa.text("state = 'appealed'"))
    op.drop_table("fines")
    op.drop_index("ix_trip_positions_received_at", table_name="trip_positions")
    op.drop_table("trip_positions")
    op.drop_index("ix_trip_pauses_trip_id_started_at", table_name="trip_pauses")
    op.drop_index("ix_trip_pauses_one_open", table_name="trip_pauses", postgresql_where=sa.text("ended_at is null"))
    op.drop_table("trip_pauses")
    op.drop_index("ix_support_tickets_vehicle_id_reported_at", table_name="support_tickets")
    op.drop_index(
        "ix_support_tickets_metro_id_open", table_name="support_tickets", postgresql_where=sa.text("state = 'issue_open'")
    )
    op.drop_index("ix_support_tickets_customer_id", table_name="support_tickets")
    op.drop_table("support_tickets")
    op.drop_index("ix_return_attempts_trip_id_at", table_name="return_attempts")
    op.drop_table("return_attempts")
    op.drop_index("ix_receipts_unsettled", table_name="receipts", postgresql_where=sa.text("settled_minor < total_minor"))
    op.drop_index("ix_receipts_one_per_trip", table_name="receipts", postgresql_where=sa.text("source = 'trip'"))
    op.drop_index("ix_receipts_one_per_cancellation", table_name="receipts", postgresql_where=sa.text("source = 'cancellation'"))
    op.drop_index("ix_receipts_customer_id_id", table_name="receipts")
    op.drop_index("ix_receipts_corrects_id", table_name="receipts", postgresql_where=sa.text("corrects_id is not null"))
    op.drop_table("receipts")
    op.drop_index("ix_lock_commands_trip_id", table_name="lock_commands")
    op.drop_index("ix_lock_commands_requested_at", table_name="lock_commands")
    op.drop_index(
        "ix_lock_commands_one_open",
        table_name="lock_commands",
        postgresql_where=sa.text("state in ('queued', 'sent') and purpose <> 'relock'"),
    )
    op.drop_index(
        "ix_lock_commands_next_attempt_at", table_name="lock_commands", postgresql_where=sa.text("state in ('queued', 'sent')")
    )
    op.drop_table("lock_commands")
    op.drop_index("ix_incidents_metro_id_open", table_name="incidents", postgresql_where=sa.text("resolved_at is null"))
    op.drop_index("ix_incidents_customer_id", table_name="incidents")
    op.drop_table("incidents")
    op.drop_index("ix_feedback_customer_id", table_name="feedback")
    op.drop_table("feedback")
    op.drop_index("ix_trips_vehicle_id_id", table_name="trips")
    op.drop_index("ix_trips_one_per_reservation", table_name="trips", postgresql_where=sa.text("state <> 'cancelled'"))
    op.drop_index(
        "ix_trips_one_open_per_vehicle",
        table_name="trips",
        postgresql_where=sa.text("state in ('preparing', 'in_use', 'paused')"),
    )
    op.drop_index(
        "ix_trips_one_open_per_customer",
        table_name="trips",
        postgresql_where=sa.text("state in ('preparing', 'in_use', 'paused')"),
    )
    op.drop_index("ix_trips_metro_id_id", table_name="trips")
    op.drop_index("ix_trips_customer_id_id", table_name="trips")
    op.drop_index("ix_trips_awaits_until", table_name="trips", postgresql_where=sa.text("awaits_until is not null"))
    op.drop_table("trips")
    op.drop_index("ix_redemptions_customer_id", table_name="redemptions")
    op.drop_table("redemptions")
    op.drop_table("promotions")
    op.drop_index("ix_photos_forget_at", table_name="photos", postgresql_where=sa.text("forget_at is not null"))
    op.drop_index("ix_photos_expires_at", table_name="photos", postgresql_where=sa.text("state = 'requested'"))
    op.drop_index("ix_photos_customer_id_id", table_name="photos")
    op.drop_table("photos")
    op.drop_index("ix_payment_methods_one_default", table_name="payment_methods", postgresql_where=sa.text("is_default"))
    op.drop_index("ix_payment_methods_customer_id", table_name="payment_methods")
    op.drop_table("payment_methods")
    op.drop_table("receipt_numbers")
    op.drop_index("ix_gateway_events_received_at", table_name="gateway_events")
    op.drop_table("gateway_events")
    op.execute("drop function must_balance() cascade")
    op.execute("drop function must_not_change() cascade")
    op.execute("update reservations set cancel_cause = null where cancel_cause in ('unlock_failed')")
    op.get_bind().execute(sa.text("delete from notifications where kind = any(:kinds)"), {"kinds": list(_NEW_KINDS)})
    _must_be_one_of("reservations", "ck_reservations_cancelcause", "cancel_cause", _CAUSES)
    _must_be_one_of("notifications", "ck_notifications_notificationkind", "kind", _KINDS)
