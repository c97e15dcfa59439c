"""Metros and what lies in them: places, stations, zones."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from sqlalchemy import ARRAY, BigInteger, CheckConstraint, ForeignKey, Index, String, UniqueConstraint
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.orm import Mapped, mapped_column

from domain.tables.base import Base, Id, Instant

#: H3 resolution of the cells that places, stations and vehicles are counted in (edge about 200 m)
H3_RESOLUTION = 9


class Metro(Base):
    __tablename__ = "metros"

    id: Mapped[Id]
    slug: Mapped[str] = mapped_column(unique=True)
    name: Mapped[str]
    country_code: Mapped[str] = mapped_column(String(2))
    timezone: Mapped[str]
    currency: Mapped[str] = mapped_column(String(3))
    languages: Mapped[list[str]] = mapped_column(ARRAY(String))
    lat: Mapped[float]
    lon: Mapped[float]
    south: Mapped[float]
    west: Mapped[float]
    north: Mapped[float]
    east: Mapped[float]
    #: SHA-256 of the OpenStreetMap file; the router's tiles are cached under it
    map_digest: Mapped[str] = mapped_column(unique=True)
    attribution: Mapped[str]
    is_default: Mapped[bool] = mapped_column(default=False)
    hold_ahead_minutes: Mapped[int] = mapped_column(default=30)
    hold_lapse_minutes: Mapped[int] = mapped_column(default=15)
    ride_max_hours: Mapped[int] = mapped_column(default=12)
    booking_ahead_days: Mapped[int] = mapped_column(default=7)
    booking_min_minutes: Mapped[int] = mapped_column(default=15)
    booking_max_days: Mapped[int] = mapped_column(default=7)
    proposal_minutes: Mapped[int] = mapped_column(default=5)
    cancel_free_minutes: Mapped[int] = mapped_column(default=60, server_default="60")
    cancel_grace_minutes: Mapped[int] = mapped_column(default=5, server_default="5")
    #: 0 = nobody has to cool down
    cool_down_holds: Mapped[int] = mapped_column(default=3, server_default="3")
    cool_down_hours: Mapped[int] = mapped_column(default=24, server_default="24")
    cool_down_minutes: Mapped[int] = mapped_column(default=60, server_default="60")
    unlock_radius_meters: Mapped[int] = mapped_column(default=100, server_default="100")
    return_radius_meters: Mapped[int] = mapped_column(default=50, server_default="50")
    return_accuracy_meters: Mapped[int] = mapped_column(default=100, server_default="100")
    return_settle_minutes: Mapped[int] = mapped_column(default=15, server_default="15")
    return_warning_minutes: Mapped[int] = mapped_column(default=30, server_default="30")
    late_grace_minutes: Mapped[int] = mapped_column(default=10, server_default="10")
    appeal_days: Mapped[int] = mapped_column(default=14, server_default="14")
    created_at: Mapped[Instant]

    __table_args__ = (Index("ix_metros_one_default", "is_default", unique=True, postgresql_where="is_default"),)


class Place(Base):
    __tablename__ = "places"

    id: Mapped[Id]
    metro_id: Mapped[UUID] = mapped_column(ForeignKey("metros.id", ondelete="CASCADE"))
    name: Mapped[str]
    #: lower case, without diacritics or punctuation: what a search compares
    name_folded: Mapped[str]
    #: OpenStreetMap `key=value` that made it a place, such as `railway=station`
    kind: Mapped[str]
    #: nearest street or district, told when two places share a name
    locality: Mapped[str | None]
    #: 0..100, higher is better known
    importance: Mapped[int]
    lat: Mapped[float]
    lon: Mapped[float]
    h3_cell: Mapped[int] = mapped_column(BigInteger)
    osm_ref: Mapped[str]

    __table_args__ = (
        UniqueConstraint("metro_id", "osm_ref"),
        Index(
            "ix_places_metro_id_name_folded",
            "metro_id",
            "name_folded",
            postgresql_ops={"name_folded": "text_pattern_ops"},
        ),
    )


class Station(Base):
    __tablename__ = "stations"

    id: Mapped[Id]
    metro_id: Mapped[UUID] = mapped_column(ForeignKey("metros.id", ondelete="CASCADE"))
    name: Mapped[str]
    lat: Mapped[float]
    lon: Mapped[float]
    h3_cell: Mapped[int] = mapped_column(BigInteger)
    capacity: Mapped[int]
    is_charging_station: Mapped[bool]
    osm_ref: Mapped[str]

    __table_args__ = (
        UniqueConstraint("metro_id", "osm_ref"),
        CheckConstraint("capacity > 0", name="capacity"),
        Index("ix_stations_metro_id_lat_lon", "metro_id", "lat", "lon"),
    )


class Zone(Base):
    """A GBFS geofencing zone."""

    __tablename__ = "zones"

    id: Mapped[Id]
    metro_id: Mapped[UUID] = mapped_column(ForeignKey("metros.id", ondelete="CASCADE"))
    name: Mapped[str]
    #: GeoJSON MultiPolygon
    geometry: Mapped[dict[str, Any]] = mapped_column(JSONB)
    ride_start_allowed: Mapped[bool]
    ride_end_allowed: Mapped[bool]
    ride_through_allowed: Mapped[bool]
    maximum_speed_kph: Mapped[int | None]

    __table_args__ = (UniqueConstraint("metro_id", "name"),)
