"""A till: a rider who owes or is to owe something, the cashier, and what its gateway was asked."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from sqlalchemy import func, select
from sqlalchemy.ext.asyncio import AsyncSession

from app.cashier import Cashier
from app.database import SessionFactory
from app.gateways import payments as simulated
from app.gateways.payments import SimulatedPayments
from domain import deposits, payments, tables
from domain.actor import Actor
from domain.ports import Intent, IntentOrder
from domain.tables import LedgerAccount
from domain.values import Money, NotificationKind
from tests import factories
from tests.conftest import FixedClock


class Watched(SimulatedPayments):
    """Notes what it was asked, and fails where a test says so."""

    def __init__(self) -> None:
        super().__init__()
        self.keys: list[str] = []
        self.before: list[Exception] = []
        self.after: list[Exception] = []

    async def pay(self, order: IntentOrder, *, key: str) -> Intent:
        self.keys.append(key)
        if self.before:
            raise self.before.pop(0)
        answer = await super().pay(order, key=key)
        if self.after:
            raise self.after.pop(0)
        return answer

    async def capture(self, gateway_ref: str, amount_minor: int, *, key: str) -> Intent:
        self.keys.append(f"{key} {amount_minor}")
        return await super().capture(gateway_ref, amount_minor, key=key)


@dataclass
class Till:
    sessions: SessionFactory
    clock: FixedClock
    metro: tables.Metro
    rider: Actor
    gateway: Any = field(default_factory=Watched)
    decided: list[tuple[UUID, bool]] = field(default_factory=list)

    async def decide(self, session: AsyncSession, trip_id: UUID, is_authorized: bool, now: datetime) -> None:
        del session, now
        self.decided.append((trip_id, is_authorized))

    @property
    def cashier(self) -> Cashier:
        return Cashier(self.sessions, self.clock, self.gateway, self.decide)

    async def work(self, rounds: int = 12, **pause: float) -> None:
        """Rounds with a pause after each, five minutes if none is given."""
        for _ in range(rounds):
            await self.cashier.ask_due()
            self.clock.advance(**(pause or {"minutes": 5}))

    async def card(self, token: str = simulated.VISA, **given: Any) -> UUID:
        async with self.sessions.begin() as session:
            return (await factories.add_payment_method(session, self.rider.account_id, token, **given)).id

    async def owe(self, total_minor: int = 1200, **given: Any) -> UUID:
        """A receipt is issued and asked for."""
        async with self.sessions.begin() as session:
            receipt = await factories.add_receipt(session, self.metro, self.rider.account_id, total_minor=total_minor, **given)
            await payments.collect(session, receipt, self.clock.now())
            return receipt.id

    async def receipt(self, receipt_id: UUID) -> tables.Receipt:
        async with self.sessions() as session:
            return await session.get_one(tables.Receipt, receipt_id)

    async def rows(self) -> list[tables.Payment]:
        async with self.sessions() as session:
            return list((await session.execute(select(tables.Payment).order_by(tables.Payment.id))).scalars())

    async def booked(self, account: LedgerAccount) -> int:
        entries = tables.LedgerEntry
        async with self.sessions() as session:
            total = select(func.coalesce(func.sum(entries.amount_minor), 0)).where(entries.account == account)
            return int((await session.execute(total)).scalar_one())

    async def told(self, kind: NotificationKind) -> int:
        async with self.sessions() as session:
            rows = tables.Notification
            return int((await session.execute(select(func.count()).where(rows.kind == kind))).scalar_one())

    async def trip(self) -> UUID:
        async with self.sessions.begin() as session:
            tariff = await factories.add_tariff(session, self.metro)
            vehicle = await factories.add_vehicle(session, self.metro)
            reservation = await factories.add_reservation(session, vehicle, tariff, self.rider.account_id)
            now = self.clock.now()
            trip = tables.Trip(
                metro_id=self.metro.id,
                customer_id=self.rider.account_id,
                vehicle_id=vehicle.id,
                published_vehicle_id=vehicle.published_id,
                vehicle_type=vehicle.vehicle_type,
                reservation_id=reservation.id,
                tariff_id=tariff.id,
                state=tables.TripState.PREPARING,
                awaits=tables.TripStep.AUTHORIZATION,
                awaits_until=now + timedelta(minutes=1),
                requested_at=now,
                start_battery_percent=80,
            )
            session.add(trip)
            await session.flush()
            await deposits.authorize_deposit(
                session, trip_id=trip.id, customer_id=self.rider.account_id, amount=Money(10_000, "EUR"), now=now
            )
            return trip.id
