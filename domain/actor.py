"""Who acts: a rider, a member of staff, or the system itself."""

from __future__ import annotations

from dataclasses import dataclass, replace
from enum import StrEnum
from uuid import UUID

from domain import errors


class Audience(StrEnum):
    CUSTOMER = "customer"
    OPS = "ops"


class Role(StrEnum):
    RIDER = "rider"
    TECHNICIAN = "technician"
    DISPATCHER = "dispatcher"
    ADMIN = "admin"


@dataclass(frozen=True, slots=True)
class Actor:
    audience: Audience
    account_id: UUID
    role: Role
    session_id: UUID
    #: metros a member of staff works in; None = all of them (ADMIN)
    metro_ids: frozenset[UUID] | None = None

    @property
    def scope(self) -> str:
        """What this actor may see beside what is personal, as a key: actors of one scope may share a stream."""
        if self.audience is Audience.CUSTOMER:
            return "customer"
        metros = "*" if self.metro_ids is None else ",".join(sorted(str(metro) for metro in self.metro_ids))
        return f"ops:{self.role}:{metros}"

    def as_service(self, *, of_account: bool = False) -> Actor:
        """The same scope without the session, and without the person unless it is `of_account`: for what is done once
        for all who share it."""
        nobody = UUID(int=0)
        return replace(self, account_id=self.account_id if of_account else nobody, session_id=nobody)

    def require_metro(self, metro_id: UUID) -> None:
        """Raises NotFound when a member of staff does not work in that metro: what you may not see does not exist."""
        if self.metro_ids is not None and metro_id not in self.metro_ids:
            raise errors.NotFound
