"""Payments: cards, what is owed and paid, credit, refunds and disputes."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Sequence
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncSession

from domain import (
    disputes,
    errors,
    idempotency,
    ids,
    payment_methods,
    payments,
    ports,
    promotions,
    receipts,
    refunds,
    tables,
)
from domain.values import Money
from resolvers import paging
from resolvers.context import Ctx
from resolvers.paging import Page
from resolvers.tries import count_try

_RECEIPTS = (ids.RECEIPT, ids.OPS_RECEIPT)
_TOKEN = re.compile(r"(pm|seti)_[A-Za-z0-9_]{1,200}")


async def list_payment_methods(ctx: Ctx) -> list[payment_methods.PaymentMethod]:
    async with ctx.runtime.reading() as session:
        return await payment_methods.list_payment_methods(session, ctx.who)


async def find_payment_method(ctx: Ctx, method_id: UUID) -> payment_methods.PaymentMethod | None:
    async with ctx.runtime.reading() as session:
        try:
            return await payment_methods.get_payment_method(session, ctx.who, method_id)
        except errors.NotFound:
            return None


async def prepare_payment_method(ctx: Ctx, *, idempotency_key: str) -> str:
    """What the gateway's form is opened with. The gateway gives the same again for the same key, for a day."""
    rider, gateway = ctx.who.account_id, ctx.runtime.payments
    act = _act(ctx, "prepare_payment_method", idempotency_key, {}, ctx.runtime.clock.now())
    async with ctx.runtime.reading() as session:
        await idempotency.recall(session, **act)
    customer_ref = await _customer_ref(ctx)
    async with ctx.runtime.transaction() as session:
        await idempotency.claim(session, **act, result_id=rider)
        customer_ref = await payment_methods.keep_customer(session, rider, customer_ref)
    return await gateway.prepare_card(customer_ref, key=f"setup:{rider}:{hashlib.sha256(idempotency_key.encode()).hexdigest()}")


async def _customer_ref(ctx: Ctx) -> str:
    """By which the gateway knows a rider who has room for a card; it is told of them if it does not."""
    rider = ctx.who.account_id
    async with ctx.runtime.reading() as session:
        known = await payment_methods.find_gateway_ref(session, rider)
        await payment_methods.must_have_room(session, rider)
    # Stolen cards are tried out where it costs nothing.
    await count_try(ctx, "add_payment_method", str(rider))
    return known or await ctx.runtime.payments.add_customer(rider, key=f"customer:{rider}")


async def add_payment_method(ctx: Ctx, *, gateway_token: str, idempotency_key: str) -> payment_methods.PaymentMethod:
    """The gateway is asked before the transaction, with a key made of the act's: whoever asks again finds the same card."""
    if not _TOKEN.fullmatch(gateway_token):
        raise errors.InvalidInput.of("gatewayToken", "This is no token of a card: the payment form of the front end makes one.")
    rider, now = ctx.who.account_id, ctx.runtime.clock.now()
    act = _act(ctx, "add_payment_method", idempotency_key, {"gatewayToken": gateway_token}, now)
    async with ctx.runtime.reading() as session:
        seen = await idempotency.recall(session, **act)
        if seen is not None:
            return await payment_methods.get_payment_method(session, ctx.who, seen)
    customer_ref, gateway = await _customer_ref(ctx), ctx.runtime.payments
    asked = hashlib.sha256(f"{idempotency_key}|{gateway_token}".encode()).hexdigest()
    card = await gateway.add_card(customer_ref, gateway_token, key=f"card:{rider}:{asked}")
    try:
        return await _keep(ctx, act, customer_ref, card)
    except (errors.NotFound, errors.InvalidInput, errors.IdempotencyConflict):
        await _forget(ctx, customer_ref, card)
        raise


async def _keep(ctx: Ctx, act: dict[str, Any], customer_ref: str, card: ports.Card) -> payment_methods.PaymentMethod:
    async with ctx.runtime.transaction() as session:
        # A card may be there already: only who has added it knows its id. They take turns.
        kept = await payment_methods.add_payment_method(
            session, ctx.who, customer_ref=customer_ref, card=card, method_id=ids.new(), now=act["now"]
        )
        await idempotency.claim(session, **act, result_id=kept)
        return await payment_methods.get_payment_method(session, ctx.who, kept)


async def _forget(ctx: Ctx, customer_ref: str, card: ports.Card) -> None:
    """The gateway has what we could not keep: too many cards by now, another act with this key, or nobody any more."""
    async with ctx.runtime.transaction() as session:
        now = ctx.runtime.clock.now()
        await payment_methods.forget_unkept(session, ctx.who, customer_ref=customer_ref, card=card, now=now)


def _act(ctx: Ctx, mutation: str, key: str, given: dict[str, Any], now: datetime) -> dict[str, Any]:
    return {"account_id": ctx.who.account_id, "mutation": mutation, "key": key, "given": given, "now": now}


async def remove_payment_method(ctx: Ctx, *, method_id: str, idempotency_key: str) -> list[payment_methods.PaymentMethod]:
    target = ids.decode(method_id, ids.PAYMENT_METHOD, path="paymentMethodId")
    async with ctx.runtime.transaction() as session:
        if await _is_first(ctx, session, "remove_payment_method", target, idempotency_key, {}):
            await payment_methods.remove_payment_method(session, ctx.who, method_id=target, now=ctx.runtime.clock.now())
        return await payment_methods.list_payment_methods(session, ctx.who)


