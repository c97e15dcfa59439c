"""Driving licences, as riders submit them and staff decide about them."""

from __future__ import annotations

from datetime import datetime

from domain import ids, licence_checks, licences
from resolvers import tries
from resolvers.context import Ctx


async def submit_driving_licence(ctx: Ctx, submission: licences.Submission) -> licences.Licence:
    """Raises InvalidInput, TooManyTries."""
    await tries.count_try(ctx, "submit_driving_licence", str(ctx.who.account_id))
    async with ctx.runtime.transaction() as session:
        return await licences.submit_driving_licence(
            session, ctx.who, submission, cipher=ctx.runtime.licence_numbers, now=ctx.runtime.clock.now()
        )


async def find_driving_licence(ctx: Ctx) -> licences.Licence | None:
    async with ctx.runtime.reading() as session:
        return await licences.find_driving_licence(session, ctx.who.account_id)


async def list_pending_licences(ctx: Ctx) -> list[licence_checks.Pending]:
    async with ctx.runtime.reading() as session:
        return await licence_checks.list_pending_licences(session)


async def decide_driving_licence(
    ctx: Ctx, *, customer_id: str, is_accepted: bool, reason: str | None, submitted_at: datetime | None
) -> licences.Licence:
    """Raises InvalidInput, NotFound, DrivingLicenceDecided."""
    customer = ids.decode(customer_id, ids.CUSTOMER, path="customerId")
    async with ctx.runtime.transaction() as session:
        return await licence_checks.decide_driving_licence(
            session,
            ctx.who,
            customer_id=customer,
            is_accepted=is_accepted,
            reason=reason,
            submitted_at=submitted_at,
            now=ctx.runtime.clock.now(),
        )
