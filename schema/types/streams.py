"""What every stream tells: where it is, and that there was a gap."""

from __future__ import annotations

from datetime import datetime

import strawberry
from strawberry import field

from resolvers.context import Ctx
from resolvers.streams import Resync

CURSOR = "Pass it as `after` to go on behind this event."


@strawberry.interface(description="An item of a stream that can be resumed.")
class StreamEvent:
    cursor: str = field(description=CURSOR)


@strawberry.type(
    description="There is a gap: the cursor is from before a restore, or events behind it are no longer kept. Read the object"
    " again, then go on; this stream continues behind `cursor`."
)
class ResyncRequired(StreamEvent):
    reason: str = field(description="For people.")

    @classmethod
    def of(cls, ctx: Ctx, item: Resync) -> ResyncRequired:
        return cls(
            cursor=ctx.runtime.cursors.of_position(item.position),
            reason="Events behind that cursor are no longer there. Read the object again.",
        )


@strawberry.interface(description="An event that happened at a known time.")
class TimedEvent(StreamEvent):
    at: datetime = field(description="When it was written.")
