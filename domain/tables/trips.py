"""Trips: rides from the unlocking to the return, what was said to their locks, where they went."""

from __future__ import annotations

from enum import StrEnum
from uuid import UUID

from sqlalchemy import ARRAY, CheckConstraint, Float, ForeignKey, Index, String, UniqueConstraint, text
from sqlalchemy.orm import Mapped, mapped_column

from domain.tables.base import Base, Id, Instant, text_enum
from domain.values import VehicleType


class TripState(StrEnum):
    """TOMP-API 2.0 leg states."""

    #: asked for: the deposit or the lock has not answered yet, nothing is charged
    PREPARING = "preparing"
    IN_USE = "in_use"
    PAUSED = "paused"
    ENDED = "ended"
    #: never began; nothing is charged
    CANCELLED = "cancelled"


OPEN_TRIP = (TripState.PREPARING, TripState.IN_USE, TripState.PAUSED)


class TripStep(StrEnum):
    """What an open trip waits for somebody else to do."""

    AUTHORIZATION = "authorization"
    UNLOCK = "unlock"
    PAUSE = "pause"
    RESUME = "resume"
    RETURN = "return"


class TripEnd(StrEnum):
    """Why a trip is over, or never began."""

    RETURNED = "returned"
    EMERGENCY = "emergency"
    #: staff ended it
    OPERATOR = "operator"
    #: returned by the rules, but the lock never said so: staff look at the vehicle
    LOCK_SILENT = "lock_silent"
    #: never began
    UNLOCK_FAILED = "unlock_failed"
    UNLOCK_TIMED_OUT = "unlock_timed_out"
    AUTHORIZATION_DECLINED = "authorization_declined"
    AUTHORIZATION_TIMED_OUT = "authorization_timed_out"
    #: the rider gave up while it was being prepared
    RIDER = "rider"


class ReturnRefusal(StrEnum):
    """Why a vehicle may not be left as it stands."""

    PHOTO_MISSING = "photo_missing"
    #: taken elsewhere, or before the trip
    PHOTO_ELSEWHERE = "photo_elsewhere"
    PHOTO_STALE = "photo_stale"
    #: the phone's position is too vague, or the vehicle says that it is elsewhere
    POSITION_VAGUE = "position_vague"
    POSITION_DISAGREES = "position_disagrees"
    OUTSIDE_METRO = "outside_metro"
    NO_PARKING_ZONE = "no_parking_zone"
    NOT_AT_STATION = "not_at_station"
    STATION_FULL = "station_full"
    CHARGER_NOT_PLUGGED_IN = "charger_not_plugged_in"
    #: the lock could not close
    NOT_LOCKED = "not_locked"


class Trip(Base):
    __tablename__ = "trips"

    id: Mapped[Id]
    metro_id: Mapped[UUID] = mapped_column(ForeignKey("metros.id", ondelete="CASCADE"))
    customer_id: Mapped[UUID] = mapped_column(ForeignKey("customers.id", ondelete="CASCADE"))
    vehicle_id: Mapped[UUID] = mapped_column(ForeignKey("vehicles.id", ondelete="CASCADE"))
    #: as the rider saw it at the start
    published_vehicle_id: Mapped[UUID]
    vehicle_type: Mapped[VehicleType] = mapped_column(text_enum(VehicleType))
    #: who just unlocks has one made in the same transaction: one constraint guards all that hold a vehicle
    reservation_id: Mapped[UUID] = mapped_column(ForeignKey("reservations.id", ondelete="CASCADE"))
    is_walk_up: Mapped[bool] = mapped_column(default=False)
    tariff_id: Mapped[UUID] = mapped_column(ForeignKey("tariffs.id"))
    state: Mapped[TripState] = mapped_column(text_enum(TripState))
    #: until when whoever it waits for must have answered: the sweeper decides then
    awaits: Mapped[TripStep | None] = mapped_column(text_enum(TripStep))
    awaits_until: Mapped[Instant | None]
    requested_at: Mapped[Instant]
    #: the lock's answer was received
    started_at: Mapped[Instant | None]
    #: since when it is paused
    paused_at: Mapped[Instant | None]
    #: to then it is charged: the accepted return, or the first attempt at it
    ended_at: Mapped[Instant | None]
    closed_at: Mapped[Instant | None]
    end_cause: Mapped[TripEnd | None] = mapped_column(text_enum(TripEnd))
    #: why staff ended it
    end_reason: Mapped[str | None]
    #: where it began and ended is forgotten with the rider
    start_lat: Mapped[float | None]
    start_lon: Mapped[float | None]
    end_lat: Mapped[float | None]
    end_lon: Mapped[float | None]
    end_station_id: Mapped[UUID | None] = mapped_column(ForeignKey("stations.id", ondelete="SET NULL"))
    distance_meters: Mapped[int] = mapped_column(default=0)
    start_battery_percent: Mapped[int]
    end_battery_percent: Mapped[int | None]
    return_photo_id: Mapped[UUID | None] = mapped_column(ForeignKey("photos.id", ondelete="SET NULL"))
    #: a fine for leaving it in a wrong place that the rider saw and accepted
    accepted_fine_minor: Mapped[int | None]

    __table_args__ = (
        Index(
            "ix_trips_one_open_per_customer",
            "customer_id",
            unique=True,
            postgresql_where=text("state in ('preparing', 'in_use', 'paused')"),
        ),
        Index(
            "ix_trips_one_open_per_vehicle",
            "vehicle_id",
            unique=True,
            postgresql_where=text("state in ('preparing', 'in_use', 'paused')"),
        ),
        Index("ix_trips_one_per_reservation", "reservation_id", unique=True, postgresql_where=text("state <> 'cancelled'")),
        Index("ix_trips_awaits_until", "awaits_until", postgresql_where=text("awaits_until is not null")),
        Index("ix_trips_customer_id_id", "customer_id", "id"),
        Index("ix_trips_metro_id_id", "metro_id", "id"),
        Index("ix_trips_vehicle_id_id", "vehicle_id", "id"),
        Index("ix_trips_return_photo_id", "return_photo_id", postgresql_where=text("return_photo_id is not null")),
        CheckConstraint("(started_at is not null) = (state in ('in_use', 'paused', 'ended'))", name="started"),
        CheckConstraint("(ended_at is not null) = (state = 'ended')", name="ended"),
        CheckConstraint("(closed_at is not null) = (state in ('ended', 'cancelled'))", name="closed"),
        CheckConstraint("(end_cause is not null) = (state in ('ended', 'cancelled'))", name="end_cause"),
        CheckConstraint("(paused_at is not null) = (state = 'paused')", name="paused"),
        CheckConstraint("(awaits is null) = (awaits_until is null)", name="awaits"),
        CheckConstraint("awaits is null or state in ('preparing', 'in_use', 'paused')", name="awaits_while_open"),
        CheckConstraint("ended_at >= started_at", name="ends_after_start"),
        CheckConstraint("distance_meters >= 0", name="distance"),
    )


