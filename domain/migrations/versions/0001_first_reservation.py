"""Everything that the first reservation by chat needs.

Revision: 0001
"""

import sqlalchemy as sa
from alembic import op
from procrastinate import schema
from sqlalchemy.dialects import postgresql

from domain.tables.log import Xid8

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None

#: Tells every process which topics have grown, once per statement and topic; a deployment that rings through Redis
#: switches it off by connection setting, because NOTIFY serializes commits.
RING = """
create function nimrod_ring_doorbell() returns trigger language plpgsql as $$
begin
    if coalesce(current_setting('nimrod.doorbell', true), 'notify') <> 'none' then
        perform pg_notify('nimrod_doorbell', topic) from (select distinct topic from added) as topics;
    end if;
    return null;
end $$
"""


def upgrade() -> None:
    # Equality of ids inside a GiST index without the btree_gist extension: ranges of one id overlap when it is the same.
    op.execute("create type uuidrange as range (subtype = uuid)")
    op.create_table(
        "customers",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("email", sa.String(), nullable=False),
        sa.Column("password_hash", sa.String(), nullable=True),
        sa.Column("name", sa.String(), nullable=False),
        sa.Column("language", sa.String(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.CheckConstraint("email = lower(email)", name=op.f("ck_customers_email_lower")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_customers")),
        sa.UniqueConstraint("email", name=op.f("uq_customers_email")),
    )
    op.create_table(
        "event_log",
        sa.Column("seq", sa.BigInteger(), sa.Identity(always=True), nullable=False),
        sa.Column("xid", Xid8(), server_default=sa.text("pg_current_xact_id()"), nullable=False),
        sa.Column("topic", sa.String(), nullable=False),
        sa.Column("kind", sa.String(), nullable=False),
        sa.Column("version", sa.SmallInteger(), nullable=False),
        sa.Column("payload", postgresql.JSONB(astext_type=sa.Text()), nullable=False),
        sa.Column("at", sa.DateTime(timezone=True), server_default=sa.text("clock_timestamp()"), nullable=False),
        sa.PrimaryKeyConstraint("seq", name=op.f("pk_event_log")),
    )
    op.create_index("ix_event_log_topic_xid_seq", "event_log", ["topic", "xid", "seq"], unique=False)
    op.create_table(
        "event_log_epoch",
        sa.Column("singleton", sa.Boolean(), nullable=False),
        sa.Column("epoch", sa.Integer(), nullable=False),
        sa.Column("system_identifier", sa.BigInteger(), nullable=False),
        sa.Column("raised_at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("singleton", name=op.f("pk_event_log_epoch")),
    )
    op.create_table(
        "idempotency_keys",
        sa.Column("account_id", sa.Uuid(), nullable=False),
        sa.Column("mutation", sa.String(length=60), nullable=False),
        sa.Column("key", sa.String(length=100), nullable=False),
        sa.Column("input_digest", sa.LargeBinary(), nullable=False),
        sa.Column("result_id", sa.Uuid(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("account_id", "mutation", "key", name=op.f("pk_idempotency_keys")),
    )
    op.create_index("ix_idempotency_keys_created_at", "idempotency_keys", ["created_at"], unique=False)
    op.create_table(
        "metros",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("slug", sa.String(), nullable=False),
        sa.Column("name", sa.String(), nullable=False),
        sa.Column("country_code", sa.String(length=2), nullable=False),
        sa.Column("timezone", sa.String(), nullable=False),
        sa.Column("currency", sa.String(length=3), nullable=False),
        sa.Column("languages", sa.ARRAY(sa.String()), nullable=False),
        sa.Column("lat", sa.Double(), nullable=False),
        sa.Column("lon", sa.Double(), nullable=False),
        sa.Column("south", sa.Double(), nullable=False),
        sa.Column("west", sa.Double(), nullable=False),
        sa.Column("north", sa.Double(), nullable=False),
        sa.Column("east", sa.Double(), nullable=False),
        sa.Column("map_digest", sa.String(), nullable=False),
        sa.Column("attribution", sa.String(), nullable=False),
        sa.Column("is_default", sa.Boolean(), nullable=False),
        sa.Column("hold_ahead_minutes", sa.Integer(), nullable=False),
        sa.Column("hold_lapse_minutes", sa.Integer(), nullable=False),
        sa.Column("ride_max_hours", sa.Integer(), nullable=False),
        sa.Column("booking_ahead_days", sa.Integer(), nullable=False),
        sa.Column("booking_min_minutes", sa.Integer(), nullable=False),
        sa.Column("booking_max_days", sa.Integer(), nullable=False),
        sa.Column("proposal_minutes", sa.Integer(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_metros")),
        sa.UniqueConstraint("map_digest", name=op.f("uq_metros_map_digest")),
        sa.UniqueConstraint("slug", name=op.f("uq_metros_slug")),
    )
    op.create_index("ix_metros_one_default", "metros", ["is_default"], unique=True, postgresql_where="is_default")
    op.create_table(
        "sign_in_sessions",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column(
            "audience",
            sa.Enum("customer", "ops", name="audience", native_enum=False, create_constraint=True, length=40),
            nullable=False,
        ),
        sa.Column("account_id", sa.Uuid(), nullable=False),
        sa.Column("refresh_hash", sa.LargeBinary(), nullable=False),
        sa.Column("previous_refresh_hash", sa.LargeBinary(), nullable=True),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("refreshed_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("expires_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("ended_at", sa.DateTime(timezone=True), nullable=True),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_sign_in_sessions")),
    )
    op.create_index("ix_sign_in_sessions_audience_account_id", "sign_in_sessions", ["audience", "account_id"], unique=False)
    op.create_index("ix_sign_in_sessions_previous_refresh_hash", "sign_in_sessions", ["previous_refresh_hash"], unique=False)
    op.create_index("ix_sign_in_sessions_refresh_hash", "sign_in_sessions", ["refresh_hash"], unique=True)
    op.create_table(
        "staff",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("email", sa.String(), nullable=False),
        sa.Column("password_hash", sa.String(), nullable=True),
        sa.Column("name", sa.String(), nullable=False),
        sa.Column(
            "role",
            sa.Enum(
                "rider", "technician", "dispatcher", "admin", name="role", native_enum=False, create_constraint=True, length=40
            ),
            nullable=False,
        ),
        sa.Column("metro_ids", sa.ARRAY(sa.Uuid()), nullable=True),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.CheckConstraint("role <> 'rider'", name=op.f("ck_staff_role_of_staff")),
        sa.CheckConstraint("email = lower(email)", name=op.f("ck_staff_email_lower")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_staff")),
        sa.UniqueConstraint("email", name=op.f("uq_staff_email")),
    )
    op.create_table(
        "conversations",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("customer_id", sa.Uuid(), nullable=False),
        sa.Column("metro_id", sa.Uuid(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(["customer_id"], ["customers.id"], name=op.f("fk_conversations_customer_id"), ondelete="CASCADE"),
        sa.ForeignKeyConstraint(["metro_id"], ["metros.id"], name=op.f("fk_conversations_metro_id"), ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_conversations")),
    )
    op.create_index("ix_conversations_customer_id_id", "conversations", ["customer_id", "id"], unique=False)
    op.create_table(
        "places",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("metro_id", sa.Uuid(), nullable=False),
        sa.Column("name", sa.String(), nullable=False),
        sa.Column("name_folded", sa.String(), nullable=False),
        sa.Column("kind", sa.String(), nullable=False),
        sa.Column("locality", sa.String(), nullable=True),
        sa.Column("importance", sa.Integer(), nullable=False),
        sa.Column("lat", sa.Double(), nullable=False),
        sa.Column("lon", sa.Double(), nullable=False),
        sa.Column("h3_cell", sa.BigInteger(), nullable=False),
        sa.Column("osm_ref", sa.String(), nullable=False),
        sa.ForeignKeyConstraint(["metro_id"], ["metros.id"], name=op.f("fk_places_metro_id"), ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_places")),
        sa.UniqueConstraint("metro_id", "osm_ref", name=op.f("uq_places_metro_id_osm_ref")),
    )
    op.create_index("ix_places_metro_id_h3_cell", "places", ["metro_id", "h3_cell"], unique=False)
    op.create_index(
        "ix_places_metro_id_name_folded",
        "places",
        ["metro_id", "name_folded"],
        unique=False,
        postgresql_ops={"name_folded": "text_pattern_ops"},
    )
    op.create_table(
        "stations",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("metro_id", sa.Uuid(), nullable=False),
        sa.Column("name", sa.String(), nullable=False),
        sa.Column("lat", sa.Double(), nullable=False),
        sa.Column("lon", sa.Double(), nullable=False),
        sa.Column("h3_cell", sa.BigInteger(), nullable=False),
        sa.Column("capacity", sa.Integer(), nullable=False),
        sa.Column("is_charging_station", sa.Boolean(), nullable=False),
        sa.Column("osm_ref", sa.String(), nullable=False),
        sa.CheckConstraint("capacity > 0", name=op.f("ck_stations_capacity")),
        sa.ForeignKeyConstraint(["metro_id"], ["metros.id"], name=op.f("fk_stations_metro_id"), ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_stations")),
        sa.UniqueConstraint("metro_id", "osm_ref", name=op.f("uq_stations_metro_id_osm_ref")),
    )
    op.create_index("ix_stations_metro_id_h3_cell", "stations", ["metro_id", "h3_cell"], unique=False)
    op.create_table(
        "tariffs",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("metro_id", sa.Uuid(), nullable=False),
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
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("currency", sa.String(length=3), nullable=False),
        sa.Column("unlock_minor", sa.Integer(), nullable=False),
        sa.Column("per_minute_minor", sa.Numeric(precision=12, scale=4), nullable=False),
        sa.Column("day_cap_minor", sa.Integer(), nullable=True),
        sa.Column("vat_percent", sa.Numeric(precision=5, scale=2), nullable=False),
        sa.Column("valid_from", sa.DateTime(timezone=True), nullable=False),
        sa.CheckConstraint("unlock_minor >= 0 and per_minute_minor >= 0 and day_cap_minor >= 0", name=op.f("ck_tariffs_amounts")),
        sa.ForeignKeyConstraint(["metro_id"], ["metros.id"], name=op.f("fk_tariffs_metro_id"), ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_tariffs")),
        sa.UniqueConstraint("metro_id", "vehicle_type", "version", name=op.f("uq_tariffs_metro_id_vehicle_type_version")),
    )
    op.create_table(
        "zones",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("metro_id", sa.Uuid(), nullable=False),
        sa.Column("name", sa.String(), nullable=False),
        sa.Column("geometry", postgresql.JSONB(astext_type=sa.Text()), nullable=False),
        sa.Column("ride_start_allowed", sa.Boolean(), nullable=False),
        sa.Column("ride_end_allowed", sa.Boolean(), nullable=False),
        sa.Column("ride_through_allowed", sa.Boolean(), nullable=False),
        sa.Column("maximum_speed_kph", sa.Integer(), nullable=True),
        sa.ForeignKeyConstraint(["metro_id"], ["metros.id"], name=op.f("fk_zones_metro_id"), ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_zones")),
        sa.UniqueConstraint("metro_id", "name", name=op.f("uq_zones_metro_id_name")),
    )
    op.create_table(
        "turns",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("conversation_id", sa.Uuid(), nullable=False),
        sa.Column(
            "kind",
            sa.Enum("message", "report", name="turnkind", native_enum=False, create_constraint=True, length=40),
            nullable=False,
        ),
        sa.Column(
            "state",
            sa.Enum(
                "queued", "running", "done", "failed", name="turnstate", native_enum=False, create_constraint=True, length=40
            ),
            nullable=False,
        ),
        sa.Column("attempt", sa.Integer(), nullable=False),
        sa.Column("context", postgresql.JSONB(astext_type=sa.Text()), nullable=False),
        sa.Column("model_messages", postgresql.JSONB(astext_type=sa.Text()), nullable=True),
        sa.Column("model", sa.String(), nullable=True),
        sa.Column("input_tokens", sa.Integer(), nullable=True),
        sa.Column("output_tokens", sa.Integer(), nullable=True),
        sa.Column("failure_code", sa.String(), nullable=True),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("started_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("finished_at", sa.DateTime(timezone=True), nullable=True),
        sa.ForeignKeyConstraint(
            ["conversation_id"], ["conversations.id"], name=op.f("fk_turns_conversation_id"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_turns")),
    )
    op.create_index("ix_turns_conversation_id_id", "turns", ["conversation_id", "id"], unique=False)
    op.create_table(
        "vehicles",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("metro_id", sa.Uuid(), nullable=False),
        sa.Column("published_id", sa.Uuid(), nullable=False),
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
        sa.Column(
            "state",
            sa.Enum(
                "available",
                "reserved",
                "on_trip",
                "stopped",
                "non_operational",
                "removed",
                "non_contactable",
                "missing",
                "elsewhere",
                name="vehiclestate",
                native_enum=False,
                create_constraint=True,
                length=40,
            ),
            nullable=False,
        ),
        sa.Column("plate", sa.String(), nullable=False),
        sa.Column("battery_percent", sa.Integer(), nullable=False),
        sa.Column("current_range_meters", sa.Integer(), nullable=False),
        sa.Column("odometer_meters", sa.BigInteger(), nullable=False),
        sa.Column("lat", sa.Double(), nullable=False),
        sa.Column("lon", sa.Double(), nullable=False),
        sa.Column("h3_cell", sa.BigInteger(), nullable=False),
        sa.Column("station_id", sa.Uuid(), nullable=True),
        sa.Column("updated_at", sa.DateTime(timezone=True), nullable=False),
        sa.CheckConstraint("battery_percent between 0 and 100", name=op.f("ck_vehicles_battery_percent")),
        sa.ForeignKeyConstraint(["metro_id"], ["metros.id"], name=op.f("fk_vehicles_metro_id"), ondelete="CASCADE"),
        sa.ForeignKeyConstraint(["station_id"], ["stations.id"], name=op.f("fk_vehicles_station_id"), ondelete="SET NULL"),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_vehicles")),
        sa.UniqueConstraint("metro_id", "plate", name=op.f("uq_vehicles_metro_id_plate")),
        sa.UniqueConstraint("published_id", name=op.f("uq_vehicles_published_id")),
    )
    op.create_index("ix_vehicles_metro_id_h3_cell", "vehicles", ["metro_id", "h3_cell", "vehicle_type"], unique=False)
    op.create_index("ix_vehicles_metro_id_state_lat_lon", "vehicles", ["metro_id", "state", "lat", "lon"], unique=False)
    op.create_table(
        "messages",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("conversation_id", sa.Uuid(), nullable=False),
        sa.Column("turn_id", sa.Uuid(), nullable=False),
        sa.Column("author", sa.String(length=10), nullable=False),
        sa.Column("text", sa.String(), nullable=False),
        sa.Column("client_message_id", sa.String(length=100), nullable=True),
        sa.Column("lat", sa.Double(), nullable=True),
        sa.Column("lon", sa.Double(), nullable=True),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.CheckConstraint("author in ('rider', 'agent')", name=op.f("ck_messages_author")),
        sa.ForeignKeyConstraint(
            ["conversation_id"], ["conversations.id"], name=op.f("fk_messages_conversation_id"), ondelete="CASCADE"
        ),
        sa.ForeignKeyConstraint(["turn_id"], ["turns.id"], name=op.f("fk_messages_turn_id"), ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_messages")),
        sa.UniqueConstraint("conversation_id", "client_message_id", name=op.f("uq_messages_conversation_id_client_message_id")),
    )
    op.create_index("ix_messages_conversation_id_id", "messages", ["conversation_id", "id"], unique=False)
    op.create_table(
        "reservations",
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
        sa.Column("tariff_id", sa.Uuid(), nullable=False),
        sa.Column(
            "state",
            sa.Enum(
                "confirmed",
                "started",
                "ended",
                "cancelled",
                "expired",
                name="reservationstate",
                native_enum=False,
                create_constraint=True,
                length=40,
            ),
            nullable=False,
        ),
        sa.Column("starts_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("ends_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("lapses_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("blocked", postgresql.TSTZRANGE(), nullable=False),
        sa.Column("quoted_minor", sa.Integer(), nullable=True),
        sa.Column("currency", sa.String(length=3), nullable=False),
        sa.Column("cancel_reason", sa.String(), nullable=True),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("closed_at", sa.DateTime(timezone=True), nullable=True),
        postgresql.ExcludeConstraint(
            (sa.text("uuidrange(vehicle_id, vehicle_id, '[]')"), "&&"),
            (sa.literal_column("blocked"), "&&"),
            where=sa.text("state in ('confirmed', 'started')"),
            using="gist",
            name="ex_reservations_vehicle_blocked",
        ),
        sa.CheckConstraint(
            "not isempty(blocked) or state not in ('confirmed', 'started')", name=op.f("ck_reservations_blocked_not_empty")
        ),
        sa.CheckConstraint("ends_at > starts_at", name=op.f("ck_reservations_ends_after_start")),
        sa.ForeignKeyConstraint(["customer_id"], ["customers.id"], name=op.f("fk_reservations_customer_id"), ondelete="CASCADE"),
        sa.ForeignKeyConstraint(["metro_id"], ["metros.id"], name=op.f("fk_reservations_metro_id"), ondelete="CASCADE"),
        sa.ForeignKeyConstraint(["tariff_id"], ["tariffs.id"], name=op.f("fk_reservations_tariff_id")),
        sa.ForeignKeyConstraint(["vehicle_id"], ["vehicles.id"], name=op.f("fk_reservations_vehicle_id"), ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_reservations")),
    )
    op.create_index("ix_reservations_customer_id_id", "reservations", ["customer_id", "id"], unique=False)
    op.create_index(
        "ix_reservations_lapses_at", "reservations", ["lapses_at"], unique=False, postgresql_where=sa.text("state = 'confirmed'")
    )
    op.create_index("ix_reservations_metro_id_id", "reservations", ["metro_id", "id"], unique=False)
    op.create_index(
        "ix_reservations_vehicle_id",
        "reservations",
        ["vehicle_id"],
        unique=False,
        postgresql_where=sa.text("state in ('confirmed', 'started')"),
    )
    op.create_table(
        "proposals",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("conversation_id", sa.Uuid(), nullable=False),
        sa.Column("turn_id", sa.Uuid(), nullable=False),
        sa.Column("attempt", sa.Integer(), nullable=False),
        sa.Column("action", sa.String(), nullable=False),
        sa.Column("arguments", postgresql.JSONB(astext_type=sa.Text()), nullable=False),
        sa.Column("summary", postgresql.JSONB(astext_type=sa.Text()), nullable=False),
        sa.Column("digest", sa.LargeBinary(), nullable=False),
        sa.Column(
            "state",
            sa.Enum(
                "pending",
                "executed",
                "declined",
                "superseded",
                name="proposalstate",
                native_enum=False,
                create_constraint=True,
                length=40,
            ),
            nullable=False,
        ),
        sa.Column("expires_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("decided_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("reservation_id", sa.Uuid(), nullable=True),
        sa.ForeignKeyConstraint(
            ["conversation_id"], ["conversations.id"], name=op.f("fk_proposals_conversation_id"), ondelete="CASCADE"
        ),
        sa.ForeignKeyConstraint(
            ["reservation_id"], ["reservations.id"], name=op.f("fk_proposals_reservation_id"), ondelete="SET NULL"
        ),
        sa.ForeignKeyConstraint(["turn_id"], ["turns.id"], name=op.f("fk_proposals_turn_id"), ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_proposals")),
    )
    op.create_index(
        "ix_proposals_one_pending", "proposals", ["conversation_id"], unique=True, postgresql_where=sa.text("state = 'pending'")
    )
    op.create_index("ix_proposals_turn_id", "proposals", ["turn_id"], unique=False)
    op.execute(RING)
    op.execute(
        "create trigger event_log_ring after insert on event_log"
        " referencing new table as added for each statement execute function nimrod_ring_doorbell()"
    )
    op.execute("alter table event_log set (autovacuum_vacuum_insert_scale_factor = 0.05)")
    _create_procrastinate()


def _create_procrastinate() -> None:
    """The job queue's own schema, as its library ships it; libpq runs many statements at once when there is no parameter."""
    op.get_bind().connection.cursor().execute(schema.SchemaManager.get_schema())


def downgrade() -> None:
    raise NotImplementedError("There is nothing before the first revision: drop the database instead.")
