"""The screen: turns while they happen, proposals and reservations as tables."""

from __future__ import annotations

from datetime import datetime
from typing import Any
from zoneinfo import ZoneInfo

from rich.console import Console, Group, RenderableType
from rich.live import Live
from rich.table import Table
from rich.text import Text

from agents import wording
from app.terminal.chat import ToolUse, Turn
from app.terminal.client import Data
from app.terminal.console import printable

_VALUE_LENGTH = 40
_VEHICLES = {"SCOOTER_STANDING": "e-scooter", "BICYCLE": "bike", "CAR": "car", "VAN": "van"}


class Screen:
    """On a terminal a turn is redrawn as it grows; elsewhere lines are printed once they are certain."""

    def __init__(self, console: Console) -> None:
        self._console = console
        self._live: Live | None = None

    def began(self, turn: Turn) -> None:
        if self._console.is_terminal:
            self._live = Live(_turn(turn), console=self._console, refresh_per_second=20, vertical_overflow="visible")
            self._live.start()

    def changed(self, turn: Turn, event: Data) -> None:
        if self._live is not None:
            self._live.update(_turn(turn))
            return
        match event["__typename"]:
            case "AttemptRestarted":
                self._line(Text("… another worker begins the answer anew", style="dim"))
            case "ToolCallStarted":
                self._line(_tool(turn.tools[event["callId"]]))
            case "ToolCallFinished" if event["outcome"] != "success":
                self._line(_tool(turn.tools[event["callId"]]))
            case "TurnFinished":
                self._line(Text(printable(turn.text)))

    def ended(self, turn: Turn) -> None:
        if self._live is not None:
            self._live.update(_turn(turn), refresh=True)
            self._live.stop()
            self._live = None

    def show(self, table: Table) -> None:
        self._console.print(table)

    def say(self, sentence: str) -> None:
        self._line(Text(printable(sentence)))

    def _line(self, line: Text) -> None:
        self._console.print(line, soft_wrap=True)


def _turn(turn: Turn) -> RenderableType:
    return Group(*(_tool(use) for use in turn.tools.values()), Text(printable(turn.text)))


def _tool(use: ToolUse) -> Text:
    arguments = use.arguments if isinstance(use.arguments, dict) else {}
    shown = " ".join(f"{name}={_short(value)}" for name, value in arguments.items() if value is not None)
    line = Text(f"· {printable(use.tool)} {shown}".rstrip(), style="dim", overflow="ellipsis", no_wrap=True)
    if use.outcome not in (None, "success"):
        line.append(f"  {use.outcome}: {_short(use.result)}", style="yellow")
    return line


def _short(value: Any) -> str:
    if isinstance(value, dict):
        value = next((part for part in value.values() if isinstance(part, str)), value)
    text = " ".join(printable(str(value)).split())
    return text if len(text) <= _VALUE_LENGTH else f"{text[:_VALUE_LENGTH]}…"


def proposal_table(proposal: Data, zone: ZoneInfo) -> Table:
    details = proposal["details"]
    is_booking = details["__typename"] == "ProposedReservation"
    table = _table("Proposed reservation" if is_booking else "Proposed cancellation")
    _row(table, "Vehicle", _VEHICLES.get(details["vehicleType"], details["vehicleType"]))
    _row(table, "Plate", details["plate"])
    if is_booking:
        _booking_rows(table, details, zone)
    else:
        _row(table, "Start", _clock(details["startsAt"], zone))
    _row(table, "Decide until", _clock(proposal["expiresAt"], zone))
    return table


def _booking_rows(table: Table, details: Data, zone: ZoneInfo) -> None:
    rough = " (estimated)" if details["isEstimated"] else ""
    _row(table, "Battery", f"{details['batteryPercent']} %")
    _row(table, "Pick-up", _waypoint(details["pickup"]))
    if details["walkMeters"] is not None:
        time = f", {wording.duration(details['walkSeconds'])}" if details["walkSeconds"] is not None else ""
        _row(table, "Walk", f"{wording.distance(details['walkMeters'])}{time}")
    _row(table, "Start", _clock(details["startsAt"], zone))
    _row(table, "End", _clock(details["endsAt"], zone) if details["endsAt"] else "open")
    if details["destination"]:
        _row(table, "Destination", _waypoint(details["destination"]))
    if details["distanceMeters"] is not None:
        _row(table, "Distance", f"{wording.distance(details['distanceMeters'])} ({details['distanceMeters']} m){rough}")
    if details["durationSeconds"] is not None:
        _row(table, "Time", f"{wording.duration(details['durationSeconds'])} ({details['durationSeconds']} s){rough}")
    _row(table, "Price", _price(details["price"]))


def reservation_table(reservation: Data, zone: ZoneInfo) -> Table:
    vehicle = reservation["vehicle"]
    station = vehicle["station"]
    table = _table("Reservation")
    _row(table, "Id", reservation["id"])
    _row(table, "State", reservation["state"])
    _row(table, "Vehicle", _VEHICLES.get(vehicle["vehicleType"], vehicle["vehicleType"]))
    _row(table, "Plate", vehicle["plate"])
    # Where a vehicle is that is nobody's reservation any more, its rider is not told.
    if vehicle["position"]:
        _row(table, "Stands at", _waypoint({"name": station["name"] if station else None, "position": vehicle["position"]}))
    _row(table, "Start", _clock(reservation["startsAt"], zone))
    _row(table, "End", _clock(reservation["endsAt"], zone) if reservation["endsAt"] else "open")
    if reservation["lapsesAt"] and reservation["state"] == "CONFIRMED":
        _row(table, "Unlock until", _clock(reservation["lapsesAt"], zone))
    _row(table, "Price", _price(reservation["quoted"]))
    return table


def _table(title: str) -> Table:
    return Table(title=title, title_justify="left", show_header=False)


def _row(table: Table, name: str, value: str) -> None:
    table.add_row(name, Text(printable(value)))


def _waypoint(point: Data) -> str:
    position = f"{point['position']['lat']:.5f}, {point['position']['lon']:.5f}"
    return f"{point['name']} ({position})" if point["name"] else position


def _clock(instant: str, zone: ZoneInfo) -> str:
    return f"{datetime.fromisoformat(instant).astimezone(zone):%a %-d %b %Y, %H:%M}"


def _price(money: Data | None) -> str:
    return wording.money(money["minorUnits"], money["currency"]) if money else "by the minute"
