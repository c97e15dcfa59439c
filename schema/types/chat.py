"""The chat with the Travel Agent: conversations and messages."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated

import strawberry
from strawberry import field

from domain import chat, ids
from resolvers import chat as resolvers
from schema import fields
from schema.connections import Connection, connection
from schema.nodes import Node
from schema.types.metros import Metro
from schema.types.proposals import Proposal


@strawberry.type(description="Something that was said.")
class Message(Node):
    is_from_agent: bool = field(description="True when the agent said it, false when the rider did.")
    text: str = field(description="What was said.")
    created_at: datetime = field(description="When it was stored.")
    turn_id: strawberry.ID = field(description="The turn it belongs to.")

    @classmethod
    def of(cls, row: chat.Message) -> Message:
        return cls(
            id=strawberry.ID(ids.encode(ids.MESSAGE, row.id)),
            is_from_agent=row.author == "agent",
            text=row.text,
            created_at=row.created_at,
            turn_id=strawberry.ID(ids.encode(ids.TURN, row.turn_id)),
        )


@strawberry.type(description="A rider's conversation with the Travel Agent.")
class Conversation(Node):
    created_at: datetime = field(description="When it was started.")
    cursor: str = field(description="`customerChatEvents` continues from here: pass it as `after`.")
    row: strawberry.Private[chat.Conversation]

    @fields.resolved("The metro it is about.")
    async def metro(self, info: strawberry.Info) -> Metro:
        return Metro.of(await info.context.metros.load(self.row.metro_id))

    @fields.resolved("What was said, latest first.")
    async def messages(
        self,
        info: strawberry.Info,
        first: Annotated[int, strawberry.argument(description="1 to 100.")] = 20,
        after: Annotated[str | None, strawberry.argument(description="`endCursor` of the page before.")] = None,
    ) -> Connection[Message]:
        page = await resolvers.list_messages(info.context, self.row.id, first=first, after=after)
        return connection(page, Message.of)

    @fields.resolved("The proposal that waits for a decision, if one does.")
    async def pending_proposal(self, info: strawberry.Info) -> Proposal | None:
        found = await resolvers.find_pending_proposal(info.context, self.row.id)
        return None if found is None else Proposal.of(found)

    @classmethod
    def of(cls, row: chat.Conversation, cursor: str) -> Conversation:
        return cls(id=strawberry.ID(ids.encode(ids.CONVERSATION, row.id)), created_at=row.created_at, cursor=cursor, row=row)
