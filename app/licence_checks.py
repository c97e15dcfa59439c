"""Licence checks: the job that asks an authority about a driving licence and keeps what it says."""

from __future__ import annotations

import asyncio
import logging
from uuid import UUID

from app.database import SessionFactory
from domain import errors, licence_checks, ports
from domain.ciphers import Cipher

logger = logging.getLogger(__name__)
PATIENCE_SECONDS = 10.0


async def check_licence(
    licence_id: UUID, *, sessions: SessionFactory, clock: ports.Clock, check: ports.LicenceCheck, cipher: Cipher
) -> None:
    """Without an answer the licence stays pending, and the sweep asks again."""
    async with sessions.begin() as session:
        claim = await licence_checks.open_check(session, licence_id, cipher=cipher, now=clock.now())
    if claim is None:
        return
    try:
        async with asyncio.timeout(PATIENCE_SECONDS):
            verdict = await check.check(claim)
    except (errors.OutOfReach, TimeoutError):
        logger.warning("the licence check does not answer", extra={"licence": str(licence_id)})
        return
    if verdict is None:
        return
    async with sessions.begin() as session:
        await licence_checks.settle_check(session, licence_id, verdict, now=clock.now())
