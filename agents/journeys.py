"""The offline model's tasks: which tools each needs, in which order, and what it says at the end.

Written as straight lines: `turn.call` returns a recorded result or raises `Missing`, which asks for the call.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from math import ceil
from typing import Any

from agents import wording
from agents.grammar import HERE, Intent
from agents.memory import Memory, Option, Question, Spot
from agents.transcript import Call, Turn
from domain.places import fold
from domain.values import VehicleType

RADII_METERS = (1000, 3000)
MAX_OPTIONS = 5
#: a vehicle is offered for a ride only with this much more range than the ride is long
RANGE_MARGIN = 1.2


@dataclass(frozen=True, slots=True)
class Reply:
    text: str
    memory: Memory


class Ask(Exception):
    """Something is missing: the reply is a question, or says what does not exist."""

    def __init__(self, reply: Reply) -> None:
        self.reply = reply


def reserve(turn: Turn, memory: Memory) -> Reply:
    vehicle_type = _vehicle_type(memory)
    memory = _with_origin(turn, memory)
    ends_at, minutes = _end(turn, memory, vehicle_type)
    origin, destination, memory = _places(turn, memory)
    found = _vehicles(turn, memory, vehicle_type, origin, ends_at)
    vehicle, plan = _with_enough_range(turn, memory, found, origin, destination)
    if minutes is None and destination:
        minutes = ceil(plan["legs"][-1]["durationSeconds"] / 60)
    turn.call("quote", vehicle_type=vehicle_type.value, minutes=minutes)
    made = turn.call(
        "reserve_vehicle",
        vehicle_id=vehicle["vehicleId"],
        origin=origin.ref,
        destination=destination.ref if destination else None,
        starts_at=_iso(memory.starts_at),
        ends_at=_iso(ends_at) if not vehicle_type.is_micromobility else None,
        expected_minutes=minutes if vehicle_type.is_micromobility else None,
    )
    return Reply(f"I can reserve this for you: {wording.proposal(made)} Please confirm or decline.{wording.ONLY_BUTTONS}", memory)


def find(turn: Turn, memory: Memory) -> Reply:
    memory = _with_origin(turn, memory)
    vehicle_type = _vehicle_type(memory)
    origin, _, memory = _places(turn, memory)
    found = _vehicles(turn, memory, vehicle_type, origin, _window_end(turn, memory))
    return Reply(wording.vehicles(found[:3], origin.name) + wording.OFFER, memory.asks(Question.OFFER))


def plan(turn: Turn, memory: Memory) -> Reply:
    if not memory.on_foot:
        _vehicle_type(memory)
    memory = _with_origin(turn, memory)
    origin, destination, memory = _places(turn, memory)
    if destination is None:
        raise Ask(Reply(wording.ASK_DESTINATION, memory.asks(Question.DESTINATION)))
    if memory.vehicle_type is None:
        walk = turn.call("plan_route", origin=origin.ref, destination=destination.ref)
        return Reply(wording.route(walk, origin.name, destination.name), memory)
    found = _vehicles(turn, memory, memory.vehicle_type, origin, _window_end(turn, memory))
    _, ride = _with_enough_range(turn, memory, found, origin, destination)
    minutes = ceil(ride["legs"][-1]["durationSeconds"] / 60)
    quote = turn.call("quote", vehicle_type=memory.vehicle_type.value, minutes=minutes)
    text = f"{wording.route(ride, origin.name, destination.name)} {wording.price(quote)}"
    return Reply(text + wording.OFFER, memory.asks(Question.OFFER))


def price(turn: Turn, memory: Memory) -> Reply:
    if memory.destination is not None and not memory.length:
        return plan(turn, memory)
    vehicle_type = _vehicle_type(memory)
    minutes = wording.minutes_of(memory.length) if memory.length else None
    quote = turn.call("quote", vehicle_type=vehicle_type.value, minutes=minutes)
    return Reply(wording.price(quote) + wording.OFFER, memory.asks(Question.OFFER))


def list_reservations(turn: Turn, memory: Memory) -> Reply:
    found = turn.call("list_reservations")["reservations"]
    if not found:
        return Reply(wording.NO_RESERVATIONS, memory.settled)
    return Reply(f"Your reservations: {wording.numbered(wording.reservations(found, turn.zone))}.", memory.settled)


def cancel(turn: Turn, memory: Memory) -> Reply:
    found = turn.call("list_reservations")["reservations"]
    if memory.reservation_id:
        found = [each for each in found if each["reservationId"] == memory.reservation_id]
    elif memory.vehicle_type:
        found = [each for each in found if each["vehicleType"] == memory.vehicle_type]
    if not found:
        return Reply(wording.NOTHING_TO_CANCEL, Memory())
    if len(found) > 1:
        labels = wording.reservations(found, turn.zone)
        options = tuple(Option(each["reservationId"], label, each["plate"]) for each, label in zip(found, labels, strict=True))
        question = f"Which reservation shall I cancel? {wording.numbered(labels)}. Answer with its number."
        return Reply(question, memory.asks(Question.WHICH_RESERVATION, options))
    made = turn.call("cancel_reservation", reservation_id=found[0]["reservationId"])
    return Reply(f"I can {wording.proposal(made)} Please confirm or decline.{wording.ONLY_BUTTONS}", Memory())


TASKS: dict[Intent, Callable[[Turn, Memory], Reply]] = {
    Intent.RESERVE: reserve,
    Intent.FIND: find,
    Intent.PLAN: plan,
    Intent.PRICE: price,
    Intent.RESERVATIONS: list_reservations,
    Intent.CANCEL: cancel,
}


def _vehicle_type(memory: Memory) -> VehicleType:
    if memory.vehicle_type is None:
        raise Ask(Reply(wording.ASK_VEHICLE, memory.asks(Question.VEHICLE)))
    return memory.vehicle_type


def _with_origin(turn: Turn, memory: Memory) -> Memory:
    """Without a place to start, the rider's own position; without that, a question."""
    position = turn.context.get("position")
    if HERE in (memory.origin and memory.origin.ref, memory.destination and memory.destination.ref) and not position:
        raise Ask(Reply(wording.NO_POSITION, replace(memory, origin=None).asks(Question.ORIGIN)))
    if memory.origin is None and not position:
        raise Ask(Reply(wording.ASK_ORIGIN, memory.asks(Question.ORIGIN)))
    return memory if memory.origin else replace(memory, origin=Spot.named(HERE))


