"""A story of a ride, every step of which may be told again: from reserving to the appeal against its fine."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

import httpx

from app import database
from app.auth import AccessTokens
from app.settings import Settings
from app.terminal import pictures
from domain import ids
from tests import factories
from tests.journeys import hosting, rides
from tests.journeys.newcomers import act
from tests.soak.story import Story, Unavailable

APPEAL = act("appealFine")
FINES = "{ customer { fines(first: 2) { nodes { id state } } } }"
TRIP = "query($id: ID!) { customer { trip(id: $id) { state awaits endCause startedAt } } }"
PUBLISHED = "select published_id, lat, lon from vehicles where plate = %(plate)s"
#: Thirteen hours ago it began, and was paused for three minutes: no crash of seconds makes another minute of that.
AGED = """with t as (update trips set started_at = now() - interval '13 h 5 s' where id = %(id)s returning id, started_at)
  update trip_pauses p set started_at = t.started_at + interval '5 min', ended_at = t.started_at + interval '8 min 5 s'
  from t where p.trip_id = t.id"""
#: locks are waited for as long as the service may take to come back: how long that is on a busy machine is not the question
STRETCHED = """with t as (update trips set awaits_until = now() + interval '10 min'
    where customer_id = %(id)s and awaits is not null returning id)
  update lock_commands c set expires_at = now() + interval '10 min'
    from t where c.trip_id = t.id and c.state in ('queued', 'sent')"""
OWED = "select total_minor - settled_minor from receipts where customer_id = %(id)s and source = 'trip'"


@dataclass
class RideStory(Story):
    """Of somebody with a card, on the bike of that plate."""

    plate: str = ""

    @property
    def place(self) -> dict[str, float]:
        ((_, lat, lon),) = self.rows(PUBLISHED, plate=self.plate)
        return {"lat": lat, "lon": lon}

    async def ask_the_lock(self, document: str, /, **given: Any) -> dict[str, Any]:
        try:
            return await self.act(document, **given)
        finally:
            self.write(STRETCHED, id=self.customer_id)

    async def trip(self) -> dict[str, Any]:
        found: dict[str, Any] = await self.ask(TRIP, id=self.found["trip"])
        return found

    async def until_it_is(self, *states: str) -> None:
        async def is_there() -> bool:
            trip = await self.trip()
            assert trip["state"] != "CANCELLED", trip
            return trip["state"] in states and trip["awaits"] is None

        await self.until(is_there)


async def arrive(story: RideStory) -> None:
    """Put straight into the database: how an account comes to be, another story tells."""
    async with database.opened(Settings(), story.database_url) as sessions, sessions.begin() as session:
        who = await factories.add_rider(session, email=story.email, name="Robin Ride")
        await factories.add_payment_method(session, who.account_id)
    secret = Settings(data_dir=story.server.data_dir).secret()
    story.customer_id = who.account_id
    story.token, _ = AccessTokens(secret, hosting.ShiftedClock(0), minutes=60).access_token(who)
    ((published_id, _, _),) = story.rows(PUBLISHED, plate=story.plate)
    story.found["vehicle"] = ids.encode(ids.VEHICLE, published_id)


async def reserve(story: RideStory) -> None:
    made = await story.act(rides.RESERVE, vehicleId=story.found["vehicle"], idempotencyKey=story.key("reserve"))
    story.found["reservation"] = made["reservation"]["id"]


async def unlock(story: RideStory) -> None:
    nearby = {"vehicleId": story.found["vehicle"], "position": story.place}
    given = {"reservationId": story.found["reservation"], "idempotencyKey": story.key("unlock")}
    unlocked = await story.ask_the_lock(rides.UNLOCK, vehicle={"nearby": nearby}, **given)
    story.found["trip"] = unlocked["trip"]["id"]


async def await_start(story: RideStory) -> None:
    await story.until_it_is("IN_USE")


async def record(story: RideStory) -> None:
    """Ten meters there and back, told by when they were ridden: a second apart, as one of each second is kept."""
    started_at = datetime.fromisoformat((await story.trip())["startedAt"])
    await asyncio.sleep(3.5)
    place = story.place
    fixes = [
        {
            "at": (started_at + timedelta(seconds=second)).isoformat(),
            "position": {"lat": place["lat"] + north, "lon": place["lon"]},
            "accuracyMeters": 5.0,
        }
        for second, north in ((1, 0.0), (2, 0.0001), (3, 0.0))
    ]
    await story.act(rides.RECORD, tripId=story.found["trip"], positions=fixes)


async def pause(story: RideStory) -> None:
    await story.ask_the_lock(rides.PAUSE, tripId=story.found["trip"], idempotencyKey=story.key("pause"))


async def await_pause(story: RideStory) -> None:
    await story.until_it_is("PAUSED")


async def resume(story: RideStory) -> None:
    await story.ask_the_lock(rides.RESUME, tripId=story.found["trip"], idempotencyKey=story.key("resume"))


async def await_resumption(story: RideStory) -> None:
    await story.until_it_is("IN_USE")


async def photograph(story: RideStory) -> None:
    asked = await story.act(rides.UPLOAD, purpose="RETURN", idempotencyKey=story.key("photo"))
    upload = asked["upload"]
    async with httpx.AsyncClient(trust_env=False, timeout=30) as http:
        sent = await http.request(upload["method"], upload["url"], content=pictures.draw("BICYCLE", story.plate))
    if sent.status_code == 503:
        raise Unavailable(sent.text)
    assert sent.status_code == 201, sent.text
    story.found["photo"] = upload["photoId"]


async def bring_back(story: RideStory) -> None:
    """Late, for a fine: as if a night had passed."""
    if "aged" not in story.found:
        story.write(AGED, id=rides.uuid_of(story.found["trip"]))
        story.found["aged"] = "yes"
    given = {"position": story.place, "accuracyMeters": 5.0, "photoId": story.found["photo"]}
    await story.ask_the_lock(rides.RETURN, tripId=story.found["trip"], idempotencyKey=story.key("return"), **given)


async def await_end(story: RideStory) -> None:
    await story.until_it_is("ENDED")


async def await_payment(story: RideStory) -> None:
    await story.until_a_bank_has_said(OWED, 0)


async def appeal(story: RideStory) -> None:
    (fine,) = (await story.ask(FINES))["nodes"]
    await story.act(APPEAL, fineId=fine["id"], text="There was no other place.", idempotencyKey=story.key("appeal"))


RIDE: tuple[Callable[[RideStory], Awaitable[None]], ...] = (
    reserve, unlock, await_start, record, pause, await_pause, resume, await_resumption, photograph, bring_back, await_end,
    await_payment, appeal,
)  # fmt: skip
