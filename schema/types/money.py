"""Money in minor units."""

from __future__ import annotations

import strawberry
from strawberry import field

from domain import values
from schema.scalars import CurrencyCode


@strawberry.type(description="An amount of money, taxes included.")
class Money:
    minor_units: int = field(description="Cents or what the currency has instead.")
    currency: CurrencyCode = field(description="What it is an amount of.")

    @classmethod
    def of(cls, value: values.Money) -> Money:
        return cls(minor_units=value.minor_units, currency=CurrencyCode(value.currency))


@strawberry.input(description="An amount of money, as it was shown.")
class MoneyInput:
    minor_units: int = field(description="Cents or what the currency has instead.")
    currency: CurrencyCode = field(description="What it is an amount of.")

    def value(self) -> values.Money:
        return values.Money(self.minor_units, self.currency)