def _start(turn: Turn, memory: Memory) -> datetime:
    return memory.starts_at or turn.now.astimezone(UTC)


def _window_end(turn: Turn, memory: Memory) -> datetime | None:
    if memory.vehicle_type is not None and memory.vehicle_type.is_micromobility:
        return None
    return memory.ends_at or (_start(turn, memory) + memory.length if memory.length else None)


def _end(turn: Turn, memory: Memory, vehicle_type: VehicleType) -> tuple[datetime | None, int | None]:
    """When a booking ends, and the minutes to price. Holds are open-ended: their length is only expected."""
    start = _start(turn, memory)
    ends_at = memory.ends_at or (start + memory.length if memory.length else None)
    if ends_at is None and not vehicle_type.is_micromobility:
        question = wording.ASK_LENGTH.format(vehicle=wording.VEHICLES[vehicle_type])
        raise Ask(Reply(question, memory.asks(Question.LENGTH)))
    minutes = None if ends_at is None else max(1, wording.minutes_of(ends_at - start))
    return (None if vehicle_type.is_micromobility else ends_at), minutes


def _iso(instant: datetime | None) -> str | None:
    return None if instant is None else instant.astimezone(UTC).isoformat()


def _places(turn: Turn, memory: Memory) -> tuple[Spot, Spot | None, Memory]:
    """Both places without doubt, looked up together."""
    spots = {"origin": memory.origin, "destination": memory.destination}
    unknown = {role: spot for role, spot in spots.items() if spot and spot.ref is None}
    results = turn.call_all(Call("find_places", {"text": spot.name}) for spot in unknown.values())
    for (role, spot), result in zip(unknown.items(), results, strict=True):
        memory = _decide(turn, memory, role, spot, result["places"])
    if memory.origin is None:
        raise Ask(Reply(wording.ASK_ORIGIN, memory.asks(Question.ORIGIN)))
    return memory.origin, memory.destination, memory


