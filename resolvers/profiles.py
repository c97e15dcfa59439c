"""Profiles: what riders say of themselves."""

from __future__ import annotations

from domain import accounts, profiles
from resolvers.context import Ctx


async def update_profile(ctx: Ctx, changes: profiles.Changes) -> accounts.Customer:
    async with ctx.runtime.transaction() as session:
        await profiles.update_profile(session, ctx.who, changes)
        return await accounts.get_customer(session, ctx.who.account_id)
