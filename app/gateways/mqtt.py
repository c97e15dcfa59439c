"""MQTT: a connection to the broker that is made again for ever, and takes only as much as is worked off."""

from __future__ import annotations

import asyncio
import logging
import random
import ssl
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import unquote, urlsplit

import aiomqtt
from paho.mqtt.packettypes import PacketTypes
from paho.mqtt.properties import Properties

from domain import errors

logger = logging.getLogger(__name__)

TIMEOUT_SECONDS = 5.0
#: a broker that is silent for longer is gone
KEEPALIVE_SECONDS = 15
RETRY_SECONDS = (0.5, 10.0)
#: Messages that the broker gives away before the first of them is acknowledged: what is held here at most. The others wait there.
UNACKNOWLEDGED = 64
#: how long the broker keeps what comes while nobody listens
SESSION_KEPT_SECONDS = 24 * 3600


@dataclass(frozen=True, slots=True)
class Address:
    """Of a broker, as `mqtt://…` or `mqtts://…` spells it."""

    host: str
    port: int
    username: str | None
    password: str | None
    tls: ssl.SSLContext | None

    @classmethod
    def parse(cls, url: str, certificates: Path | None = None) -> Address:
        """`certificates`: authorities to believe instead of the system's."""
        parts = urlsplit(url)
        is_tls = parts.scheme == "mqtts"
        return cls(
            host=parts.hostname or "127.0.0.1",
            port=parts.port or (8883 if is_tls else 1883),
            username=None if parts.username is None else unquote(parts.username),
            password=None if parts.password is None else unquote(parts.password),
            tls=ssl.create_default_context(cafile=certificates) if is_tls else None,
        )


class _Waiting(asyncio.Queue[aiomqtt.Message]):
    """What is to be acknowledged the broker holds back by itself. What is not, whoever may publish could send without end."""

    def put_nowait(self, item: aiomqtt.Message) -> None:
        if item.qos > 0 or self.qsize() < UNACKNOWLEDGED:
            super().put_nowait(item)


class _Client(aiomqtt.Client):
    """The library acknowledges what it has received; this one what was worked off, so that a crash loses nothing."""

    def by_hand(self) -> _Client:
        self._client.manual_ack_set(True)
        return self

    def acknowledge(self, message: aiomqtt.Message) -> None:
        if not self._disconnected.done():
            self._client.ack(message.mid, message.qos)

    async def publish_now(self, topic: str, payload: bytes, properties: Properties) -> None:
        """The library would wait for the whole time-out where the connection has gone."""
        publishing = asyncio.ensure_future(self.publish(topic, payload, qos=1, properties=properties, timeout=TIMEOUT_SECONDS))
        try:
            await asyncio.wait((publishing, self._disconnected), return_when=asyncio.FIRST_COMPLETED)
            if not publishing.done():
                raise aiomqtt.MqttError("disconnected")
            publishing.result()
        finally:
            publishing.cancel()


class Delivered:
    """A message, until it is acknowledged. What was not comes again, be it after a reconnect or to somebody else."""

    def __init__(self, client: _Client, message: aiomqtt.Message) -> None:
        self._client = client
        self._message = message
        self.topic = message.topic.value
        self.payload = message.payload

    def acknowledge(self) -> None:
        self._client.acknowledge(self._message)


class Line:
    """`keeps_session`: what comes while this is away waits at the broker, for the next of that name."""

    def __init__(self, address: Address, name: str, topics: Sequence[str], *, keeps_session: bool) -> None:
        self._address = address
        self._name = name
        self._topics = topics
        self._keeps_session = keeps_session
        self._client: _Client | None = None
        self.inbox: asyncio.Queue[Delivered] = asyncio.Queue(UNACKNOWLEDGED)

    async def run(self) -> None:
        """Until cancelled."""
        pause = RETRY_SECONDS[0]
        while True:
            try:
                async with self._made() as client:
                    for topic in self._topics:
                        await client.subscribe(topic, qos=1)
                    self._client, pause = client, RETRY_SECONDS[0]
                    logger.info("connected to the broker", extra={"line": self._name})
                    async for message in client.messages:
                        await self.inbox.put(Delivered(client, message))
            except Exception as error:  # of the broker, the network, or whatever a library makes of them: it is tried again
                logger.warning("the broker does not answer", extra={"line": self._name, "error": repr(error)})
            finally:
                self._client = None
            await asyncio.sleep(pause * random.uniform(0.75, 1.25))  # noqa: S311 keeps processes apart, no secret
            pause = min(pause * 2, RETRY_SECONDS[1])

    async def publish(self, topic: str, payload: bytes, *, expires_in_seconds: int) -> None:
        """To a broker that has confirmed it. Raises OutOfReach, after which it may have it all the same."""
        client = self._client
        if client is None:
            raise errors.OutOfReach("The broker does not answer.")
        properties = Properties(PacketTypes.PUBLISH)  # type: ignore[no-untyped-call]
        properties.MessageExpiryInterval = expires_in_seconds
        try:
            await client.publish_now(topic, payload, properties)
        except aiomqtt.MqttError as error:
            raise errors.OutOfReach("The broker does not answer.") from error

    @property
    def is_connected(self) -> bool:
        return self._client is not None

    def _made(self) -> _Client:
        properties = Properties(PacketTypes.CONNECT)  # type: ignore[no-untyped-call]
        properties.SessionExpiryInterval = SESSION_KEPT_SECONDS if self._keeps_session else 0
        properties.ReceiveMaximum = UNACKNOWLEDGED
        client = _Client(
            self._address.host,
            self._address.port,
            username=self._address.username,
            password=self._address.password,
            identifier=self._name,
            queue_type=_Waiting,
            protocol=aiomqtt.ProtocolVersion.V5,
            clean_start=not self._keeps_session,
            properties=properties,
            tls_context=self._address.tls,
            timeout=TIMEOUT_SECONDS,
            keepalive=KEEPALIVE_SECONDS,
        )
        return client.by_hand()
