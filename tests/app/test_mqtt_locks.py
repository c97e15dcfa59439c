"""Orders to vehicles and their answers over the real Mosquitto, which is killed, restarted and lied to."""

from __future__ import annotations

import asyncio
import gc
import signal
from collections.abc import AsyncIterator
from contextlib import aclosing, asynccontextmanager
from datetime import timedelta
from pathlib import Path
from typing import Any
from uuid import UUID, uuid4

import aiomqtt
import pytest

from app.duties import Duty
from app.gateways import lock_messages
from app.gateways.mqtt import Address
from app.gateways.mqtt_locks import MqttLocks
from domain import errors
from domain.ports import LockAnswer, LockOrder, VehicleStatus
from domain.values import LatLng
from tests.app.brokers import Broker, serving
from tests.app.vehicles import driving
from tests.conftest import FixedClock
from tests.journeys import waiting


class Ear:
    """A process: it sends, and keeps what it hears."""

    def __init__(self, locks: MqttLocks) -> None:
        self.locks = locks
        self.answers: list[LockAnswer] = []
        self.statuses: list[VehicleStatus] = []

    async def hear_answers(self) -> None:
        async with aclosing(self.locks.answers()) as answers:
            async for answer in answers:
                self.answers.append(answer)

    async def hear_statuses(self) -> None:
        async with aclosing(self.locks.statuses()) as statuses:
            async for status in statuses:
                self.statuses.append(status)

    async def send(self, order: LockOrder) -> None:
        """As the locksmith does, again until the broker has it."""
        async with asyncio.timeout(60):
            while True:
                try:
                    await self.locks.send(order)
                except errors.OutOfReach:
                    await asyncio.sleep(0.05)
                else:
                    return


@asynccontextmanager
async def listening(address: Address, clock: FixedClock, **given: Any) -> AsyncIterator[Ear]:
    ear = Ear(MqttLocks(address, clock, **given))
    hearing = [asyncio.create_task(act()) for act in (ear.hear_answers, ear.hear_statuses)]
    await waiting.until(lambda: ear.locks._own.is_connected)
    if not given:
        await waiting.until(lambda: ear.locks._answers.is_connected)
    try:
        yield ear
    finally:
        for task in hearing:
            task.cancel()
        await asyncio.gather(*hearing, return_exceptions=True)


@pytest.fixture
async def broker(tmp_path: Path) -> AsyncIterator[Broker]:
    async with serving(tmp_path) as found:
        yield found


def order_for(clock: FixedClock, vehicle_id: UUID, **ahead: float) -> LockOrder:
    return LockOrder(uuid4(), vehicle_id, "unlock", clock.now() + timedelta(**(ahead or {"seconds": 30})))


async def test_an_order_reaches_its_vehicle_and_the_answer_comes_back(broker: Broker, clock: FixedClock) -> None:
    async with listening(broker.address, clock) as ear, driving(broker.address) as vehicle, driving(broker.address) as other:
        vehicle.facts = {"position": {"lat": 49.4, "lon": 8.7}, "batteryPercent": 7, "odometerMeters": 12, "isPluggedIn": False}
        order = order_for(clock, vehicle.id)
        await ear.send(order)
        await waiting.until(lambda: bool(ear.answers))
        expected = LockAnswer(order.command_id, vehicle.id, True, None, LatLng(49.4, 8.7), 7, 12, False)
        assert ear.answers == [expected]
        said = {"commandId": str(order.command_id), "action": "unlock", "expiresAt": order.expires_at.isoformat()}
        assert (vehicle.orders, other.orders) == ([said], [])


async def test_the_same_order_said_twice_is_done_once_and_answered_twice(broker: Broker, clock: FixedClock) -> None:
    async with listening(broker.address, clock) as ear, driving(broker.address) as vehicle:
        order = order_for(clock, vehicle.id)
        for _ in range(2):
            await ear.send(order)
        await waiting.until(lambda: len(ear.answers) == 2)
        assert (vehicle.done, ear.answers[0]) == (["unlock"], ear.answers[1])


