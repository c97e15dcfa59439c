"""Messengers: text and push messages through whichever of Apprise's services a URL names."""

from __future__ import annotations

import asyncio
import logging
from concurrent.futures import ThreadPoolExecutor
from urllib.parse import quote

from domain.channels import Channel
from domain.ports import Message, NotDelivered

#: what may hang at once; the library gives each connection and answer four seconds by itself
THREADS = 8


class AppriseNotifier:
    """The library blocks, so it runs in threads of its own; it tells only whether it worked."""

    is_simulated = False

    def __init__(self, url: str, *, timeout_seconds: float) -> None:
        self._url = url
        self._timeout = timeout_seconds
        self._threads = ThreadPoolExecutor(THREADS, thread_name_prefix="messenger")
        logging.getLogger("apprise").setLevel(logging.CRITICAL)  # its lines quote numbers and tokens

    async def send(self, message: Message) -> None:
        url = self._url.replace("{to}", quote(message.to, safe=""))
        title = "" if message.channel is Channel.SMS else message.subject
        try:
            async with asyncio.timeout(self._timeout):
                is_sent = await asyncio.get_running_loop().run_in_executor(self._threads, _send, url, title, message.text)
        except TimeoutError:
            raise NotDelivered("no answer in time") from None
        if not is_sent:
            raise NotDelivered("refused, or out of reach")

    def close(self) -> None:
        self._threads.shutdown(wait=False, cancel_futures=True)


def _send(url: str, title: str, text: str) -> bool:
    import apprise  # takes a second, which only those pay who use it

    service = apprise.Apprise.instantiate(url)
    return service is not None and bool(service.notify(body=text, title=title))
