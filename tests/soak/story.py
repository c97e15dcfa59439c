"""A story of a rider, every step of which may be told again: from registering to being erased."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

import psycopg

from app import demo
from app.settings import Settings
from domain import ids
from domain.seals import Purpose, Seals
from tests.journeys import documents, newcomers, riders
from tests.journeys.clients import Api
from tests.live import LiveServer

WAIT_SECONDS = 60.0
LOOK_SECONDS = 0.1


class Unavailable(Exception):
    """The server answers that something behind it does not: to be tried again."""


REGISTER = newcomers.act("register")
VERIFY = newcomers.act("verifyEmail", "accessToken")
SUBMIT_LICENCE = newcomers.act("submitDrivingLicence")
RESERVE = newcomers.act("reserveVehicle", "reservation { id }")
CHANGE = newcomers.act("changeReservation")
EXTEND = newcomers.act("extendReservation")
CANCEL = newcomers.act("cancelReservation")
EXPORT = newcomers.act("requestDataExport", "export { id }")
ERASE = newcomers.act("eraseAccount")
SETTLE = newcomers.act("settleCancellationFee", namespace="ops")
SAVE_PLACE = newcomers.act("savePlace")
LICENCE = "{ customer { viewer { drivingLicence { state } } } }"
EXPORT_STATE = "query($id: ID!) { customer { export(id: $id) { state } } }"
OVERDUE = "update reservations set cancel_free_until = now() - interval '1 s' where id = %(id)s"
FEE = "{ customer { reservations(first: 1) { nodes { id cancellation { fee { minorUnits } } } } } }"

ALIVE = "{ customer { viewer { id } } }"
#: as if the lease of who has asked a bank and died had run out
ASK_AGAIN = "update payments set next_attempt_at = now() where asks is not null and attempts > 0 and customer_id = %(id)s"
LOOKS_A_LEASE = 30
REFUSED = "select is_overdue from receipts where customer_id = %(id)s"


@dataclass
class Story:
    number: int
    server: LiveServer
    #: of the database, past whatever is between it and the server
    database_url: str
    bike: str
    car: str
    #: what its instants are told from
    base: datetime = field(default_factory=lambda: datetime.now(UTC).replace(microsecond=0))
    token: str | None = None
    customer_id: UUID | None = None
    found: dict[str, str] = field(default_factory=dict)

    @property
    def email(self) -> str:
        return f"story-{self.number}@nimrod.example"

    def at(self, **later: float) -> str:
        return (self.base + timedelta(**later)).isoformat()

    def key(self, name: str) -> str:
        return f"story-{self.number} {name}"

    async def ask(self, document: str, /, token: str | None = None, **variables: Any) -> Any:
        async with Api(self.server.graphql_url, token or self.token).http as http:
            api = Api(self.server.graphql_url, token or self.token, http)
            answer = await api.answer(document, **variables)
        if answer.get("errors"):
            if answer["errors"][0].get("extensions", {}).get("code") == "UNAVAILABLE":
                raise Unavailable(answer["errors"])
            raise AssertionError(answer["errors"])
        (namespace,) = answer["data"].values()
        (found,) = namespace.values()
        return found

    async def act(self, document: str, /, **given: Any) -> dict[str, Any]:
        """The act; its answer must be a success."""
        answer: dict[str, Any] = await self.ask(document, input=given)
        assert answer["__typename"].endswith("Success"), answer
        return answer

    def rows(self, statement: str, **given: Any) -> list[tuple[Any, ...]]:
        return riders.rows(self.database_url, statement, **given)

    def write(self, statement: str, **given: Any) -> None:
        with psycopg.connect(self.database_url) as connection:
            connection.execute(statement.encode(), given)

    async def until(self, holds: Callable[[], Awaitable[bool]]) -> None:
        async with asyncio.timeout(WAIT_SECONDS):
            while not await holds():
                await asyncio.sleep(LOOK_SECONDS)

    async def until_a_bank_has_said(self, question: str, answer: Any) -> None:
        """Of the rider's own rows."""
        for look in range(20 * LOOKS_A_LEASE):
            await self.ask(ALIVE)  # whoever is dead is noticed
            if self.rows(question, id=self.customer_id) == [(answer,)]:
                return
            if look % LOOKS_A_LEASE == LOOKS_A_LEASE - 1:
                self.write(ASK_AGAIN, id=self.customer_id)
            await asyncio.sleep(LOOK_SECONDS)
        raise AssertionError(question)


async def register(story: Story) -> None:
    await story.act(
        REGISTER,
        email=story.email,
        password=newcomers.PASSWORD,
        name="Robin Retry",
        language="en",
        hasAcceptedTerms=True,
        documentVersion="2026-11",
    )


