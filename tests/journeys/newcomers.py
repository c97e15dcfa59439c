"""Newcomers: riders who have just registered, through the front door and their mailbox."""

from __future__ import annotations

import time
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import parse_qs, urlsplit
from uuid import uuid4

import pyotp

from tests.journeys import documents, waiting
from tests.journeys.clients import Api
from tests.live import LiveServer

PASSWORD = "correct horse battery"
_MAILS = """query($state: DeliveryState) { ops { deliveries(state: $state, first: 100) {
  nodes { kind channel simulatedMessage { to subject text link } } } } }"""


def act(name: str, success: str = "", *errors: str, namespace: str = "customer") -> str:
    """The document of a mutation that takes its input and shows these fields of a success and of some errors."""
    kind = name[0].upper() + name[1:]
    shown = f"__typename ... on {kind}Success {{ __typename {success} }} ... on UserError {{ message path }} {' '.join(errors)}"
    return f"mutation($input: {kind}Input!) {{ {namespace} {{ {name}(input: $input) {{ {shown} }} }} }}"


REGISTER, VERIFY = act("register", "expiresAt", "... on InvalidInputError { issues { path } }"), act("verifyEmail", "accessToken")
SUBMIT_LICENCE = act("submitDrivingLicence")
LICENCE = "{ customer { viewer { drivingLicence { state } } } }"


@dataclass
class Newcomer:
    live: LiveServer
    email: str = field(default_factory=lambda: f"{uuid4().hex}@nimrod.example")
    token: str | None = None

    @property
    def api(self) -> Api:
        return Api(self.live.graphql_url, self.token)

    async def do(self, document: str, /, **given: Any) -> dict[str, Any]:
        """The act's answer, whatever it is."""
        answer: dict[str, Any] = await self.api.run(document, input=given)
        return answer

    async def register(self, **given: Any) -> dict[str, Any]:
        person = {"email": self.email, "password": PASSWORD, "name": "Robin New", "language": "en"}
        agreed = {"hasAcceptedTerms": True, "documentVersion": "2026-11"}
        return await self.do(REGISTER, **{**person, **agreed, **given})

    async def sign_in(self, password: str = PASSWORD, **given: Any) -> dict[str, Any]:
        answer = await self.do(documents.SIGN_IN, email=self.email, password=password, **given)
        self.token = answer.get("accessToken", self.token)
        return answer

    async def mails(self, kind: str) -> list[dict[str, Any]]:
        """Of that kind to this address, the latest first, as the simulator would have sent them."""
        staff = Api(self.live.graphql_url, self.live.dispatcher_token)
        sent = (await staff.run(_MAILS, state="SENT"))["nodes"]
        messages = [one["simulatedMessage"] for one in sent if (one["kind"], one["channel"]) == (kind, "EMAIL")]
        return [message for message in messages if message["to"] == self.email]

    async def link_of(self, kind: str) -> str:
        """The token in the link of the latest mail of that kind; waits for it."""

        async def has_come() -> bool:
            return bool(await self.mails(kind))

        await waiting.until(has_come)
        link: str = (await self.mails(kind))[0]["link"]
        (token,) = parse_qs(urlsplit(link).query)["token"]
        return token

    async def verify(self) -> None:
        answer = await self.do(VERIFY, token=await self.link_of("EMAIL_VERIFICATION"), password=PASSWORD)
        assert answer["__typename"] == "VerifyEmailSuccess", answer
        self.token = answer["accessToken"]

    async def may_drive(self) -> None:
        number = f"D{uuid4().int % 10**8:08d}1"
        given = {"countryCode": "DE", "number": number, "expiresOn": "2040-01-01", "categories": ["B"]}
        submitted = await self.do(SUBMIT_LICENCE, **given)
        assert submitted["__typename"] == "SubmitDrivingLicenceSuccess", submitted

        async def is_verified() -> bool:
            return bool((await self.api.run(LICENCE))["drivingLicence"]["state"] == "VERIFIED")

        await waiting.until(is_verified)


async def arrived(live: LiveServer) -> Newcomer:
    """A rider with an account, signed in."""
    newcomer = Newcomer(live)
    await newcomer.register()
    await newcomer.verify()
    return newcomer


def code_of(secret: str, *, steps_ahead: int = 0) -> str:
    """What the authenticator app shows; a step works once, so the next act may need the next one."""
    app = pyotp.TOTP(secret)
    return app.at(int(time.time()) + steps_ahead * app.interval)
