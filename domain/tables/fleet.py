"""Vehicles and what they cost."""

from __future__ import annotations

from decimal import Decimal
from uuid import UUID

from sqlalchemy import BigInteger, CheckConstraint, ForeignKey, Index, Numeric, String, UniqueConstraint, text
from sqlalchemy.orm import Mapped, mapped_column

from domain import ids
from domain.tables.base import Base, Id, Instant, text_enum
from domain.tables.ledger import VatTreatment
from domain.values import VehicleState, VehicleType


class Vehicle(Base):
    __tablename__ = "vehicles"

    #: permanent; only staff see it
    id: Mapped[Id]
    metro_id: Mapped[UUID] = mapped_column(ForeignKey("metros.id", ondelete="CASCADE"))
    #: what riders and feeds see; renewed after every trip (GBFS)
    published_id: Mapped[UUID] = mapped_column(unique=True, default=ids.new)
    vehicle_type: Mapped[VehicleType] = mapped_column(text_enum(VehicleType))
    state: Mapped[VehicleState] = mapped_column(text_enum(VehicleState), default=VehicleState.AVAILABLE)
    plate: Mapped[str]
    battery_percent: Mapped[int]
    current_range_meters: Mapped[int]
    odometer_meters: Mapped[int] = mapped_column(BigInteger, default=0)
    lat: Mapped[float]
    lon: Mapped[float]
    h3_cell: Mapped[int] = mapped_column(BigInteger)
    #: when it said itself where it stands; NULL = it never did, or staff have corrected it since
    position_at: Mapped[Instant | None]
    #: as it last said; NULL = it never did
    is_plugged_in: Mapped[bool | None]
    plugged_in_at: Mapped[Instant | None]
    #: what a phone reads from the vehicle's tag; NULL = it has none
    nfc_token: Mapped[str | None] = mapped_column(unique=True)
    station_id: Mapped[UUID | None] = mapped_column(ForeignKey("stations.id", ondelete="SET NULL"))
    updated_at: Mapped[Instant]

    __table_args__ = (
        UniqueConstraint("metro_id", "plate"),
        CheckConstraint("battery_percent between 0 and 100", name="battery_percent"),
        Index("ix_vehicles_metro_id_state_lat_lon", "metro_id", "state", "lat", "lon"),
        # Those that stand at no station, most scooters and bikes, cost nothing here.
        Index("ix_vehicles_station_id", "station_id", postgresql_where=text("station_id is not null")),
    )


class Tariff(Base):
    """A version of a price. Rows are never changed: a reservation keeps the version it was quoted."""

    __tablename__ = "tariffs"

    id: Mapped[Id]
    metro_id: Mapped[UUID] = mapped_column(ForeignKey("metros.id", ondelete="CASCADE"))
    vehicle_type: Mapped[VehicleType] = mapped_column(text_enum(VehicleType))
    version: Mapped[int]
    currency: Mapped[str] = mapped_column(String(3))
    #: all amounts include VAT; rates per minute may have four decimals of a minor unit
    unlock_minor: Mapped[int]
    per_minute_minor: Mapped[Decimal] = mapped_column(Numeric(12, 4))
    day_cap_minor: Mapped[int | None]
    vat_percent: Mapped[Decimal] = mapped_column(Numeric(5, 2))
    #: for cancelling a booking late
    cancel_fee_minor: Mapped[int] = mapped_column(default=0, server_default="0")
    #: for having reserved what is then ridden
    reservation_minor: Mapped[int] = mapped_column(default=0, server_default="0")
    #: instead of `per_minute_minor` while paused
    pause_per_minute_minor: Mapped[Decimal] = mapped_column(Numeric(12, 4), default=0, server_default="0")
    late_fine_minor: Mapped[int] = mapped_column(default=0, server_default="0")
    wrong_place_fine_minor: Mapped[int] = mapped_column(default=0, server_default="0")
    #: what fines and fees are for VAT; fares are always a supply
    fee_vat: Mapped[VatTreatment] = mapped_column(
        text_enum(VatTreatment), default=VatTreatment.STANDARD, server_default=VatTreatment.STANDARD.value
    )
    #: held before the unlocking; 0 = nothing is
    deposit_minor: Mapped[int] = mapped_column(default=0, server_default="0")
    valid_from: Mapped[Instant]

    __table_args__ = (
        UniqueConstraint("metro_id", "vehicle_type", "version"),
        CheckConstraint("unlock_minor >= 0 and per_minute_minor >= 0 and day_cap_minor >= 0", name="amounts"),
        CheckConstraint("cancel_fee_minor >= 0", name="cancel_fee"),
        CheckConstraint(
            "reservation_minor >= 0 and pause_per_minute_minor >= 0 and late_fine_minor >= 0"
            " and wrong_place_fine_minor >= 0 and deposit_minor >= 0",
            name="trip_amounts",
        ),
    )