async def verify(story: Story) -> None:
    """By the newest link, as somebody does who asked twice; who has an account by then signs in."""
    waiting = story.rows("select id from registrations where email = %(email)s", email=story.email)
    if waiting:
        secret = Settings(data_dir=story.server.data_dir).secret()
        token = Seals(secret).seal(Purpose.EMAIL_VERIFICATION, waiting[0][0])
        story.token = (await story.act(VERIFY, token=token, password=newcomers.PASSWORD))["accessToken"]
    else:
        story.token = (await story.act(documents.SIGN_IN, email=story.email, password=newcomers.PASSWORD))["accessToken"]
    ((story.customer_id,),) = story.rows("select id from customers where email = %(email)s", email=story.email)


async def save_place(story: Story) -> None:
    await story.act(SAVE_PLACE, kind="HOME", name="Home", position={"lat": 49.41, "lon": 8.69})


async def hold(story: Story) -> None:
    made = await story.act(RESERVE, vehicleId=story.bike, idempotencyKey=story.key("hold"))
    story.found["hold"] = made["reservation"]["id"]


async def submit_licence(story: Story) -> None:
    await story.act(SUBMIT_LICENCE, countryCode="DE", number=f"B{story.number:05d}7771", expiresOn="2040-01-01", categories=["B"])


async def await_licence(story: Story) -> None:
    async def is_verified() -> bool:
        return bool((await story.ask(LICENCE))["drivingLicence"]["state"] == "VERIFIED")

    await story.until(is_verified)


async def book(story: Story) -> None:
    given = {"startsAt": story.at(hours=30), "endsAt": story.at(hours=31), "idempotencyKey": story.key("book")}
    made = await story.act(RESERVE, vehicleId=story.car, **given)
    story.found["booking"] = made["reservation"]["id"]


async def change(story: Story) -> None:
    given = {"startsAt": story.at(minutes=20), "endsAt": story.at(minutes=80), "idempotencyKey": story.key("change")}
    await story.act(CHANGE, reservationId=story.found["booking"], **given)


async def extend(story: Story) -> None:
    given = {"endsAt": story.at(minutes=120), "idempotencyKey": story.key("extend")}
    await story.act(EXTEND, reservationId=story.found["booking"], **given)


async def cancel_hold(story: Story) -> None:
    await story.act(CANCEL, reservationId=story.found["hold"], idempotencyKey=story.key("cancel hold"))


async def cancel_for_a_fee(story: Story) -> None:
    """As if the time had passed in which it is free. The fee is asked for once, and what was accepted then is repeated."""
    if "fee" not in story.found:
        story.write(OVERDUE, id=ids.decode(story.found["booking"], ids.RESERVATION))
        (booking,) = (await story.ask(FEE))["nodes"]
        assert booking["id"] == story.found["booking"]
        story.found["fee"] = str(booking["cancellation"]["fee"]["minorUnits"])
        assert int(story.found["fee"]) > 0
    fee = {"minorUnits": int(story.found["fee"]), "currency": "EUR"}
    given = {"acceptedFee": fee, "idempotencyKey": story.key("cancel booking")}
    await story.act(CANCEL, reservationId=story.found["booking"], **given)


async def await_refusal(story: Story) -> None:
    """There is no card to take the fee from."""
    await story.until_a_bank_has_said(REFUSED, True)


async def export(story: Story) -> None:
    made = await story.act(EXPORT, idempotencyKey=story.key("export"))
    story.found["export"] = made["export"]["id"]


async def await_export(story: Story) -> None:
    async def is_ready() -> bool:
        return bool((await story.ask(EXPORT_STATE, id=story.found["export"]))["state"] == "READY")

    await story.until(is_ready)


async def settle(story: Story) -> None:
    if "staff" not in story.found:
        given = {"email": next(iter(demo.STAFF)), "password": demo.PASSWORD}
        document = documents.SIGN_IN.replace("customer {", "ops {")
        story.found["staff"] = (await story.act(document, **given))["accessToken"]
    reservation_id = ids.encode(ids.OPS_RESERVATION, ids.decode(story.found["booking"], ids.RESERVATION))
    given = {"reservationId": reservation_id, "settlement": "PAID", "idempotencyKey": story.key("settle")}
    answer = await story.ask(SETTLE, token=story.found["staff"], input=given)
    assert answer["__typename"] == "SettleCancellationFeeSuccess", answer


async def erase(story: Story) -> None:
    """Who has lost the answer finds that the session is over."""
    answer = await story.ask(ERASE, input={"password": newcomers.PASSWORD, "idempotencyKey": story.key("erase")})
    assert answer["__typename"] in ("EraseAccountSuccess", "SessionEndedError"), answer


LIFE: tuple[Callable[[Story], Awaitable[None]], ...] = (
    register, verify, save_place, hold, submit_licence, await_licence, book, change, extend, cancel_hold, cancel_for_a_fee,
    await_refusal, export, await_export,
)  # fmt: skip
END: tuple[Callable[[Story], Awaitable[None]], ...] = (settle, erase)
