"""The interface of all errors that a caller can understand and mend."""

from __future__ import annotations

from typing import Self

import strawberry
from strawberry import field

from domain import errors

MESSAGE = "For people."


@strawberry.interface(description="Something the caller can understand and mend. `__typename` is its code.")
class UserError:
    message: str = field(description=MESSAGE)
    path: list[str] | None = field(description="Names that lead to the field of the input at fault, if there is one.")

    @classmethod
    def of(cls, error: errors.DomainError) -> Self:
        return cls(message=error.message, path=error.path)
