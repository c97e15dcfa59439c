"""Ahead: a stream that has read more of the log than it has shown, because it waits for more than the next event."""

from __future__ import annotations

from dataclasses import dataclass, field

from domain import eventlog
from resolvers.streams import Place


@dataclass(slots=True)
class Ahead(Place):
    """Where the log is read. Who resumes goes on behind what was shown, and that is where `shown` is."""

    shown: Place = field(default_factory=Place)

    @classmethod
    def of(cls, shown: Place) -> Ahead:
        return cls(is_replay=shown.is_replay, after=shown.after, shown=shown)

    def begin(self, start: eventlog.Position) -> eventlog.Position:
        self.shown.begin(start)
        return Place.begin(self, start)