def _decide(turn: Turn, memory: Memory, role: str, spot: Spot, places: list[dict[str, Any]]) -> Memory:
    exact = [place for place in places if fold(place["name"]) == fold(spot.name)]
    candidates = exact or places
    if not candidates:
        raise Ask(_unknown(turn, memory, role, spot))
    if len(candidates) > 1:
        raise Ask(_which(memory, role, candidates[:MAX_OPTIONS], wording.WHICH_PLACE.format(name=wording.shown(spot.name))))
    found = candidates[0]
    chosen: dict[str, Any] = {role: Spot(wording.shown(found["name"]), found["placeId"])}
    return replace(memory, **chosen)


def _unknown(turn: Turn, memory: Memory, role: str, spot: Spot) -> Reply:
    """No place of that name: those that share its longest word, else a question."""
    metro = turn.context.get("metro", "this metro")
    word = max(fold(spot.name).split(), key=len, default="")
    if word and word != fold(spot.name) and (similar := turn.call("find_places", text=word)["places"]):
        return _which(memory, role, similar[:MAX_OPTIONS], wording.did_you_mean(spot.name, metro))
    blank: dict[str, Any] = {role: None}
    return Reply(wording.unknown_place(spot.name, metro), replace(memory, **blank).asks(Question(role)))


def _which(memory: Memory, role: str, places: list[dict[str, Any]], question: str) -> Reply:
    options = tuple(
        Option(each["placeId"], wording.shown(each["name"]), f"{each.get('locality') or ''} {each['name']}") for each in places
    )
    labels = wording.numbered([wording.place(each) for each in places])
    return Reply(f"{question} {labels}. {wording.ANSWER_WITH_PLACE}", memory.asks(Question(f"which_{role}"), options))


def _vehicles(
    turn: Turn, memory: Memory, vehicle_type: VehicleType, origin: Spot, ends_at: datetime | None
) -> list[dict[str, Any]]:
    """Nearest first, looking further away when there is none close by."""
    for radius in RADII_METERS:
        result = turn.call(
            "find_vehicles",
            near=origin.ref,
            vehicle_type=vehicle_type.value,
            starts_at=_iso(memory.starts_at),
            ends_at=_iso(ends_at),
            radius_meters=radius,
        )
        found: list[dict[str, Any]] = result["vehicles"]
        if found:
            return found
    raise Ask(Reply(wording.no_vehicle(wording.VEHICLES[vehicle_type], origin.name, RADII_METERS[-1]), memory.settled))


def _with_enough_range(
    turn: Turn, memory: Memory, found: list[dict[str, Any]], origin: Spot, destination: Spot | None
) -> tuple[dict[str, Any], dict[str, Any]]:
    """The nearest vehicle whose battery lasts for the ride, and the way."""
    needed, vehicle = 0.0, found[0]
    for _ in range(2):
        able = [each for each in found if each["currentRangeMeters"] >= needed]
        if not able:
            raise Ask(Reply(wording.no_range(wording.vehicle_of(vehicle), needed / RANGE_MARGIN), memory.settled))
        vehicle = able[0]
        way = turn.call(
            "plan_route",
            origin=origin.ref,
            destination=destination.ref if destination else None,
            vehicle_id=vehicle["vehicleId"],
        )
        needed = way["legs"][-1]["distanceMeters"] * RANGE_MARGIN if destination else 0.0
        if vehicle["currentRangeMeters"] >= needed:
            return vehicle, way
    raise Ask(Reply(wording.no_range(wording.vehicle_of(vehicle), needed / RANGE_MARGIN), memory.settled))