async def test_a_broker_that_is_killed_in_the_middle_of_an_unlock_brings_the_answer_when_it_is_back(
    broker: Broker, clock: FixedClock
) -> None:
    """The vehicle has heard, and answers a broker that is not there."""
    async with listening(broker.address, clock) as ear, driving(broker.address) as vehicle:
        vehicle.may_answer.clear()
        order = order_for(clock, vehicle.id)
        await ear.send(order)
        await waiting.until(lambda: bool(vehicle.orders))
        broker.kill()
        vehicle.may_answer.set()
        with pytest.raises(errors.OutOfReach):
            await ear.locks.send(order)
        await broker.start()
        await ear.send(order)
        await waiting.until(lambda: bool(ear.answers))
        assert {answer.command_id for answer in ear.answers} == {order.command_id}
        assert vehicle.done == ["unlock"]


async def test_an_answer_waits_at_the_broker_until_somebody_listens_and_through_its_restart(
    broker: Broker, clock: FixedClock
) -> None:
    async with listening(broker.address, clock):
        pass
    async with driving(broker.address) as vehicle:
        command_id = uuid4()
        await vehicle.say("answers", {"commandId": str(command_id), "isDone": False, "failure": "jammed"})
        broker.kill(signal.SIGTERM)
        await broker.start()
        async with listening(broker.address, clock) as ear:
            await waiting.until(lambda: bool(ear.answers))
            assert ear.answers == [LockAnswer(command_id, vehicle.id, False, "jammed")]


async def test_an_answer_that_was_heard_and_not_recorded_is_heard_again(broker: Broker, clock: FixedClock) -> None:
    """Whoever heard it died before the next was asked for."""
    async with driving(broker.address) as vehicle:
        locks = MqttLocks(broker.address, clock)
        dying = locks.answers()
        hearing = asyncio.ensure_future(anext(dying))
        await waiting.until(lambda: locks._answers.is_connected)
        commands = [uuid4() for _ in range(3)]
        for command_id in commands:
            await vehicle.say("answers", {"commandId": str(command_id), "isDone": True})
        assert (await hearing).command_id == commands[0]
        await dying.aclose()
        async with listening(broker.address, clock) as ear:
            await waiting.until(lambda: {answer.command_id for answer in ear.answers} == set(commands))


async def test_two_workers_hear_each_answer_once_and_when_one_is_gone_the_other_goes_on(
    broker: Broker, clock: FixedClock, database_url: str
) -> None:
    duties = [Duty(database_url, "lock answers", look_seconds=0.05) for _ in range(2)]
    async with driving(broker.address) as vehicle, listening(broker.address, clock, duty=duties[0]) as second:
        async with listening(broker.address, clock, duty=duties[1]) as first:
            await waiting.until(lambda: second.locks._answers.is_connected or first.locks._answers.is_connected)
            for ear in (first, second) * 5:
                await ear.send(order_for(clock, vehicle.id))
            await waiting.until(lambda: len(first.answers) + len(second.answers) == 10)
            assert [] in (first.answers, second.answers), "one is on duty"
        for _ in range(5):
            await second.send(order_for(clock, vehicle.id))
        await waiting.until(lambda: len({one.command_id for one in (*first.answers, *second.answers)}) == 15)
        assert len(first.answers) + len(second.answers) == 15


