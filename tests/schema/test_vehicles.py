"""Vehicles as riders see them: nobody is followed by the vehicle that they ride."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from uuid import UUID

import pytest

from domain import fleet, reservations
from domain.values import ReservationState, VehicleState, VehicleType
from schema.types.reservations import Reservation
from schema.types.vehicles import FleetVehicle, Vehicle

AT = datetime(2026, 11, 21, 8, 30, tzinfo=UTC)
ONE = UUID(int=1)
RIDDEN = (VehicleState.ON_TRIP, VehicleState.STOPPED)


def vehicle(state: VehicleState) -> fleet.Vehicle:
    return fleet.Vehicle(ONE, ONE, ONE, VehicleType.CAR, state, "HD NR 1", 80, 200_000, 1_000, 49.4, 8.67, AT, None)


def reservation(state: ReservationState, of: fleet.Vehicle) -> Reservation:
    row = reservations.Reservation(
        id=ONE,
        metro_id=ONE,
        customer_id=ONE,
        published_vehicle_id=ONE,
        state=state,
        starts_at=AT,
        ends_at=AT + timedelta(hours=1),
        lapses_at=None,
        quoted_minor=None,
        currency="EUR",
        cancel_free_until=None,
        late_cancel_minor=0,
        cancel_cause=None,
        cancel_reason=None,
        cancel_fee_minor=None,
        fee_settled_at=None,
        fee_settlement=None,
        created_at=AT,
        vehicle=of,
    )
    return Reservation.of(row)


@pytest.mark.parametrize("state", VehicleState)
def test_where_somebody_rides_is_shown_to_staff_and_to_nobody_else(state: VehicleState) -> None:
    assert (Vehicle.of(vehicle(state)).position is None) is (state in RIDDEN)
    assert FleetVehicle.of(vehicle(state)).position is not None


@pytest.mark.parametrize("state", RIDDEN)
def test_a_reservation_shows_the_way_of_its_own_ride_alone(state: VehicleState) -> None:
    shown = {one for one in ReservationState if reservation(one, vehicle(state)).vehicle.position is not None}
    assert shown == {ReservationState.STARTED}, "a booking for later, or one of the past, follows nobody"


@pytest.mark.parametrize("state", [VehicleState.AVAILABLE, VehicleState.RESERVED])
def test_what_is_over_does_not_show_where_others_leave_the_vehicle(state: VehicleState) -> None:
    there = replace(vehicle(state), station=fleet.Station(ONE, ONE, "Altstadt", 49.4, 8.67, 10, False))
    shown = {one for one in ReservationState if reservation(one, there).vehicle.position is not None}
    assert shown == {one for one in ReservationState if reservation(one, there).vehicle.station is not None}
    assert shown == {ReservationState.CONFIRMED, ReservationState.STARTED}
