"""The postman: plans deliveries and sends what is due, on each channel for itself.

Sending takes no job of the worker and no transaction: a mail server that hangs holds up mail, and nothing else.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
from uuid import UUID

from sqlalchemy.exc import SQLAlchemyError

from app.database import SessionFactory
from app.notifiers import Notifiers
from domain import deliveries, letters, ports
from domain.channels import Channel
from domain.ports import NotDelivered

logger = logging.getLogger(__name__)

#: messages of a channel that are under way at a time, in one process
CONCURRENT = 8
#: how often a channel is looked at although no bell rang
POLL_SECONDS = 2.0
#: pauses before what was sent is recorded again; a database that is away for longer makes a message go out twice
RECORD_PAUSES = (0.5, 1.0, 2.0, 4.0)


class Postman:
    def __init__(self, sessions: SessionFactory, clock: ports.Clock, notifiers: Notifiers, links: letters.Links) -> None:
        self._sessions = sessions
        self._clock = clock
        self._notifiers = notifiers
        self._links = links
        self._bells = {channel: asyncio.Event() for channel in Channel}
        for channel, notifier in notifiers.items():
            if notifier is None:
                logger.warning("a channel is not set up: nothing goes there", extra={"channel": channel})

    async def plan(self, notification_id: UUID) -> None:
        async with self._sessions.begin() as session:
            await deliveries.plan_deliveries(session, notification_id, now=self._clock.now())
        for bell in self._bells.values():
            bell.set()

    async def plan_lost(self) -> None:
        """Notifications whose job was lost."""
        async with self._sessions() as session:
            lost = await deliveries.find_unplanned(session, now=self._clock.now())
        for notification_id in lost:
            await self.plan(notification_id)

    async def run(self, channel: Channel) -> None:
        """Sends what is due, until cancelled."""
        while True:
            self._bells[channel].clear()
            if await self.deliver_due(channel):
                continue
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(POLL_SECONDS):
                    await self._bells[channel].wait()

    async def deliver_due(self, channel: Channel) -> int:
        """One round; how many deliveries were attempted."""
        async with self._sessions.begin() as session:
            claims = await deliveries.claim_deliveries(session, channel, now=self._clock.now(), limit=CONCURRENT)
        await asyncio.gather(*(self._deliver(claim) for claim in claims))
        return len(claims)

    async def _deliver(self, claim: deliveries.Claim) -> None:
        try:
            refusal = await self._send(claim)
        except Exception as error:  # whatever a text or a library throws: the others go on, this one is tried again
            refusal = NotDelivered(type(error).__name__)
        for pause in (*RECORD_PAUSES, None):
            try:
                await self._record(claim, refusal)
                return
            except (SQLAlchemyError, OSError) as error:
                if pause is None:
                    logger.warning("a delivery could not be recorded", extra={"delivery": str(claim.id), "error": repr(error)})
                    return
                await asyncio.sleep(pause)

    async def _send(self, claim: deliveries.Claim) -> NotDelivered | str | None:
        """What went wrong, or why it is not to be sent. On several devices it is enough that one has it."""
        notifier = self._notifiers[claim.channel]
        if notifier is None:
            return "this channel is not set up"
        if not claim.to:
            return "nowhere to send it"
        if self._clock.now() > claim.notice.good_until:
            return "too late"
        messages = [
            letters.message(claim.notice, claim.channel, delivery_id=claim.id, to=to, links=self._links) for to in claim.to
        ]
        outcomes = await asyncio.gather(*map(notifier.send, messages), return_exceptions=True)
        if None in outcomes:
            return None
        refusal = outcomes[0]
        return refusal if isinstance(refusal, NotDelivered) else NotDelivered(type(refusal).__name__)

    async def _record(self, claim: deliveries.Claim, outcome: NotDelivered | str | None) -> None:
        now = self._clock.now()
        async with self._sessions.begin() as session:
            if outcome is None:
                notifier = self._notifiers[claim.channel]
                await deliveries.record_sent(
                    session, claim.id, is_simulated=notifier is not None and notifier.is_simulated, now=now
                )
            elif isinstance(outcome, str):
                await deliveries.record_skipped(session, claim.id, reason=outcome)
            else:
                logger.warning("delivery failed", extra=_told(claim, outcome))
                await deliveries.record_failed(
                    session,
                    claim.id,
                    attempt=claim.attempt,
                    reason=outcome.reason,
                    is_permanent=outcome.is_permanent,
                    now=now,
                )


def _told(claim: deliveries.Claim, outcome: NotDelivered) -> dict[str, object]:
    return {"delivery": str(claim.id), "channel": claim.channel, "attempt": claim.attempt, "reason": outcome.reason}
