"""Watching: what changes in a metro, a line for each change."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import datetime
from zoneinfo import ZoneInfo

from rich.console import Console
from rich.text import Text

from app.terminal import documents
from app.terminal.ask import choose_metro
from app.terminal.client import Data
from app.terminal.console import printable
from app.terminal.link import Link

_STYLES = {"CONFIRMED": "green", "CANCELLED": "yellow", "EXPIRED": "dim"}


async def watch(
    link: Link, console: Console, *, metro: str | None, after: str | None, as_json: bool, tell: Callable[[str], None]
) -> None:
    """Until cancelled. Everything that happens after it has told that it watches is shown."""
    data = await link.execute(documents.OPS_METROS)
    chosen = choose_metro(data["ops"]["metros"], metro)
    zone = ZoneInfo(chosen["timezone"])
    tell(f"Watching {chosen['name']}. Ctrl-C ends.")
    variables = {"metroId": chosen["id"]}
    async for event in link.follow("opsDispatchUpdates", documents.DISPATCH_UPDATES, variables, after or chosen["cursor"]):
        line = Text(json.dumps(event, ensure_ascii=False)) if as_json else row_of(event, zone)
        console.print(line, soft_wrap=True)


def row_of(event: Data, zone: ZoneInfo) -> Text:
    match event["__typename"]:
        case "ReservationChanged":
            what, state, where = "reservation", event["reservationState"], _window(event, zone)
        case "VehicleChanged":
            what, state = "vehicle", event["vehicleState"]
            position = event["position"]
            where = f"{event['batteryPercent']:>3} %  {position['lat']:.5f}, {position['lon']:.5f}"
        case "ResyncRequired":
            return Text(f"gap: {printable(event['reason'])}", style="red")
        case other:
            return Text(other, style="dim")
    return Text.assemble(
        f"{datetime.fromisoformat(event['at']).astimezone(zone):%H:%M:%S.%f}"[:-3],
        f"  {what:<11}  ",
        (f"{state:<15}", _STYLES.get(state, "")),
        f"  {event['vehicleType'].lower():<16}  {printable(event['plate']):<14}  {where}",
    )


def _window(event: Data, zone: ZoneInfo) -> str:
    start, end = (
        f"{datetime.fromisoformat(instant).astimezone(zone):%a %H:%M}" if instant else "open"
        for instant in (event["startsAt"], event["endsAt"])
    )
    return f"{start} to {end}"