class TripPause(Base):
    __tablename__ = "trip_pauses"

    id: Mapped[Id]
    trip_id: Mapped[UUID] = mapped_column(ForeignKey("trips.id", ondelete="CASCADE"))
    started_at: Mapped[Instant]
    ended_at: Mapped[Instant | None]

    __table_args__ = (
        Index("ix_trip_pauses_trip_id_started_at", "trip_id", "started_at"),
        Index("ix_trip_pauses_one_open", "trip_id", unique=True, postgresql_where=text("ended_at is null")),
        CheckConstraint("ended_at >= started_at", name="ends_after_start"),
    )


class ReturnAttempt(Base):
    """A try to return a vehicle, refused or not: who did what they could is not charged for what came after."""

    __tablename__ = "return_attempts"

    id: Mapped[Id]
    trip_id: Mapped[UUID] = mapped_column(ForeignKey("trips.id", ondelete="CASCADE"))
    at: Mapped[Instant]
    lat: Mapped[float]
    lon: Mapped[float]
    accuracy_meters: Mapped[float] = mapped_column(Float)
    #: empty: nothing spoke against it
    refusals: Mapped[list[str]] = mapped_column(ARRAY(String))

    __table_args__ = (Index("ix_return_attempts_trip_id_at", "trip_id", "at"),)


class TripPosition(Base):
    """The raw track, kept for 30 days."""

    __tablename__ = "trip_positions"

    trip_id: Mapped[UUID] = mapped_column(ForeignKey("trips.id", ondelete="CASCADE"), primary_key=True)
    #: when it was true, by the clock of who says so, never later than it was received
    at: Mapped[Instant] = mapped_column(primary_key=True)
    received_at: Mapped[Instant]
    lat: Mapped[float]
    lon: Mapped[float]
    accuracy_meters: Mapped[float] = mapped_column(Float)

    __table_args__ = (Index("ix_trip_positions_received_at", "received_at"),)


class LockAction(StrEnum):
    UNLOCK = "unlock"
    LOCK = "lock"


class LockPurpose(StrEnum):
    UNLOCK = "unlock"
    PAUSE = "pause"
    RESUME = "resume"
    RETURN = "return"
    #: closing again what opened too late, or for nobody
    RELOCK = "relock"


class LockCommandState(StrEnum):
    QUEUED = "queued"
    SENT = "sent"
    SUCCEEDED = "succeeded"
    FAILED = "failed"
    TIMED_OUT = "timed_out"


class LockCommand(Base):
    """Something said to the lock of a vehicle, and its answer: written with the change that asks for it, sent afterwards."""

    __tablename__ = "lock_commands"

    id: Mapped[Id]
    vehicle_id: Mapped[UUID] = mapped_column(ForeignKey("vehicles.id", ondelete="CASCADE"))
    trip_id: Mapped[UUID | None] = mapped_column(ForeignKey("trips.id", ondelete="CASCADE"))
    action: Mapped[LockAction] = mapped_column(text_enum(LockAction))
    purpose: Mapped[LockPurpose] = mapped_column(text_enum(LockPurpose))
    state: Mapped[LockCommandState] = mapped_column(text_enum(LockCommandState))
    attempts: Mapped[int] = mapped_column(default=0)
    requested_at: Mapped[Instant]
    next_attempt_at: Mapped[Instant | None]
    #: an answer after that is late
    expires_at: Mapped[Instant]
    answered_at: Mapped[Instant | None]
    failure: Mapped[str | None]

    __table_args__ = (
        Index("ix_lock_commands_next_attempt_at", "next_attempt_at", postgresql_where=text("state in ('queued', 'sent')")),
        Index("ix_lock_commands_trip_id", "trip_id"),
        Index("ix_lock_commands_requested_at", "requested_at"),
        # One at a time is said to a lock, but for closing what opened for nobody.
        Index(
            "ix_lock_commands_one_open",
            "vehicle_id",
            unique=True,
            postgresql_where=text("state in ('queued', 'sent') and purpose <> 'relock'"),
        ),
        CheckConstraint("(answered_at is not null) = (state in ('succeeded', 'failed'))", name="answered"),
        UniqueConstraint("vehicle_id", "id"),
    )
