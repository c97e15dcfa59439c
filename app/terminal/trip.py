"""A trip as its events tell it, and the line that it goes along."""

from __future__ import annotations

import asyncio
import math
import time
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

from app.terminal.client import ClientError, Data

_EARTH_METERS = 6_371_000.0


@dataclass
class Trip:
    """As its events tell it."""

    id: str
    state: str = "PREPARING"
    awaits: str | None = "UNLOCK"
    end_cause: str | None = None
    receipt_id: str | None = None
    refusals: list[str] = field(default_factory=list)
    #: how far the service's clock is ahead of ours
    ahead_seconds: float = 0.0
    changed: asyncio.Event = field(default_factory=asyncio.Event)

    def apply(self, event: Data) -> bool:
        """False when it is of another trip, or of nothing that is shown."""
        if event["__typename"] == "ResyncRequired":
            raise ClientError("The history of the trip is gone. Look at it with viewer.openTrip.")
        if event["__typename"] not in ("OwnTripChanged", "RunningPriceTicked") or event["tripId"] != self.id:
            return False
        if event["__typename"] == "OwnTripChanged":
            self.state, self.awaits = event["state"], event["awaits"]
            self.end_cause, self.receipt_id, self.refusals = event["endCause"], event["receiptId"], event["refusals"]
            self.ahead_seconds = datetime.fromisoformat(event["at"]).timestamp() - time.time()
        self.changed.set()
        return True

    def now(self) -> datetime:
        """By the clock of the service, or a little before: what is from its future it refuses."""
        return datetime.now(UTC) + timedelta(seconds=self.ahead_seconds - 0.2)


def meters(one: Data, two: Data) -> float:
    """As the crow flies."""
    north = math.radians(two["lat"] - one["lat"])
    east = math.radians(two["lon"] - one["lon"]) * math.cos(math.radians((one["lat"] + two["lat"]) / 2))
    return math.hypot(north, east) * _EARTH_METERS


def between(one: Data, two: Data, share: float) -> Data:
    return {axis: one[axis] + (two[axis] - one[axis]) * share for axis in ("lat", "lon")}
