"""Rides over HTTP and WebSocket: each act of a rider, and the stream that tells what came of it."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID, uuid4

import httpx

from app import database
from app.auth import AccessTokens
from app.gateways.payments import VISA
from app.settings import Settings
from app.terminal import pictures
from domain import ids
from tests import factories
from tests.journeys import clients, hosting, riders
from tests.journeys.clients import Api, Stream
from tests.journeys.newcomers import act
from tests.live import LiveServer

TRIP = "trip { id state awaits endCause distanceMeters runningPrice { minorUnits } }"
UNLOCK = act(
    "unlockVehicle",
    f"cursor {TRIP}",
    "... on TripOpenError { tripId } ... on DebtOpenError { owed { minorUnits } receiptIds }",
    "... on InvalidInputError { issues { path } }",
)
CANCEL, PAUSE, RESUME = act("cancelTrip", TRIP), act("pauseTrip", TRIP), act("resumeTrip", TRIP)
RECORD = act("recordTripPositions", TRIP)
RETURN = act(
    "returnVehicle",
    TRIP,
    "... on ReturnRefusedError { refusals nearest { lat lon } station { name } fine { minorUnits currency } }",
)
RESERVE = act("reserveVehicle", "cursor reservation { id }")
UPLOAD = act("requestPhotoUpload", "upload { photoId url method maxBytes }")
VEHICLES = """query($metroId: ID!, $near: LatLngInput!, $type: VehicleType!) { customer { vehicles(metroId: $metroId, near: $near,
  types: [$type], radiusMeters: 5000, minimumBatteryPercent: 30, first: 50) {
    nodes { id plate vehicleType position { lat lon } station { name } } } } }"""
CHANGES = """subscription($after: String) { customerTripChanged(after: $after) { __typename ... on StreamEvent { cursor }
  ... on OwnTripChanged { tripId state awaits endCause receiptId refusals startedAt runningPrice { minorUnits } }
  ... on RunningPriceTicked { tripId ticked: runningPrice { minorUnits } } } }"""
RECEIPT = """query($id: ID!) { customer { receipt(id: $id) { number lines { kind quantity amount { minorUnits } }
  total { minorUnits currency } owed { minorUnits } isOverdue pdfUrl } } }"""
VIEWER = "{ customer { viewer { cursor openTrip { id state } } } }"
HOUR = timedelta(hours=1)


def key() -> str:
    return uuid4().hex


@dataclass
class Rider:
    """Somebody with a card, signed in."""

    live: LiveServer
    id: UUID
    api: Api

    async def do(self, document: str, /, **given: Any) -> dict[str, Any]:
        """The act's answer, whatever it is; with a key of its own, if none is given."""
        answer: dict[str, Any] = await self.api.run(document, input={"idempotencyKey": key(), **given})
        return answer

    async def vehicle(self, vehicle_type: str) -> dict[str, Any]:
        """One that is free, not the one that everybody else takes, and where it may be left again: at a station, if any is."""
        metro = await riders.default_metro(self.api)
        found = (await self.api.run(VEHICLES, metroId=metro["id"], near=metro["center"], type=vehicle_type))["nodes"]
        found = [one for one in found if one["station"]] or found
        chosen: dict[str, Any] = found[self.id.int % len(found)]
        return chosen

    async def unlock(self, vehicle: dict[str, Any], **given: Any) -> dict[str, Any]:
        nearby = {"vehicleId": vehicle["id"], "position": vehicle["position"]}
        if vehicle["vehicleType"] in ("CAR", "VAN") and "reservationId" not in given:
            given = {"endsAt": (datetime.now(UTC) + HOUR).isoformat(), **given}
        return await self.do(UNLOCK, **{"vehicle": {"nearby": nearby}, **given})

    async def photo(self, content: bytes | None = None) -> str:
        """Of an uploaded photo."""
        upload = (await self.do(UPLOAD, purpose="RETURN"))["upload"]
        sent = await self.send(upload, content or pictures.draw("BICYCLE", "N-1"))
        assert sent.status_code == 201, sent.text
        photo_id: str = upload["photoId"]
        return photo_id

    async def send(self, upload: dict[str, Any], content: bytes) -> httpx.Response:
        async with httpx.AsyncClient(trust_env=False, timeout=60) as http:
            return await http.request(upload["method"], upload["url"], content=content)

    async def give_back(self, trip_id: str, vehicle: dict[str, Any], **given: Any) -> dict[str, Any]:
        """A return where the vehicle was taken, with a photo, unless told otherwise."""
        photo = {} if "photoId" in given else {"photoId": await self.photo()}
        place = {"position": vehicle["position"], "accuracyMeters": 5.0}
        return await self.do(RETURN, tripId=trip_id, **{**place, **photo, **given})

    async def end(self, trip_id: str, vehicle: dict[str, Any], stream: Stream) -> dict[str, Any]:
        """The trip, where the vehicle was taken; how it was told."""
        returned = await self.give_back(trip_id, vehicle)
        assert returned["__typename"] == "ReturnVehicleSuccess", returned
        return await until(stream, "ENDED")

    @asynccontextmanager
    async def following(self, after: str | None = None) -> AsyncIterator[Stream]:
        after = after or (await self.api.run(VIEWER))["cursor"]
        async with clients.opened(self.live.ws_url, self.api.token) as socket:
            yield await socket.follow(CHANGES, after=after)

    @asynccontextmanager
    async def riding(self, vehicle_type: str = "BICYCLE", **given: Any) -> AsyncIterator[tuple[str, dict[str, Any], Stream]]:
        """A trip that has begun: its id, its vehicle, what changes in it."""
        vehicle = await self.vehicle(vehicle_type)
        async with self.following() as stream:
            unlocked = await self.unlock(vehicle, **given)
            assert unlocked["__typename"] == "UnlockVehicleSuccess", unlocked
            await until(stream, "IN_USE")
            yield unlocked["trip"]["id"], vehicle, stream

    async def receipt(self, receipt_id: str) -> dict[str, Any]:
        found: dict[str, Any] = await self.api.run(RECEIPT, id=receipt_id)
        return found


async def until(stream: Stream, *states: str) -> dict[str, Any]:
    """The change to one of these states, with nothing waited for."""
    return await stream.until("OwnTripChanged", where=lambda event: event["state"] in states and event["awaits"] is None)


async def rider_of(live: LiveServer, *, card: str | None = VISA, **given: Any) -> Rider:
    """Somebody new, put straight into the database."""
    async with database.opened(Settings(), live.database_url) as sessions, sessions.begin() as session:
        who = await factories.add_rider(session, **{"email": f"{uuid4().hex}@nimrod.example", **given})
        if card is not None:
            await factories.add_payment_method(session, who.account_id, card)
    secret = Settings(data_dir=live.data_dir).secret()
    token, _ = AccessTokens(secret, hosting.ShiftedClock(0), minutes=60).access_token(who)
    return Rider(live, who.account_id, Api(live.graphql_url, token))


def uuid_of(trip_id: str) -> UUID:
    return ids.decode(trip_id, ids.TRIP)
