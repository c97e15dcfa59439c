"""Tries: how often a stranger may knock, counted before anything is looked up."""

from __future__ import annotations

import ipaddress

from domain import errors
from resolvers.context import Ctx


async def count_try(ctx: Ctx, act: str, *accounts: str) -> None:
    """One more try of an act, for the address and for the accounts that it is about, whether they exist or not. Each act is
    counted by itself. Raises TooManyTries."""
    keys = [f"{act}:address:{_network(ctx.address)}", *(f"{act}:account:{account}" for account in accounts)]
    if wait := await ctx.runtime.throttle.hit(*keys):
        raise errors.TooManyTries(wait)


def _network(address: str) -> str:
    """What one subscriber has: an address of IPv4, or the 2^64 of IPv6 that any of their devices picks from (RFC 6177)."""
    try:
        found = ipaddress.ip_address(address)
    except ValueError:
        return address
    if isinstance(found, ipaddress.IPv4Address) or found.ipv4_mapped is not None:
        return address
    return str(ipaddress.ip_network((found, 64), strict=False))


async def count_code(ctx: Ctx, act: str, account: str) -> None:
    """One more code of a second factor, by somebody who knows the password or has a session: strangers lock nobody out, nor does
    a stolen session keep its owner from signing in. Raises TooManyTries."""
    if wait := await ctx.runtime.code_throttle.hit(f"{act}:code:{account}"):
        raise errors.TooManyTries(wait)
