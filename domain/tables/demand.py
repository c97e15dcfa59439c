"""Demand that the fleet did not meet: how often, where about and when, of nobody in particular."""

from __future__ import annotations

from uuid import UUID

from sqlalchemy import BigInteger, CheckConstraint, ForeignKey, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column

from domain.tables.base import Base, Id, Instant, text_enum
from domain.values import VehicleType

#: H3 resolution of the zones that demand is counted in: edge about 500 m, so that no door can be told
ZONE_RESOLUTION = 8


class UnmetDemand(Base):
    """Searches without a result, counted. Who searched, and from where exactly, is not kept."""

    __tablename__ = "unmet_demand"

    id: Mapped[Id]
    metro_id: Mapped[UUID] = mapped_column(ForeignKey("metros.id", ondelete="CASCADE"))
    h3_cell: Mapped[int] = mapped_column(BigInteger)
    #: start of the hour, UTC
    hour: Mapped[Instant]
    #: NULL = any would have done
    vehicle_type: Mapped[VehicleType | None] = mapped_column(text_enum(VehicleType))
    count: Mapped[int]

    __table_args__ = (
        UniqueConstraint("metro_id", "hour", "h3_cell", "vehicle_type", postgresql_nulls_not_distinct=True),
        CheckConstraint("count > 0", name="count"),
    )
