"""Riding: a whole simulated ride, from finding a vehicle to its receipt, through the API alone."""

from __future__ import annotations

import asyncio
import math
import time
import uuid
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

from app.terminal import documents, pictures
from app.terminal.ask import choose_metro
from app.terminal.chat import success
from app.terminal.client import ClientError, Data
from app.terminal.files import Files
from app.terminal.link import Link
from app.terminal.ride_screen import Progress
from app.terminal.trip import Trip, between, meters

VEHICLE_TYPES = {"scooter": "SCOOTER_STANDING", "bike": "BICYCLE", "car": "CAR", "van": "VAN"}
#: meters a second in a street, and what the service takes for a jump
STREET_SPEED, MOST_SPEED = 5.0, 50.0
#: between two positions, and between two times that they are told
STEP_SECONDS, STEPS_TOLD = 0.5, 4
#: longer than a lock, a bank or another worker may take
PATIENCE_SECONDS = 90.0
#: tries to return it, each where the one before was told to go
RETURNS = 3
#: how far a ride goes when nobody says where to
DEFAULT_METERS = 150.0
BOOKED = timedelta(hours=1)
ACCURACY_METERS = 5.0


@dataclass(frozen=True, slots=True)
class Wish:
    """What to ride, where and how."""

    vehicle_type: str
    start: str | None
    destination: str | None
    pause_seconds: float
    #: times as fast as in a street
    speed: float
    receipt: Path | None


