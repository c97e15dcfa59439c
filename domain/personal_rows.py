"""Personal rows: what can be said of a table in the registry of personal data, and how its rows are found."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any
from uuid import UUID

from sqlalchemy import Column, ColumnElement, Table, and_, or_, select

from domain.tables import Base

#: a condition for the rows of a table that are about a customer
Rows = Callable[[Table, UUID], ColumnElement[bool]]
#: what a column becomes: a value, or a function of table and instant that makes an expression
Value = Any


@dataclass(frozen=True, slots=True)
class Deleted:
    """Erasure deletes the rows."""


@dataclass(frozen=True, slots=True)
class Changed:
    """Erasure keeps the rows, for `why`, and sets these columns: nothing that identifies is left in them."""

    why: str
    columns: Mapping[str, Value]


@dataclass(frozen=True, slots=True)
class Silenced:
    """Erasure deletes the topics of the event log, and their horizons tell followers of the gap."""


@dataclass(frozen=True, slots=True)
class Kept:
    """Erasure leaves the rows as they are: they name nobody once the account is erased."""

    why: str


@dataclass(frozen=True, slots=True)
class Nobodys:
    """A table that tells nothing of riders."""

    table: str
    why: str
    #: columns that look as if they did
    despite: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Riders:
    """A table with rows about riders."""

    table: str
    #: what the rider reads about it in the archive
    meaning: str
    rows: Rows
    erased: Deleted | Changed | Kept | Silenced
    #: columns that the archive leaves out, and why
    withheld: Mapping[str, str] = field(default_factory=dict)

    @property
    def source(self) -> Table:
        return Base.metadata.tables[self.table]

    def of(self, customer_id: UUID) -> ColumnElement[bool]:
        return self.rows(self.source, customer_id)

    def shown(self) -> list[Column[Any]]:
        return [column for column in self.source.columns if column.name not in self.withheld]


def own(column: str, **given: Any) -> Rows:
    """The column holds the customer's id, and others what is given."""

    def rows(table: Table, customer_id: UUID) -> ColumnElement[bool]:
        return and_(table.c[column] == customer_id, *(table.c[name] == value for name, value in given.items()))

    return rows


def addressed(column: str) -> Rows:
    """The column holds the customer's email address."""
    customers = "customers"

    def rows(table: Table, customer_id: UUID) -> ColumnElement[bool]:
        account = Base.metadata.tables[customers]
        return table.c[column] == select(account.c.email).where(account.c.id == customer_id).scalar_subquery()

    return rows


def either(*ways: Rows) -> Rows:
    return lambda table, customer_id: or_(*(way(table, customer_id) for way in ways))
