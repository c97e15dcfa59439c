"""The chat with the Travel Agent: conversations, messages, decisions, and the stream that shows them."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from uuid import UUID

from domain import chat, errors, eventlog, ids, proposals, reservations
from domain.values import LatLng
from resolvers import paging
from resolvers.context import Ctx
from resolvers.paging import Page
from resolvers.reservations import offering_alternatives
from resolvers.streams import Resync


async def start_conversation(ctx: Ctx, *, metro_id: str) -> chat.Conversation:
    metro = ids.decode(metro_id, ids.METRO, path="metroId")
    async with ctx.runtime.transaction() as session:
        conversation_id = await chat.start_conversation(session, ctx.who, metro, now=ctx.runtime.clock.now())
        return await chat.get_conversation(session, ctx.who, conversation_id)


async def find_conversation(ctx: Ctx, conversation_id: UUID) -> chat.Conversation | None:
    async with ctx.runtime.reading() as session:
        try:
            return await chat.get_conversation(session, ctx.who, conversation_id)
        except errors.NotFound:
            return None


async def list_messages(ctx: Ctx, conversation_id: UUID, *, first: int, after: str | None) -> Page[chat.Message]:
    async with ctx.runtime.reading() as session:
        found = await chat.list_messages(
            session,
            conversation_id,
            before=paging.uuid_after(after, ctx.runtime.cursors),
            limit=paging.check_first(first) + 1,
        )
    return paging.page_of(found, first, after, ctx.runtime.cursors, lambda message: message.id.bytes)


async def find_pending_proposal(ctx: Ctx, conversation_id: UUID) -> proposals.Proposal | None:
    async with ctx.runtime.reading() as session:
        return await proposals.find_pending_proposal(session, conversation_id, now=ctx.runtime.clock.now())


async def find_message(ctx: Ctx, message_id: UUID) -> chat.Message | None:
    async with ctx.runtime.reading() as session:
        try:
            return await chat.get_message(session, ctx.who, message_id)
        except errors.NotFound:
            return None


async def find_proposal(ctx: Ctx, proposal_id: UUID) -> proposals.Proposal | None:
    async with ctx.runtime.reading() as session:
        try:
            return await proposals.get_proposal(session, ctx.who, proposal_id)
        except errors.NotFound:
            return None


async def send_message(
    ctx: Ctx, *, conversation_id: str, text: str, position: LatLng | None, client_message_id: str
) -> chat.SentMessage:
    async with ctx.runtime.transaction() as session:
        return await chat.send_message(
            session,
            ctx.who,
            conversation_id=ids.decode(conversation_id, ids.CONVERSATION, path="conversationId"),
            text=text,
            position=position,
            client_message_id=client_message_id,
            now=ctx.runtime.clock.now(),
        )


async def decide_proposal(
    ctx: Ctx, *, proposal_id: str, digest: str, decision: proposals.Decision
) -> tuple[proposals.Decided, reservations.Reservation | None, eventlog.Position]:
    target = ids.decode(proposal_id, ids.PROPOSAL, path="proposalId")
    now = ctx.runtime.clock.now()
    async with offering_alternatives(ctx, now), ctx.runtime.transaction() as session:
        position = await proposals.current_position(session, target)
        decided = await proposals.decide_proposal(
            session,
            ctx.who,
            proposal_id=target,
            digest=digest,
            decision=decision,
            now=now,
        )
        reservation = None
        if decided.reservation_id is not None:
            reservation = await reservations.get_reservation(session, ctx.who, decided.reservation_id)
    return decided, reservation, position


async def follow_chat(ctx: Ctx, *, conversation_id: str, after: str | None) -> AsyncGenerator[eventlog.Event | Resync, None]:
    """The events of a conversation of the rider's own."""
    position = None if after is None else ctx.runtime.cursors.position(after)
    wanted = ids.decode(conversation_id, ids.CONVERSATION, path="conversationId")
    async with ctx.runtime.reading() as session:
        conversation = await chat.get_conversation(session, ctx.who, wanted)
    return ctx.runtime.feed.follow(eventlog.chat_topic(conversation.id), position, ctx.place)