async def test_what_nobody_understands_is_dropped_and_what_follows_is_heard(
    broker: Broker, clock: FixedClock, caplog: pytest.LogCaptureFixture
) -> None:
    good: dict[str, Any] = {"commandId": str(uuid4()), "isDone": True}
    bad: list[dict[str, Any] | bytes] = [
        b"",
        b"\xff\xfe",
        b"[1, 2]",
        b"null",
        b'{"commandId": ',
        b"[" * 4000,
        b'"' + b"x" * 5000 + b'"',
        {},
        {**good, "commandId": "x"},
        {**good, "isDone": "maybe"},
        {**good, "failure": "\x00"},
        {**good, "failure": "x" * 101},
        {**good, "batteryPercent": 101},
        {**good, "odometerMeters": 1e300},
        {**good, "position": {"lat": 91, "lon": 0}},
        {**good, "position": {"lat": 1}},
        b'{"commandId": "%s", "isDone": true, "position": {"lat": NaN, "lon": 1}}' % good["commandId"].encode(),
    ]
    async with listening(broker.address, clock) as ear, driving(broker.address) as vehicle:
        for payload in bad:
            await vehicle.say("answers", payload)
        async with aiomqtt.Client(broker.address.host, broker.address.port) as stranger:
            await stranger.publish("nimrod/vehicles/no-uuid/answers", b"{}", qos=1)
        for _ in range(200):
            await vehicle.say("answers", b"{}")
        await vehicle.say("answers", {**good, "newerVehiclesSayThisToo": 1})
        await waiting.until(lambda: bool(ear.answers))
        assert [answer.command_id for answer in ear.answers] == [UUID(good["commandId"])]
    dropped = [record for record in caplog.records if record.message == "a vehicle said what nobody understands"]
    assert len(dropped) == len(bad) + 201


async def test_an_order_expires_at_the_broker_when_it_may_not_be_done_any_more(broker: Broker, clock: FixedClock) -> None:
    async with (
        listening(broker.address, clock) as ear,
        aiomqtt.Client(broker.address.host, broker.address.port, protocol=aiomqtt.ProtocolVersion.V5) as vehicle,
    ):
        await vehicle.subscribe("nimrod/vehicles/+/orders", qos=1)
        for seconds in (29.2, 300):
            await ear.send(order_for(clock, uuid4(), seconds=seconds))
        async with asyncio.timeout(60):
            heard = [await anext(aiter(vehicle.messages)) for _ in range(2)]
    lasting = [int(vars(message.properties)["MessageExpiryInterval"]) for message in heard]
    assert lasting[0] in (28, 29, 30)
    assert lasting[1] in (298, 299, 300)


async def test_vehicles_tell_of_themselves_to_one_of_those_who_listen(broker: Broker, clock: FixedClock) -> None:
    at = clock.now()
    async with (
        listening(broker.address, clock) as first,
        listening(broker.address, clock, duty=asyncio.sleep) as second,
        driving(broker.address) as vehicle,
    ):
        await vehicle.say("status", {"at": at.isoformat(), "position": {"lat": 49.4, "lon": 8.7, "accuracyMeters": 3}})
        await vehicle.say("status", {"at": "2026-11-21T08:30:00"})
        for percent in range(20):
            await vehicle.say("status", {"at": at.isoformat(), "batteryPercent": percent, "isPluggedIn": True})
        await waiting.until(lambda: len(first.statuses) + len(second.statuses) == 21)
        told = sorted((*first.statuses, *second.statuses), key=lambda one: -1 if one.position else one.battery_percent or 0)
        assert told[0] == VehicleStatus(vehicle.id, at, LatLng(49.4, 8.7), 3.0)
        assert told[1] == VehicleStatus(vehicle.id, at, battery_percent=0, is_plugged_in=True)


async def test_more_than_can_be_held_here_waits_at_the_broker(broker: Broker, clock: FixedClock) -> None:
    locks = MqttLocks(broker.address, clock)
    answers = locks.answers()
    hearing = asyncio.ensure_future(anext(answers))
    await waiting.until(lambda: locks._answers.is_connected)
    commands = [uuid4() for _ in range(500)]
    async with driving(broker.address) as vehicle:
        for command_id in commands:
            await vehicle.say("answers", {"commandId": str(command_id), "isDone": True})
        assert locks._answers.inbox.qsize() <= 64
        found = [(await hearing).command_id]
        async with asyncio.timeout(60):
            found += [(await anext(answers)).command_id for _ in commands[1:]]
    assert found == commands
    await answers.aclose()


