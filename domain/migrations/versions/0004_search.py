"""Search: indexes for stations and what stands at them, and the demand that was not met.

Revision: 0004
"""

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None


def upgrade() -> None:
    # Not concurrently: that waits for every open snapshot, also of the processes that wait for this migration.
    op.create_index("ix_stations_metro_id_lat_lon", "stations", ["metro_id", "lat", "lon"], unique=False)
    op.create_index(
        "ix_vehicles_station_id", "vehicles", ["station_id"], unique=False, postgresql_where=sa.text("station_id is not null")
    )
    op.create_table(
        "unmet_demand",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("metro_id", sa.Uuid(), nullable=False),
        sa.Column("h3_cell", sa.BigInteger(), nullable=False),
        sa.Column("hour", sa.DateTime(timezone=True), nullable=False),
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
            nullable=True,
        ),
        sa.Column("count", sa.Integer(), nullable=False),
        sa.CheckConstraint("count > 0", name=op.f("ck_unmet_demand_count")),
        sa.ForeignKeyConstraint(["metro_id"], ["metros.id"], name=op.f("fk_unmet_demand_metro_id"), ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_unmet_demand")),
        sa.UniqueConstraint(
            "metro_id",
            "hour",
            "h3_cell",
            "vehicle_type",
            name=op.f("uq_unmet_demand_metro_id_hour_h3_cell_vehicle_type"),
            postgresql_nulls_not_distinct=True,
        ),
    )


def downgrade() -> None:
    op.drop_table("unmet_demand")
    op.drop_index("ix_vehicles_station_id", table_name="vehicles")
    op.drop_index("ix_stations_metro_id_lat_lon", table_name="stations")
