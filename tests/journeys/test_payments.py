"""Paying over HTTP: a card that is declined, the debt that keeps its rider from riding, a better card, and money back."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from app.gateways import payments as simulated
from domain import ids
from tests.journeys import newcomers, rides, waiting
from tests.journeys.clients import Api
from tests.journeys.newcomers import act
from tests.journeys.rides import Rider
from tests.live import LiveServer

ADD_CARD = act("addPaymentMethod", "paymentMethod { id isDefault }")
PREPARE = act("preparePaymentMethod", "clientSecret")
PAY = act("payReceipt", "receipt { payments { state } }")
REFUND = act("refundReceipt", "creditNote { total { minorUnits } }", namespace="ops")
VIEWER = "{ customer { viewer { id credit { minorUnits } paymentMethods { isDefault } } } }"
PAYMENTS = "query($id: ID!) { customer { receipt(id: $id) { payments { refunded { minorUnits } } } } }"


async def ridden(rider: Rider) -> str:
    """The receipt of a ride."""
    async with rider.riding() as (trip_id, vehicle, stream):
        receipt_id: str = (await rider.end(trip_id, vehicle, stream))["receiptId"]
        return receipt_id


async def until_receipt(rider: Rider, receipt_id: str, holds: Callable[[dict[str, Any]], bool]) -> dict[str, Any]:
    async def does() -> bool:
        return holds(await rider.receipt(receipt_id))

    await waiting.until(does)
    return await rider.receipt(receipt_id)


async def test_a_newcomer_whose_card_is_declined_pays_with_a_better_one_rides_again_and_gets_money_back(
    live_server: LiveServer,
) -> None:
    newcomer = await newcomers.arrived(live_server)
    viewer = await newcomer.api.run(VIEWER)
    assert (viewer["credit"], viewer["paymentMethods"]) == ([], [])
    rider = Rider(live_server, ids.decode(viewer["id"], ids.CUSTOMER), newcomer.api)
    without = await rider.unlock(await rider.vehicle("BICYCLE"))
    assert without["__typename"] == "PaymentMethodRequiredError"
    refused = await rider.do(ADD_CARD, gatewayToken=simulated.DECLINED)
    assert refused["__typename"] == "PaymentMethodDeclinedError"
    added = await rider.do(ADD_CARD, gatewayToken=simulated.DECLINED_LATER)
    assert added["paymentMethod"]["isDefault"], added

    receipt_id = await ridden(rider)
    owed = (await until_receipt(rider, receipt_id, lambda receipt: receipt["isOverdue"]))["owed"]["minorUnits"]
    in_debt = await rider.unlock(await rider.vehicle("BICYCLE"))
    assert (in_debt["__typename"], in_debt["receiptIds"]) == ("DebtOpenError", [receipt_id])
    assert in_debt["owed"]["minorUnits"] == owed > 0

    form, _, _ = (await rider.do(PREPARE))["clientSecret"].partition("_secret_")
    assert (await rider.do(ADD_CARD, gatewayToken=form))["paymentMethod"]["isDefault"], "its bank has confirmed it in the form"
    assert (await rider.do(PAY, receiptId=receipt_id))["__typename"] == "PayReceiptSuccess"
    paid = await until_receipt(rider, receipt_id, lambda receipt: receipt["owed"]["minorUnits"] == 0)
    assert not paid["isOverdue"]
    await ridden(rider)

    staff = Api(live_server.graphql_url, live_server.dispatcher_token)
    refund = {"receiptId": receipt_id, "idempotencyKey": rides.key()}
    for _ in range(2):
        given = await staff.run(REFUND, input=refund)
        assert given["creditNote"]["total"]["minorUnits"] == -owed, given

    async def is_refunded() -> bool:
        payments = (await rider.api.run(PAYMENTS, id=receipt_id))["payments"]
        return bool(sum(one["refunded"]["minorUnits"] for one in payments) == owed)

    await waiting.until(is_refunded)
    assert (await staff.run(REFUND, input={**refund, "idempotencyKey": rides.key()}))["__typename"] == "InvalidInputError"
