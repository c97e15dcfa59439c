"""Cells: the indexes by H3 cell go, which no search reads and every change of a vehicle writes.

Revision: 0011
"""

from alembic import op

revision = "0011"
down_revision = "0010"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.drop_index("ix_vehicles_metro_id_h3_cell", table_name="vehicles")
    op.drop_index("ix_stations_metro_id_h3_cell", table_name="stations")
    op.drop_index("ix_places_metro_id_h3_cell", table_name="places")


def downgrade() -> None:
    op.create_index("ix_places_metro_id_h3_cell", "places", ["metro_id", "h3_cell"], unique=False)
    op.create_index("ix_stations_metro_id_h3_cell", "stations", ["metro_id", "h3_cell"], unique=False)
    op.create_index("ix_vehicles_metro_id_h3_cell", "vehicles", ["metro_id", "h3_cell", "vehicle_type"], unique=False)
