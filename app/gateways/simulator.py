"""The simulator: takes messages, tells them in the log and keeps the latest; nothing leaves. For development."""

from __future__ import annotations

import logging
from collections import deque

from domain.ports import Message

logger = logging.getLogger(__name__)

KEPT = 1000


class SimulatedNotifier:
    is_simulated = True

    def __init__(self) -> None:
        self.sent: deque[Message] = deque(maxlen=KEPT)

    async def send(self, message: Message) -> None:
        self.sent.append(message)
        told = {"channel": message.channel, "to": message.to, "subject": message.subject, "link": message.link}
        logger.info("simulated message", extra=told)
