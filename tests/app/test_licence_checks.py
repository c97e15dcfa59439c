"""The job that asks about a driving licence: what an authority says is kept, and silence leaves it pending."""

from __future__ import annotations

import asyncio
from dataclasses import replace

import pytest

from app import licence_checks
from app.database import SessionFactory
from app.gateways.licences import SimulatedLicenceCheck, licence_check
from domain.actor import Actor
from domain.ports import LicenceCheck, LicenceClaim, LicenceVerdict
from domain.values import LicenceState
from tests import factories
from tests.conftest import FixedClock
from tests.domain.test_licences import CIPHER, GOOD, licence_row, submit


@pytest.fixture
async def rider(session_factory: SessionFactory) -> Actor:
    async with session_factory.begin() as session:
        return factories.rider(await factories.add_customer(session, has_licence=False))


async def checked(
    sessions: SessionFactory, rider: Actor, clock: FixedClock, number: str, check: LicenceCheck | None = None
) -> LicenceState:
    await submit(sessions, rider, clock.now(), replace(GOOD, number=number))
    licence_id = (await licence_row(sessions, rider)).id
    asked = check or SimulatedLicenceCheck()
    await licence_checks.check_licence(licence_id, sessions=sessions, clock=clock, check=asked, cipher=CIPHER)
    return (await licence_row(sessions, rider)).state


async def test_the_simulated_authority_knows_a_licence_by_the_end_of_its_number(
    session_factory: SessionFactory, rider: Actor, clock: FixedClock
) -> None:
    for number, expected in (
        ("AB 0000", LicenceState.REJECTED),
        ("AB 0007", LicenceState.PENDING),
        ("AB 0009", LicenceState.PENDING),
        ("AB 1234", LicenceState.VERIFIED),
    ):
        assert await checked(session_factory, rider, clock, number) is expected, number


class SlowLicenceCheck:
    async def check(self, claim: LicenceClaim) -> LicenceVerdict | None:
        del claim
        await asyncio.Event().wait()
        return LicenceVerdict(True)


async def test_an_authority_that_takes_too_long_is_asked_another_time(
    session_factory: SessionFactory, rider: Actor, clock: FixedClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(licence_checks, "PATIENCE_SECONDS", 0.01)
    assert await checked(session_factory, rider, clock, "AB 1234", SlowLicenceCheck()) is LicenceState.PENDING
    assert (await licence_row(session_factory, rider)).check_at is not None


async def test_in_production_no_simulator_accepts_a_licence(
    session_factory: SessionFactory, rider: Actor, clock: FixedClock
) -> None:
    asked = licence_check(is_production=True)
    assert await checked(session_factory, rider, clock, "AB 1234", asked) is LicenceState.PENDING
    assert isinstance(licence_check(is_production=False), SimulatedLicenceCheck)