async def set_default_payment_method(ctx: Ctx, *, method_id: str, idempotency_key: str) -> payment_methods.PaymentMethod:
    target = ids.decode(method_id, ids.PAYMENT_METHOD, path="paymentMethodId")
    async with ctx.runtime.transaction() as session:
        if await _is_first(ctx, session, "set_default_payment_method", target, idempotency_key, {}):
            await payment_methods.set_default_payment_method(session, ctx.who, method_id=target, now=ctx.runtime.clock.now())
        return await payment_methods.get_payment_method(session, ctx.who, target)


async def _is_first(ctx: Ctx, session: AsyncSession, mutation: str, target: UUID, key: str, given: dict[str, Any]) -> bool:
    seen = await idempotency.claim(
        session,
        account_id=ctx.who.account_id,
        mutation=mutation,
        key=key,
        given={"id": str(target), **given},
        result_id=target,
        now=ctx.runtime.clock.now(),
    )
    return seen is None


async def pay_receipt(ctx: Ctx, *, receipt_id: str, method_id: str | None, idempotency_key: str) -> receipts.Receipt:
    target = ids.decode(receipt_id, ids.RECEIPT, path="receiptId")
    card = None if method_id is None else ids.decode(method_id, ids.PAYMENT_METHOD, path="paymentMethodId")
    async with ctx.runtime.transaction() as session:
        if await _is_first(ctx, session, "pay_receipt", target, idempotency_key, {"paymentMethodId": method_id}):
            await payments.pay_receipt(session, ctx.who, receipt_id=target, method_id=card, now=ctx.runtime.clock.now())
        return await receipts.get_receipt(session, ctx.who, target)


async def load_payments(ctx: Ctx, receipt_ids: Sequence[UUID]) -> list[list[payments.Payment]]:
    """For a data loader: one query for all receipts that a list shows."""
    async with ctx.runtime.reading() as session:
        found = await payments.find_payments(session, ctx.who, receipt_ids)
    return [found.get(receipt_id, []) for receipt_id in receipt_ids]


async def redeem_promotion(ctx: Ctx, *, code: str, idempotency_key: str) -> list[Money]:
    """The credit that the rider has then."""
    await count_try(ctx, "redeem_promotion", str(ctx.who.account_id))
    redemption_id = ids.new()
    async with ctx.runtime.transaction() as session:
        seen = await idempotency.claim(
            session,
            account_id=ctx.who.account_id,
            mutation="redeem_promotion",
            key=idempotency_key,
            given={"code": code},
            result_id=redemption_id,
            now=ctx.runtime.clock.now(),
        )
        if seen is None:
            now = ctx.runtime.clock.now()
            await promotions.redeem_promotion(session, ctx.who, code=code, redemption_id=redemption_id, now=now)
        return await promotions.list_credit(session, ctx.who.account_id)


async def list_credit(ctx: Ctx) -> list[Money]:
    async with ctx.runtime.reading() as session:
        return await promotions.list_credit(session, ctx.who.account_id)


async def refund_receipt(
    ctx: Ctx, *, receipt_id: str, kinds: Sequence[tables.LineKind] | None, amount: Money | None, idempotency_key: str
) -> receipts.Receipt:
    """The credit note."""
    target = ids.decode(receipt_id, *_RECEIPTS, path="receiptId")
    if kinds is not None and amount is not None:
        raise errors.InvalidInput.of("amount", "Name lines or an amount, not both.")
    given = {
        "receiptId": str(target),
        "lines": None if kinds is None else sorted(kinds),
        "amount": None if amount is None else [amount.minor_units, amount.currency],
    }
    now = ctx.runtime.clock.now()
    async with ctx.runtime.transaction() as session:
        # A key comes back with the note that it led to: which one is known once it was issued.
        act = _act(ctx, "refund_receipt", idempotency_key, given, now)
        await receipts.get_receipt(session, ctx.who, target)
        await receipts.lock_receipt(session, target)
        note_id = await idempotency.recall(session, **act)
        if note_id is None:
            note_id = await refunds.refund_receipt(session, ctx.who, receipt_id=target, kinds=kinds, amount=amount, now=now)
            await idempotency.claim(session, **act, result_id=note_id)
        return await receipts.get_receipt(session, ctx.who, note_id)


async def create_promotion(
    ctx: Ctx, *, code: str, metro_id: str, amount: Money, valid_until: datetime, max_redemptions: int, idempotency_key: str
) -> promotions.Promotion:
    metro, made = ids.decode(metro_id, ids.METRO, path="metroId"), ids.new()
    given = {
        "code": code,
        "metroId": metro_id,
        "amount": [amount.minor_units, amount.currency],
        "validUntil": valid_until.isoformat(),
        "maxRedemptions": max_redemptions,
    }
    now = ctx.runtime.clock.now()
    async with ctx.runtime.transaction() as session:
        seen = await idempotency.claim(
            session,
            account_id=ctx.who.account_id,
            mutation="create_promotion",
            key=idempotency_key,
            given=given,
            result_id=made,
            now=now,
        )
        if seen is None:
            seen = await promotions.create_promotion(
                session,
                ctx.who,
                promotion_id=made,
                code=code,
                metro_id=metro,
                amount=amount,
                valid_until=valid_until,
                max_redemptions=max_redemptions,
                now=now,
            )
        return await promotions.get_promotion(session, seen)


async def list_disputes(ctx: Ctx, *, state: tables.DisputeState | None, first: int, after: str | None) -> Page[disputes.Dispute]:
    before, limit = paging.uuid_after(after, ctx.runtime.cursors), paging.check_first(first) + 1
    async with ctx.runtime.reading() as session:
        found = await disputes.list_disputes(session, ctx.who, state=state, before=before, limit=limit)
    return paging.page_of(found, first, after, ctx.runtime.cursors, lambda row: row.id.bytes)