class Riding:
    """One ride of one account."""

    def __init__(self, link: Link, shown: Progress, wish: Wish) -> None:
        self._link = link
        self._shown = shown
        self._wish = wish

    async def ride(self, metro: str | None) -> None:
        """To the receipt. Raises ClientError when it does not come to that."""
        data = await self._link.execute(documents.METROS)
        self._metro_id: str = choose_metro(data["customer"]["metros"], metro)["id"]
        with self._shown:
            vehicle, trip, cursor = await self._begin()
            async with self._followed(trip, cursor):
                await self._until(trip, "IN_USE", "PAUSED")
                if trip.state == "PAUSED":
                    await self._act(trip, documents.RESUME_TRIP, "resumeTrip", "IN_USE")
                here = await self._go(trip, vehicle["position"], await self._destination(vehicle), self._wish.pause_seconds)
                await self._return(trip, vehicle, here)
                await self._until_receipt(trip)
        receipt = await self._settled(trip)
        self._shown.show_receipt(receipt)
        if self._wish.receipt is not None:
            async with Files(self._link.url) as files:
                self._wish.receipt.write_bytes(await files.download(receipt["pdfUrl"]))
            self._shown.done(f"The receipt is in {self._wish.receipt}.")

    async def _begin(self) -> tuple[Data, Trip, str]:
        """The vehicle, the trip, and the cursor that its stream continues from."""
        viewer = (await self._link.execute(documents.OPEN_TRIP))["customer"]["viewer"]
        if (ridden := viewer["openTrip"]) is not None:
            self._shown.done(f"There is a trip already, on {ridden['vehicle']['plate']}: going on with it.")
            return ridden["vehicle"], Trip(ridden["id"], ridden["state"], ridden["awaits"]), ridden["cursor"]
        start = await self._place(self._wish.start)
        vehicle = await self._reserve(start)
        nearby = {"vehicleId": vehicle["id"], "position": vehicle["position"]}
        self._shown.begin("Unlocking")
        given = {"vehicle": {"nearby": nearby}, "idempotencyKey": _key()}
        unlocked = success((await self._link.execute(documents.UNLOCK_VEHICLE, {"input": given}))["customer"]["unlockVehicle"])
        return vehicle, Trip(unlocked["trip"]["id"]), unlocked["cursor"]

    async def _place(self, name: str | None) -> Data | None:
        """Where a place of that name is; None: anywhere."""
        if name is None:
            return None
        found = await self._link.execute(documents.PLACES, {"metroId": self._metro_id, "search": name})
        if not found["customer"]["places"]:
            raise ClientError(f"There is no place called {name}.")
        place: Data = found["customer"]["places"][0]
        return place

    async def _reserve(self, start: Data | None) -> Data:
        """The nearest that can be had."""
        if start is None:
            best = await self._link.execute(documents.PLACES, {"metroId": self._metro_id})
            start = best["customer"]["places"][0]
        self._shown.begin(f"Looking for a vehicle near {start['name']}")
        kind = VEHICLE_TYPES[self._wish.vehicle_type]
        asked = {"metroId": self._metro_id, "near": start["position"], "types": [kind]}
        found = (await self._link.execute(documents.VEHICLES_NEAR, asked))["customer"]["vehicles"]["nodes"]
        if not found:
            raise ClientError(f"There is no free {self._wish.vehicle_type} within 5 km of {start['name']}.")
        refusals = []
        for vehicle in found:
            given = {"vehicleId": vehicle["id"], "idempotencyKey": _key()}
            if kind in ("CAR", "VAN"):
                now = datetime.now(UTC)
                given |= {"startsAt": now.isoformat(), "endsAt": (now + BOOKED).isoformat()}
            answer = (await self._link.execute(documents.RESERVE_VEHICLE, {"input": given}))["customer"]["reserveVehicle"]
            if answer["__typename"] != "VehicleUnavailableError":
                success(answer)
                away = f"{vehicle['distanceMeters']} m from {start['name']}"
                self._shown.done(f"Reserved {vehicle['plate']}, {away}, {vehicle['batteryPercent']} % charged.")
                taken: Data = vehicle
                return taken
            refusals.append(answer)
        success(refusals[-1])
        raise AssertionError("a refusal is no success")

    async def _destination(self, vehicle: Data) -> Data:
        """Where to: what was asked for, or something near; for cars and vans a station with a charger and room."""
        wished = await self._place(self._wish.destination)
        around = wished["position"] if wished else vehicle["position"]
        if vehicle["vehicleType"] in ("CAR", "VAN"):
            near = {"metroId": self._metro_id, "area": {"near": {"center": around, "radiusMeters": 5000}}}
            found = (await self._link.execute(documents.STATIONS_NEAR, near))["customer"]["stations"]["nodes"]
            free = [one["station"] for one in found if one["station"]["isChargingStation"] and one["freeDocks"] > 0]
            if free:
                chosen: Data = free[0]
                return chosen
        if wished:
            return wished
        found = await self._link.execute(documents.PLACES, {"metroId": self._metro_id, "near": around})
        places = found["customer"]["places"]
        best: Data = min(places, key=lambda place: abs(meters(around, place["position"]) - DEFAULT_METERS))
        return best

    @asynccontextmanager
    async def _followed(self, trip: Trip, cursor: str) -> AsyncIterator[None]:
        """While inside, events of the trip are applied and shown."""

        async def follow() -> None:
            stream = self._link.follow("customerTripChanged", documents.TRIP_CHANGES, {}, cursor)
            async for event in stream:
                if trip.apply(event):
                    self._shown.tell(trip.state, trip.awaits, event.get("runningPrice") or event.get("ticked"))

        following = asyncio.create_task(follow())
        self._following = following
        try:
            yield
        finally:
            following.cancel()
            await asyncio.gather(following, return_exceptions=True)

    async def _until(self, trip: Trip, *states: str) -> None:
        """The trip is in one of the states and waits for nothing. Raises ClientError."""
        until = time.monotonic() + PATIENCE_SECONDS
        while not (trip.state in states and trip.awaits is None):
            if trip.end_cause is not None:
                raise ClientError(f"The trip is over before its time: {_words(trip.end_cause)}.")
            await self._change(trip, until)

    async def _until_receipt(self, trip: Trip) -> None:
        until = time.monotonic() + PATIENCE_SECONDS
        while trip.receipt_id is None:
            await self._change(trip, until)

    async def _change(self, trip: Trip, until: float) -> None:
        trip.changed.clear()
        changing = asyncio.create_task(trip.changed.wait())
        patience = max(0.0, until - time.monotonic())
        await asyncio.wait({changing, self._following}, timeout=patience, return_when=asyncio.FIRST_COMPLETED)
        if self._following.done():
            changing.cancel()
            await self._following
        if not changing.done():
            changing.cancel()
            raise ClientError(f"Nothing has happened for {PATIENCE_SECONDS:g} s. Is a worker running? /health/ready knows.")

    async def _act(self, trip: Trip, document: str, name: str, state: str) -> None:
        given = {"tripId": trip.id, "idempotencyKey": _key()}
        success((await self._link.execute(document, {"input": given}))["customer"][name])
        await self._until(trip, state)

    async def _go(self, trip: Trip, start: Data, to: Data, pause_seconds: float) -> Data:
        """Along the line, telling where; with a pause half way. The position that it comes to."""
        end: Data = to["position"]
        speed = min(MOST_SPEED, STREET_SPEED * self._wish.speed)
        steps = max(2, math.ceil(meters(start, end) / speed / STEP_SECONDS))
        self._shown.begin(f"Riding {meters(start, end):.0f} m to {to['name']}", steps)
        told: list[Data] = []
        for step in range(1, steps + 1):
            await asyncio.sleep(STEP_SECONDS)
            position = between(start, end, step / steps)
            told.append({"at": trip.now().isoformat(), "position": position, "accuracyMeters": ACCURACY_METERS})
            self._shown.advance()
            if len(told) == STEPS_TOLD or step == steps:
                await self._record(trip, told)
                told = []
            if pause_seconds and step == steps // 2:
                await self._pause(trip, pause_seconds)
        self._shown.done(f"Arrived at {to['name']}.")
        return end

    async def _record(self, trip: Trip, told: list[Data]) -> None:
        given = {"tripId": trip.id, "positions": told}
        answer = await self._link.execute(documents.RECORD_TRIP_POSITIONS, {"input": given})
        ridden: Data = success(answer["customer"]["recordTripPositions"])["trip"]
        self._shown.tell(trip.state, trip.awaits, ridden["runningPrice"])

    async def _pause(self, trip: Trip, seconds: float) -> None:
        await self._act(trip, documents.PAUSE_TRIP, "pauseTrip", "PAUSED")
        self._shown.done(f"Paused for {seconds:g} s.")
        await asyncio.sleep(seconds)
        await self._act(trip, documents.RESUME_TRIP, "resumeTrip", "IN_USE")

    async def _return(self, trip: Trip, vehicle: Data, here: Data) -> None:
        """With a photo, where it may be left: a refusal says where that is."""
        for left in reversed(range(RETURNS)):
            self._shown.begin("Taking a photo and returning")
            photo_id = await self._photograph(vehicle)
            given = {"tripId": trip.id, "position": here, "accuracyMeters": ACCURACY_METERS, "photoId": photo_id}
            asked = {"input": {**given, "idempotencyKey": _key()}}
            answer = (await self._link.execute(documents.RETURN_VEHICLE, asked))["customer"]["returnVehicle"]
            if answer["__typename"] != "ReturnRefusedError":
                success(answer)
                break
            reasons = ", ".join(_words(one) for one in answer["refusals"])
            if answer["nearest"] is None or not left:
                raise ClientError(f"It may not be left here ({reasons}): {answer['message']}")
            self._shown.done(f"It may not be left here ({reasons}): going where it may.")
            here = await self._go(trip, here, {"name": "the nearest legal place", "position": answer["nearest"]}, 0)
        until = time.monotonic() + PATIENCE_SECONDS
        while trip.end_cause is None:
            if trip.refusals:
                raise ClientError(f"The vehicle is not returned: {', '.join(_words(one) for one in trip.refusals)}.")
            await self._change(trip, until)
        self._shown.done(f"The trip is over: {_words(trip.end_cause)}.")

    async def _photograph(self, vehicle: Data) -> str:
        asked = {"input": {"purpose": "RETURN", "idempotencyKey": _key()}}
        answer = (await self._link.execute(documents.REQUEST_PHOTO_UPLOAD, asked))["customer"]["requestPhotoUpload"]
        upload = success(answer)["upload"]
        async with Files(self._link.url) as files:
            await files.upload(upload["url"], pictures.draw(vehicle["vehicleType"], vehicle["plate"]))
        photo_id: str = upload["photoId"]
        return photo_id

    async def _settled(self, trip: Trip) -> Data:
        """The receipt, paid; or as it is when nobody pays it in time."""
        until = time.monotonic() + PATIENCE_SECONDS / 3
        while True:
            data = await self._link.execute(documents.RECEIPT, {"id": trip.receipt_id})
            receipt: Data = data["customer"]["receipt"]
            if not receipt["owed"]["minorUnits"] or receipt["isOverdue"] or time.monotonic() > until:
                return receipt
            await asyncio.sleep(0.2)


def _key() -> str:
    return str(uuid.uuid4())


def _words(name: str) -> str:
    return name.lower().replace("_", " ")
