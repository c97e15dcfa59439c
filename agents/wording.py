"""The offline model's sentences. Every number, name and time in them comes from a tool result or the server's context."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Sequence
from datetime import datetime, timedelta
from math import ceil
from typing import Any
from zoneinfo import ZoneInfo

from agents.times import TimeProblem, When
from domain.values import VehicleType

VEHICLES = {
    VehicleType.SCOOTER_STANDING: "e-scooter",
    VehicleType.BICYCLE: "bike",
    VehicleType.CAR: "car",
    VehicleType.VAN: "van",
}
_WITHOUT_MINOR_UNITS = frozenset({"ISK", "JPY", "KRW"})

HELP = (
    "I can find scooters, bikes, cars and vans, plan a trip, tell time and price, prepare a reservation for you to confirm,"
    " list your reservations and prepare a cancellation. For example: “Book a bike from Central Station to the Museum”,"
    " “How long from the Castle to the Zoo by scooter?” or “A car at 18:00 for 2 hours near the Old Bridge”."
)
GREETING = "Hello! Where would you like to go? " + HELP
THANKS = "You are welcome. Have a good ride!"
UNKNOWN = "I did not understand that: I know simple English sentences about rides and little else. " + HELP
FORGOTTEN = "All right, I have dropped that. Nothing was booked. What would you like instead?"
ASK_VEHICLE = "Which vehicle would you like: e-scooter, bike, car or van?"
ASK_ORIGIN = "Where would you like to start? Name a place, or share your position and say “here”."
ASK_DESTINATION = "Where would you like to go?"
ASK_LENGTH = "For how long do you need the {vehicle}? For example: “for 2 hours” or “until 18:00”."
NO_POSITION = "I do not know where you are. Share your position, or name a place to start from."
NOTHING_PENDING = "Nothing is waiting for your confirmation, and nothing was booked just now. Tell me what you would like."
NOT_BY_TEXT = "A typed answer books nothing. Use the Confirm or Decline button of this proposal: "
ONLY_BUTTONS = " Nothing happens until you press Confirm."
OFFER = " Shall I prepare a reservation?"
NOTHING_TO_CANCEL = "I found no open reservation like that. Ask for “my reservations” to see them."
NO_RESERVATIONS = "You have no open reservations."
ASK_LENGTH_AGAIN = "For how long? For example: “for 2 hours” or “until 18:00”."
ASK_TIME = "At what time? For example: “at 08:30”, “tomorrow at 9” or “in 20 minutes”."
WHICH_PLACE = "Which “{name}” do you mean?"
ANSWER_WITH_PLACE = "Answer with its number or its district."
ANSWER_WITH_NUMBER = "Answer with the number of one of the options, or say “never mind”."
WAY_OUT = "Nothing was booked. Change the time, the place or the vehicle, and I will try again."
STILL_LOST = "Sorry, I could not match that. "


def shown(name: Any, limit: int = 80) -> str:
    """A name from outside, safe inside a sentence: one line, no control characters, no markup."""
    plain = "".join(" " if unicodedata.category(letter).startswith(("C", "Z")) else letter for letter in str(name))
    return re.sub(r"\s+", " ", re.sub(r"[<>\[\]`*|]", "", plain)).strip()[:limit]


def distance(meters: float) -> str:
    return f"{meters:.0f} m" if meters < 1000 else f"{meters / 1000:.1f} km"


def duration(seconds: float) -> str:
    minutes = max(1, ceil(seconds / 60))
    days, rest = divmod(minutes, 1440)
    hours, minutes = divmod(rest, 60)
    parts = [f"{days} d" if days else "", f"{hours} h" if hours else "", f"{minutes} min" if minutes else ""]
    return " ".join(part for part in parts if part)


def money(minor_units: int, currency: str) -> str:
    return f"{minor_units} {currency}" if currency in _WITHOUT_MINOR_UNITS else f"{minor_units / 100:.2f} {currency}"


def clock(instant: str, zone: ZoneInfo) -> str:
    return f"{datetime.fromisoformat(instant).astimezone(zone):%a %-d %b, %H:%M}"


def vehicle_of(fact: dict[str, Any]) -> str:
    return VEHICLES[VehicleType(fact["vehicleType"])]


def numbered(labels: Sequence[str]) -> str:
    return " ".join(f"{number}) {label};" for number, label in enumerate(labels, 1)).removesuffix(";")


def place(fact: dict[str, Any]) -> str:
    locality = f" ({shown(fact['locality'])})" if fact.get("locality") else ""
    return shown(fact["name"]) + locality


def unknown_place(name: str, metro: str) -> str:
    return f"I know no place called “{shown(name)}” in {shown(metro)}. Check the spelling, or name a street or landmark nearby."


def did_you_mean(name: str, metro: str) -> str:
    return f"I know no place called “{shown(name)}” in {shown(metro)}. Did you mean one of these?"


def time_problem(when: When) -> str:
    words = shown(when.words)
    match when.problem:
        case TimeProblem.DAY_ONLY:
            return f"At what time {words.removeprefix('on ')}? For example: “at 08:30”."
        case TimeProblem.NONEXISTENT:
            return (
                f"{words} does not exist on {when.day:%-d %B %Y}: the clocks are put forward over it. Which other time suits you?"
            )
        case TimeProblem.AMBIGUOUS:
            return (
                f"{words} happens twice on {when.day:%-d %B %Y}: the clocks are put back. Please choose a time outside that hour."
            )
        case _:
            return f"I cannot read “{words}” as a time. Say it like “at 08:30”, “tomorrow at 9” or “in 20 minutes”."


def no_vehicle(vehicle: str, near: str, radius_meters: int) -> str:
    return (
        f"There is no free {vehicle} within {distance(radius_meters)} of {near} at that time."
        " Try another start, another time or another kind of vehicle."
    )


def no_range(vehicle: str, meters: float) -> str:
    return (
        f"No {vehicle} nearby has enough battery for the {distance(meters)} to your destination."
        " Try another start or another kind of vehicle."
    )


def vehicles(found: Sequence[dict[str, Any]], near: str) -> str:
    labels = [
        f"{vehicle_of(each)} {shown(each['plate'])}, {distance(each['distanceMeters'])} away,"
        f" battery {each['batteryPercent']} %, range {distance(each['currentRangeMeters'])}"
        for each in found
    ]
    return f"Nearest to {near}: {numbered(labels)}."


def route(plan: dict[str, Any], start: str, end: str) -> str:
    verbs = {"walk": "walk", "bicycle": "ride", "scooter": "ride", "car": "drive"}
    legs = ", then ".join(
        f"{verbs[leg['mode']]} {distance(leg['distanceMeters'])} ({duration(leg['durationSeconds'])})" for leg in plan["legs"]
    )
    estimate = " These are estimates: the street network was not consulted." if plan["estimated"] else ""
    total = f"{distance(plan['totalDistanceMeters'])} in {duration(plan['totalDurationSeconds'])}"
    return f"From {start} to {end}: {legs}; in all {total}.{estimate}"


def price(quote: dict[str, Any]) -> str:
    currency, vehicle = quote["currency"], vehicle_of(quote)
    per_minute = quote["perMinuteMinor"] if currency in _WITHOUT_MINOR_UNITS else quote["perMinute"]
    rates = f"{money(quote['unlockMinor'], currency)} to unlock and {per_minute} {currency} per minute, VAT included"
    if quote["priceMinor"] is None:
        return f"Riding by {vehicle} costs {rates}."
    total = money(quote["priceMinor"], currency)
    return f"{duration(quote['minutes'] * 60)} by {vehicle} costs about {total} ({rates})."


def proposal(made: dict[str, Any]) -> str:
    summary = made["summary"]
    zone = ZoneInfo(summary["timezone"])
    if made["action"] == "cancel_reservation":
        fee = f" for a fee of {money(summary['feeMinor'], summary['currency'])}" if summary.get("feeMinor") else ""
        return f"cancel your {vehicle_of(summary)} {shown(summary['plate'])} of {clock(summary['startsAt'], zone)}{fee}."
    parts = [f"{vehicle_of(summary)} {shown(summary['plate'])} (battery {summary['batteryPercent']} %)"]
    pickup = summary["pickup"]
    where = f" at {shown(pickup['name'])}" if pickup.get("name") else ""
    parts.append(f"pick-up{where} after a walk of {distance(summary['walkMeters'])} ({duration(summary['walkSeconds'])})")
    ends = f" until {clock(summary['endsAt'], zone)}" if summary["endsAt"] else ", open-ended"
    parts.append(f"from {clock(summary['startsAt'], zone)}{ends}")
    if summary["destination"] and summary["distanceMeters"] is not None:
        estimate = ", estimated" if summary["estimated"] else ""
        ride = f"{distance(summary['distanceMeters'])}, {duration(summary['durationSeconds'])}{estimate}"
        parts.append(f"to {shown(summary['destination']['name'])} ({ride})")
    if summary["priceMinor"] is not None:
        parts.append(f"about {money(summary['priceMinor'], summary['currency'])}")
    return "; ".join(parts) + "."


def reservations(found: Sequence[dict[str, Any]], zone: ZoneInfo) -> list[str]:
    return [
        f"{vehicle_of(each)} {shown(each['plate'])}, {each['state']}, from {clock(each['startsAt'], zone)}"
        + (f" until {clock(each['endsAt'], zone)}" if each["endsAt"] else "")
        + f" ({each['reservationId']})"
        for each in found
    ]


def report(decision: dict[str, Any], zone: ZoneInfo) -> str:
    summary, reservation = decision["summary"], decision["reservationId"]
    vehicle = f"{vehicle_of(summary)} {shown(summary['plate'])}"
    if decision["decision"] != "approve":
        if decision["action"] == "cancel_reservation":
            return f"All right: your {vehicle} stays reserved."
        return "All right. Nothing was booked. What would you like instead?"
    if decision["action"] == "cancel_reservation":
        fee = f" for a fee of {money(summary['feeMinor'], summary['currency'])}" if summary.get("feeMinor") else ""
        return f"Your {vehicle} is cancelled{fee} ({summary['reservationId']})."
    ends = f" until {clock(summary['endsAt'], zone)}" if summary["endsAt"] else ""
    return f"Your {vehicle} is reserved from {clock(summary['startsAt'], zone)}{ends} ({reservation})."


def minutes_of(length: timedelta) -> int:
    return ceil(length.total_seconds() / 60)
