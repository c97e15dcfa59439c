"""The chat with the Travel Agent."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from contextlib import aclosing
from typing import Annotated

import strawberry
from strawberry import field

from domain import chat as domain_chat
from domain import ids
from resolvers import chat
from schema import access, enums, errors, sharing
from schema.types import chat_events
from schema.types.chat import Conversation
from schema.types.geo import LatLngInput
from schema.types.reservations import Reservation

ConversationId = Annotated[strawberry.ID, strawberry.argument(description="The conversation.")]
ProposalDecision = enums.ProposalDecision
ProposalState = enums.ProposalState
CURSOR = "`customerChatEvents` continues from here: pass it as `after`."


@strawberry.input(description="Where the conversation is about.")
class StartConversationInput:
    metro_id: strawberry.ID = field(description="The metro.")


@strawberry.type(description="A conversation is open.")
class StartConversationSuccess:
    conversation: Conversation = field(description="The conversation.")


StartConversationResult = Annotated[
    StartConversationSuccess | errors.NotFoundError | errors.InvalidInputError,
    strawberry.union("StartConversationResult", description="What starting a conversation can answer."),
]


@strawberry.input(description="What the rider says.")
class SendMessageInput:
    conversation_id: strawberry.ID = field(description="The conversation.")
    text: str = field(description="1 to 2,000 characters.")
    client_message_id: str = field(description="Chosen by the client, 1 to 100 characters: the same id is stored once.")
    position: LatLngInput | None = field(default=None, description="Where the rider is, for `near me`.")


@strawberry.type(description="The message is stored and the agent will answer it.")
class SendMessageSuccess:
    message_id: strawberry.ID = field(description="The message.")
    turn_id: strawberry.ID = field(description="The turn that answers it.")
    cursor: str = field(description=CURSOR)


SendMessageResult = Annotated[
    SendMessageSuccess
    | errors.InvalidInputError
    | errors.NotFoundError
    | errors.IdempotencyConflictError
    | errors.TurnInProgressError,
    strawberry.union("SendMessageResult", description="What sending a message can answer."),
]


@strawberry.input(description="The rider's decision.")
class DecideProposalInput:
    proposal_id: strawberry.ID = field(description="The proposal.")
    digest: str = field(description="The digest shown with it: a decision is about exactly that.")
    decision: ProposalDecision = field(description="Yes or no.")


@strawberry.type(description="The decision stands; an approved proposal has been carried out.")
class DecideProposalSuccess:
    proposal_id: strawberry.ID = field(description="The proposal.")
    state: ProposalState = field(description="EXECUTED or DECLINED.")
    reservation: Reservation | None = field(description="What was reserved or cancelled.")
    cursor: str = field(description=CURSOR)


DecideProposalResult = Annotated[
    DecideProposalSuccess
    | errors.ProposalExpiredError
    | errors.ProposalChangedError
    | errors.ProposalDecidedError
    | errors.VehicleUnavailableError
    | errors.DrivingLicenceRequiredError
    | errors.CoolDownError
    | errors.ReservationClosedError
    | errors.CancellationFeeError
    | errors.InvalidInputError
    | errors.NotFoundError,
    strawberry.union("DecideProposalResult", description="What a decision can answer."),
]


def conversation_of(info: strawberry.Info, row: domain_chat.Conversation) -> Conversation:
    return Conversation.of(row, info.context.runtime.cursors.of_position(row.position))


@strawberry.type
class ChatQueries:
    @access.query(access.RIDERS, "One of the rider's own conversations.")
    async def conversation(
        self, info: strawberry.Info, id: Annotated[strawberry.ID, strawberry.argument(description="`conversation_…`")]
    ) -> Conversation | None:
        row = await chat.find_conversation(info.context, ids.decode(id, ids.CONVERSATION))
        return None if row is None else conversation_of(info, row)


@strawberry.type
class ChatMutations:
    @access.mutation(access.RIDERS, "Open a conversation with the Travel Agent.")
    async def start_conversation(
        self, info: strawberry.Info, input: Annotated[StartConversationInput, access.INPUT]
    ) -> StartConversationResult | None:
        row = await chat.start_conversation(info.context, metro_id=input.metro_id)
        return StartConversationSuccess(conversation=conversation_of(info, row))

    @access.mutation(access.RIDERS, "Say something; the answer comes through `customerChatEvents`.")
    async def send_message(
        self, info: strawberry.Info, input: Annotated[SendMessageInput, access.INPUT]
    ) -> SendMessageResult | None:
        sent = await chat.send_message(
            info.context,
            conversation_id=input.conversation_id,
            text=input.text,
            position=input.position.value("position") if input.position else None,
            client_message_id=input.client_message_id,
        )
        return SendMessageSuccess(
            message_id=strawberry.ID(ids.encode(ids.MESSAGE, sent.message_id)),
            turn_id=strawberry.ID(ids.encode(ids.TURN, sent.turn_id)),
            cursor=info.context.runtime.cursors.of_position(sent.position),
        )

    @access.mutation(access.RIDERS, "Say yes or no to a proposal. A yes carries out exactly what was shown, once.")
    async def decide_proposal(
        self, info: strawberry.Info, input: Annotated[DecideProposalInput, access.INPUT]
    ) -> DecideProposalResult | None:
        decided, reservation, position = await chat.decide_proposal(
            info.context, proposal_id=input.proposal_id, digest=input.digest, decision=input.decision
        )
        return DecideProposalSuccess(
            proposal_id=strawberry.ID(ids.encode(ids.PROPOSAL, decided.proposal_id)),
            state=decided.state,
            reservation=None if reservation is None else Reservation.of(reservation),
            cursor=info.context.runtime.cursors.of_position(position),
        )


@strawberry.type
class ChatSubscriptions:
    @access.subscription(
        access.RIDERS, "What happens in one of the rider's own conversations, as it happens.", per=sharing.Per.VIEWER
    )
    async def customer_chat_events(
        self,
        info: strawberry.Info,
        conversation_id: ConversationId,
        after: Annotated[
            str | None,
            strawberry.argument(description="A cursor: nothing behind it is lost or repeated. Without it from now on."),
        ] = None,
    ) -> AsyncGenerator[chat_events.ChatEvent, None]:
        events = await chat.follow_chat(info.context, conversation_id=conversation_id, after=after)
        async with aclosing(events):
            async for event in events:
                if (item := chat_events.of_item(info.context, event)) is not None:
                    yield item
