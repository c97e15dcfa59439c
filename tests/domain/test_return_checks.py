"""Whether a vehicle may be left as it stands, case by case; when its meter stopped, for any series of tries."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from domain import eventlog, fleet, ids, metros, return_checks, stations, zones
from domain.return_checks import Attempt, Facts, Proof
from domain.tables import ReturnRefusal
from domain.values import Box, LatLng, Money, VehicleType
from tests import factories

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)
MINUTE = timedelta(minutes=1)
HERE = factories.CENTER
#: a degree of latitude has 111 km
METER = 1 / 111_195
SETTLE = 15 * MINUTE


def north(meters: float) -> LatLng:
    return LatLng(HERE.lat + meters * METER, HERE.lon)


def metro() -> metros.Metro:
    columns: dict[str, Any] = dict.fromkeys(metros.Metro.__slots__, 0)
    columns |= {"return_accuracy_meters": 100, "return_radius_meters": 50, "return_settle_minutes": 15, "center": HERE}
    return metros.Metro(**columns | {"position": eventlog.Position(1, 0, 0)})


def station(meters: float, *, free: int = 1, charges: bool = True) -> stations.StationStatus:
    place = north(meters)
    row = fleet.Station(ids.new(), ids.new(), "Station", place.lat, place.lon, 10, charges)
    return stations.StationStatus(row, abs(meters), {}, free)


def zone(half_degrees: float = 0.001, at: LatLng = HERE) -> zones.Zone:
    return zones.Zone(ids.new(), ids.new(), "Old town", factories.square(at, half_degrees), True, False, True, None)


def facts(kind: VehicleType = VehicleType.BICYCLE, **given_facts: Any) -> Facts:
    right: dict[str, Any] = {
        "vehicle_type": kind,
        "started_at": NOW - 10 * MINUTE,
        "metro": metro(),
        "box": Box(49.3, 8.6, 49.5, 8.8),
        "position": HERE,
        "accuracy_meters": 10.0,
        "proof": Proof(NOW, HERE),
        "vehicle_position": HERE,
        "is_unplugged": False,
        "stations": [] if kind.is_micromobility else [station(20)],
        "no_parking": [],
    }
    return Facts(**right | given_facts)


@pytest.mark.parametrize("kind", list(VehicleType))
def test_nothing_speaks_against_a_return_by_the_rules(kind: VehicleType) -> None:
    assert return_checks.refusals(facts(kind)) == ()


CASES = [
    (facts(proof=None), ReturnRefusal.PHOTO_MISSING),
    (facts(proof=Proof(NOW, north(201))), ReturnRefusal.PHOTO_ELSEWHERE),
    (facts(proof=Proof(NOW, north(199))), None),
    (facts(proof=Proof(NOW, None)), None),
    (facts(proof=Proof(NOW - 11 * MINUTE, HERE)), None),
    (facts(proof=Proof(NOW - 11.1 * MINUTE, HERE)), ReturnRefusal.PHOTO_STALE),
    (facts(accuracy_meters=101.0), ReturnRefusal.POSITION_VAGUE),
    (facts(accuracy_meters=100.0), None),
    (facts(vehicle_position=north(161)), ReturnRefusal.POSITION_DISAGREES),
    (facts(vehicle_position=north(159)), None),
    (facts(vehicle_position=None), None),
    (facts(position=LatLng(49.6, 8.7), vehicle_position=None, proof=Proof(NOW, None)), ReturnRefusal.OUTSIDE_METRO),
    (facts(no_parking=[zone()]), ReturnRefusal.NO_PARKING_ZONE),
    (facts(no_parking=[zone(at=factories.FAR)]), None),
    (facts(no_parking=[zone()], stations=[station(40)]), None),
    (facts(no_parking=[zone()], stations=[station(40, free=0)]), ReturnRefusal.NO_PARKING_ZONE),
    (facts(VehicleType.CAR, stations=[]), ReturnRefusal.NOT_AT_STATION),
    (facts(VehicleType.CAR, stations=[station(51)]), ReturnRefusal.NOT_AT_STATION),
    (facts(VehicleType.VAN, stations=[station(20, charges=False)]), ReturnRefusal.NOT_AT_STATION),
    (facts(VehicleType.VAN, stations=[station(20, free=0)]), ReturnRefusal.STATION_FULL),
    (facts(VehicleType.VAN, stations=[station(20, free=0), station(30)]), None),
    (facts(VehicleType.CAR, is_unplugged=True), ReturnRefusal.CHARGER_NOT_PLUGGED_IN),
    (facts(is_unplugged=True), None),
]


@pytest.mark.parametrize(("case", "refusal"), CASES)
def test_each_rule_speaks_for_itself(case: Facts, refusal: ReturnRefusal | None) -> None:
    assert return_checks.refusals(case) == (() if refusal is None else (refusal,))


def test_every_refusal_has_a_sentence() -> None:
    assert set(return_checks.SENTENCES) == set(ReturnRefusal)


def test_a_fine_buys_a_wrong_place_and_nothing_else() -> None:
    fine = Money(2500, "EUR")
    for refusal in ReturnRefusal:
        place_alone = refusal in return_checks.FOR_A_FINE
        assert return_checks.fine_for([refusal], fine) == (fine if place_alone else None)
        assert return_checks.fine_for([refusal, ReturnRefusal.PHOTO_MISSING], fine) is None
    assert return_checks.fine_for([], fine) is None


def test_cars_are_sent_to_the_nearest_charging_station_with_room() -> None:
    found = [station(100, free=0), station(200, charges=False), station(300), station(400)]
    place = return_checks.nearest_legal(facts(VehicleType.CAR, stations=found))
    assert place is not None
    assert place.station is found[2]


def test_bikes_are_sent_just_beyond_the_edge_or_to_a_nearer_station() -> None:
    in_zone = facts(position=north(80), no_parking=[zone()])
    place = return_checks.nearest_legal(in_zone)
    assert place is not None
    assert place.station is None
    assert 25 < place.position.meters_to(north(80)) < 45, "the edge is 111 m north"
    assert not zones.holds(in_zone.no_parking[0], place.position)
    near = station(90)
    place = return_checks.nearest_legal(replace(in_zone, stations=[near], position=north(75), vehicle_position=None))
    assert place is not None
    assert place.station is near


def test_no_place_is_named_that_lies_in_another_such_zone() -> None:
    both = [zone(0.001), zone(0.0015, at=north(100))]
    place = return_checks.nearest_legal(facts(no_parking=both))
    assert place is not None
    assert not any(zones.holds(one, place.position) for one in both)


def test_where_only_the_photo_is_wrong_the_place_is_right() -> None:
    place = return_checks.nearest_legal(facts(proof=None))
    assert place == return_checks.LegalPlace(HERE)


def test_holes_of_a_zone_are_outside() -> None:
    outer, hole = factories.square(HERE, 0.01)["coordinates"][0][0], factories.square(HERE, 0.001)["coordinates"][0][0]
    ring = replace(zone(), geometry={"type": "MultiPolygon", "coordinates": [[outer, hole]]})
    assert not zones.holds(ring, HERE)
    assert zones.holds(ring, north(500))


offsets = st.floats(-300, 300)
minutes = st.integers(0, 40)


@st.composite
def series(draw: st.DrawFn) -> tuple[list[Attempt], list[Attempt]]:
    made = sorted(draw(st.lists(st.tuples(minutes, offsets), max_size=8)))
    tries = [Attempt(NOW + minute * MINUTE, north(meters)) for minute, meters in made]
    tries.append(Attempt(NOW + 40 * MINUTE, north(draw(offsets))))
    fixes = [
        Attempt(NOW + (minute + 0.5) * MINUTE, north(meters)) for minute, meters in draw(st.lists(st.tuples(minutes, offsets)))
    ]
    return tries, [fix for fix in fixes if fix.at <= tries[-1].at]


@given(series(), offsets)
def test_the_meter_stops_at_the_first_of_the_last_unbroken_series(
    made: tuple[list[Attempt], list[Attempt]], stands: float
) -> None:
    tries, fixes = made
    stands_at, passed = north(stands), tries[-1]
    stopped = return_checks.meter_stops_at(tries, settle=SETTLE, stands_at=stands_at, fixes=fixes)
    assert passed.at - SETTLE <= stopped <= passed.at
    assert stopped in [one.at for one in tries], "it stops at a try"
    counted = [one for one in tries if stopped < one.at < passed.at]
    for one in counted:
        assert max(one.position.meters_to(place) for place in (passed.position, stands_at)) <= 100
    if stopped < passed.at:
        away = [fix for fix in fixes if fix.at > stopped and fix.position.meters_to(passed.position) > 100]
        assert away == [], "nobody rides for nothing in between"
    unbroken = return_checks.meter_stops_at(
        [Attempt(one.at, passed.position) for one in tries], settle=SETTLE, stands_at=passed.position
    )
    assert unbroken == min(one.at for one in tries if passed.at - one.at <= SETTLE)
    assert unbroken <= stopped, "what breaks a series only costs more"


@given(st.floats(-0.00099, 0.00099), st.floats(-0.00099, 0.00099), st.floats(-60, 60))
def test_the_way_out_of_a_zone_leads_just_beyond_its_nearest_edge(dlat: float, dlon: float, lat: float) -> None:
    middle = LatLng(lat, 10.0)
    here, area = LatLng(lat + dlat, 10.0 + dlon), zone(at=middle)
    assert zones.holds(area, here)
    nearest = min(zones.edges_near(area, here), key=here.meters_to)
    assert not zones.holds(area, nearest)
    assert here.meters_to(nearest) < 0.001 / METER + 2 * zones.BEYOND_METERS
