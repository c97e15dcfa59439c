"""Return checks: whether a vehicle may be left as it stands, and when its meter stopped (pure)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from domain import metros, stations, zones
from domain.tables import ReturnRefusal
from domain.values import Box, LatLng, Money, VehicleType

#: clocks of cameras differ from ours
CAMERA_GRACE = timedelta(minutes=1)
#: how far from the return its photo may have been taken
PHOTO_METERS = 200
#: how far from the phone the vehicle may say that it is, beside the vagueness of the phone
APART_METERS = 150
#: what a vehicle said longer ago of where it stands proves nothing: it may have been ridden since
POSITION_KEPT = timedelta(minutes=2)
#: The same of the charger. Short, for it is plugged in just before the return, and the lock is asked anyway.
PLUG_KEPT = timedelta(seconds=20)
#: tries farther apart than that are not the same return
SAME_PLACE_METERS = 100
#: what leaving it for a fine makes good, alone
FOR_A_FINE = frozenset({ReturnRefusal.NO_PARKING_ZONE, ReturnRefusal.NOT_AT_STATION, ReturnRefusal.STATION_FULL})


@dataclass(frozen=True, slots=True)
class Proof:
    """A photo of the vehicle that nothing was proved by yet."""

    #: by the camera, else when it came
    taken_at: datetime
    taken_from: LatLng | None


@dataclass(frozen=True, slots=True)
class Facts:
    """What is known when somebody wants to return a vehicle."""

    vehicle_type: VehicleType
    started_at: datetime
    metro: metros.Metro
    box: Box
    #: of the phone
    position: LatLng
    accuracy_meters: float
    proof: Proof | None
    #: what the vehicle said itself, lately
    vehicle_position: LatLng | None
    is_unplugged: bool
    #: nearest first
    stations: Sequence[stations.StationStatus]
    #: in which no ride may end
    no_parking: Sequence[zones.Zone]


def refusals(facts: Facts) -> tuple[ReturnRefusal, ...]:
    """All that speaks against it, in the order of the enum."""
    found = {*_of_photo(facts), *_of_position(facts)}
    if ReturnRefusal.OUTSIDE_METRO not in found:
        found.update(_of_place(facts))
    return tuple(one for one in ReturnRefusal if one in found)


def _of_photo(facts: Facts) -> set[ReturnRefusal]:
    if facts.proof is None:
        return {ReturnRefusal.PHOTO_MISSING}
    found = set()
    if facts.proof.taken_at < facts.started_at - CAMERA_GRACE:
        found.add(ReturnRefusal.PHOTO_STALE)
    if facts.proof.taken_from is not None and facts.proof.taken_from.meters_to(facts.position) > PHOTO_METERS:
        found.add(ReturnRefusal.PHOTO_ELSEWHERE)
    return found


def _of_position(facts: Facts) -> set[ReturnRefusal]:
    found = set()
    if facts.accuracy_meters > facts.metro.return_accuracy_meters:
        found.add(ReturnRefusal.POSITION_VAGUE)
    if disagrees(facts.vehicle_position, facts.position, facts.accuracy_meters):
        found.add(ReturnRefusal.POSITION_DISAGREES)
    if not is_within(facts.box, facts.position):
        found.add(ReturnRefusal.OUTSIDE_METRO)
    return found


def disagrees(vehicle: LatLng | None, phone: LatLng, accuracy_meters: float) -> bool:
    return vehicle is not None and vehicle.meters_to(phone) > APART_METERS + accuracy_meters


def _of_place(facts: Facts) -> set[ReturnRefusal]:
    """A station with room is a legal place wherever it lies."""
    if station_at(facts) is not None:
        return {ReturnRefusal.CHARGER_NOT_PLUGGED_IN} if facts.is_unplugged and not facts.vehicle_type.is_micromobility else set()
    found = set()
    if any(zones.holds(zone, facts.position) for zone in facts.no_parking):
        found.add(ReturnRefusal.NO_PARKING_ZONE)
    if not facts.vehicle_type.is_micromobility:
        is_full = any(_is_near(facts, one) and one.station.is_charging_station for one in facts.stations)
        found.add(ReturnRefusal.STATION_FULL if is_full else ReturnRefusal.NOT_AT_STATION)
    return found


def station_at(facts: Facts) -> stations.StationStatus | None:
    """Where the vehicle stands, if that is a station which takes it."""
    return next((one for one in facts.stations if _is_near(facts, one) and _takes(facts, one)), None)


def _is_near(facts: Facts, one: stations.StationStatus) -> bool:
    return one.distance_meters <= facts.metro.return_radius_meters


def _takes(facts: Facts, one: stations.StationStatus) -> bool:
    return one.free_docks > 0 and (facts.vehicle_type.is_micromobility or one.station.is_charging_station)


@dataclass(frozen=True, slots=True)
class LegalPlace:
    position: LatLng
    #: None: it is none
    station: stations.StationStatus | None = None


def nearest_legal(facts: Facts) -> LegalPlace | None:
    """Where the vehicle may be left instead; the place itself if that is not what speaks against it. None: none is known."""
    if not _of_place(facts) - {ReturnRefusal.CHARGER_NOT_PLUGGED_IN} and is_within(facts.box, facts.position):
        return LegalPlace(facts.position, station_at(facts))
    takes = (one for one in facts.stations if _takes(facts, one))
    found = [LegalPlace(LatLng(one.station.lat, one.station.lon), one) for one in takes]
    if facts.vehicle_type.is_micromobility:
        found += [LegalPlace(point) for point in _beside(facts) if _is_free_place(facts, point)]
    return min(found, key=lambda place: place.position.meters_to(facts.position), default=None)


def _beside(facts: Facts) -> list[LatLng]:
    """Just outside the zones that it stands in, and just inside the metro."""
    box, margin = facts.box, zones.BEYOND_METERS / 50_000
    lat = min(max(facts.position.lat, box.south + margin), box.north - margin)
    lon = min(max(facts.position.lon, box.west + margin), box.east - margin)
    inside = LatLng(lat, lon)
    return [
        inside,
        *(point for zone in facts.no_parking if zones.holds(zone, inside) for point in zones.edges_near(zone, inside)),
    ]


def _is_free_place(facts: Facts, point: LatLng) -> bool:
    return is_within(facts.box, point) and not any(zones.holds(zone, point) for zone in facts.no_parking)


def is_within(box: Box, point: LatLng) -> bool:
    return box.south <= point.lat <= box.north and box.west <= point.lon <= box.east


def fine_for(found: Sequence[ReturnRefusal], wrong_place_fine: Money) -> Money | None:
    """What leaving it all the same costs. None: nothing speaks against it, or it may not be left at any price."""
    return wrong_place_fine if found and FOR_A_FINE.issuperset(found) else None


@dataclass(frozen=True, slots=True)
class Attempt:
    at: datetime
    position: LatLng


def meter_stops_at(
    attempts: Sequence[Attempt], *, settle: timedelta, stands_at: LatLng, fixes: Sequence[Attempt] = ()
) -> datetime:
    """Of tries to return a vehicle, first to last, the last of which passed: who did what they could is not charged for what came
    after. That is the first of the last unbroken series: all within `settle` of the one that passed, all where it was and where
    the vehicle stands. A try elsewhere breaks it, and so does a `fix` of the track elsewhere in between."""
    passed = attempts[-1]
    first = passed.at
    elsewhere = [fix.at for fix in fixes if fix.position.meters_to(passed.position) > SAME_PLACE_METERS]
    for attempt in reversed(attempts[:-1]):
        is_there = max(attempt.position.meters_to(place) for place in (passed.position, stands_at)) <= SAME_PLACE_METERS
        was_away = any(attempt.at < at <= passed.at for at in elsewhere)
        if passed.at - attempt.at > settle or not is_there or was_away:
            break
        first = attempt.at
    return first


#: what each is told as, with what to do
SENTENCES = {
    ReturnRefusal.PHOTO_MISSING: "Take a photo of the vehicle where it stands, upload it, then return it with that.",
    ReturnRefusal.PHOTO_ELSEWHERE: "The photo was taken elsewhere: take one here.",
    ReturnRefusal.PHOTO_STALE: "The photo is from before this trip: take one now.",
    ReturnRefusal.POSITION_VAGUE: "Your position is too vague: go under the open sky and try again.",
    ReturnRefusal.POSITION_DISAGREES: "The vehicle says that it is not where you are: stand beside it.",
    ReturnRefusal.OUTSIDE_METRO: "This is outside the metro: bring the vehicle back.",
    ReturnRefusal.NO_PARKING_ZONE: "No vehicle may be left in this zone.",
    ReturnRefusal.NOT_AT_STATION: "Cars and vans are returned at a charging station.",
    ReturnRefusal.STATION_FULL: "There is no room at this station.",
    ReturnRefusal.CHARGER_NOT_PLUGGED_IN: "Plug the charger in, then return the vehicle.",
    ReturnRefusal.NOT_LOCKED: "The lock could not close: see what is in its way, then try again.",
}