async def test_who_asks_for_no_acknowledgement_fills_no_memory(broker: Broker, clock: FixedClock) -> None:
    locks = MqttLocks(broker.address, clock)
    answers = locks.answers()
    hearing = asyncio.ensure_future(anext(answers))
    await waiting.until(lambda: locks._answers.is_connected)
    async with aiomqtt.Client(broker.address.host, broker.address.port) as stranger, driving(broker.address) as vehicle:
        topic = f"nimrod/vehicles/{uuid4()}/answers"
        for _ in range(1000):
            await stranger.publish(topic, b'{"commandId": "%s", "isDone": true}' % str(uuid4()).encode(), qos=0)
        command_id = uuid4()
        await vehicle.say("answers", {"commandId": str(command_id), "isDone": True})
        count = 1
        async with asyncio.timeout(60):
            said = await hearing
            while said.command_id != command_id:
                said, count = await anext(answers), count + 1
    assert count <= 400, "the rest was dropped"
    await answers.aclose()


async def test_without_a_broker_an_order_is_refused_at_once(clock: FixedClock) -> None:
    async with asyncio.timeout(30):
        with pytest.raises(errors.OutOfReach):
            await MqttLocks(Address.parse("mqtt://127.0.0.1:1"), clock).send(order_for(clock, uuid4()))


@asynccontextmanager
async def serving_tls(directory: Path, certificate: tuple[Path, Path]) -> AsyncIterator[Broker]:
    chain, key = certificate
    async with serving(directory, f"certfile {chain}", f"keyfile {key}") as broker:
        yield broker


async def test_orders_go_encrypted_to_a_broker_whose_certificate_is_good(
    tmp_path: Path, certificate: tuple[Path, Path], clock: FixedClock
) -> None:
    async with serving_tls(tmp_path, certificate) as broker:
        address = Address.parse(f"mqtts://nimrod:p%40ss@127.0.0.1:{broker.port}", certificate[0])
        assert (address.username, address.password) == ("nimrod", "p@ss")
        async with listening(address, clock) as ear:
            await ear.send(order_for(clock, uuid4()))


# The library leaves a connection to be collected that was not trusted.
@pytest.mark.filterwarnings("ignore::ResourceWarning", "ignore::pytest.PytestUnraisableExceptionWarning")
async def test_orders_go_to_no_broker_for_which_nobody_vouches(
    tmp_path: Path, certificate: tuple[Path, Path], clock: FixedClock, caplog: pytest.LogCaptureFixture
) -> None:
    async with serving_tls(tmp_path, certificate) as broker:
        ear = Ear(MqttLocks(Address.parse(f"mqtts://127.0.0.1:{broker.port}"), clock))
        hearing = asyncio.create_task(ear.hear_statuses())
        await waiting.until(lambda: "CERTIFICATE_VERIFY_FAILED" in str([vars(record) for record in caplog.records]))
        with pytest.raises(errors.OutOfReach):
            await ear.locks.send(order_for(clock, uuid4()))
        hearing.cancel()
        await asyncio.gather(hearing, return_exceptions=True)
        gc.collect()


def test_an_address_has_the_ports_of_the_protocol() -> None:
    plain, secret = Address.parse("mqtt://broker"), Address.parse("mqtts://broker")
    assert (plain.port, plain.tls, plain.username) == (1883, None, None)
    assert secret.port == 8883
    assert secret.tls is not None


def test_an_order_is_three_words_of_json(clock: FixedClock) -> None:
    order = LockOrder(UUID(int=1), UUID(int=2), "lock", clock.now())
    assert lock_messages.order(order) == (
        b'{"commandId":"00000000-0000-0000-0000-000000000001","action":"lock","expiresAt":"2026-11-21T08:30:00+00:00"}'
    )
