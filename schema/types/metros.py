"""Metros and the places in them."""

from __future__ import annotations

import strawberry
from strawberry import field

from domain import ids, metros, places
from schema import fields
from schema.nodes import Node
from schema.scalars import CurrencyCode
from schema.types.geo import LatLng


@strawberry.type(description="A city that vehicles are rented in.")
class Metro(Node):
    name: str = field(description="Name of the city.")
    country_code: str = field(description="ISO 3166-1 alpha-2.")
    timezone: str = field(description="IANA name of the zone that its clocks show.")
    currency: CurrencyCode = field(description="What its prices are in.")
    languages: list[str] = field(description="BCP 47 tags, most spoken first; 10 at most.")
    center: LatLng = field(description="Where a map of it opens.")
    attribution: str = field(description="Credit for the map data; show it beside every map.")
    is_default: bool = field(description="The one to use when nothing else is known.")
    position: strawberry.Private[object]

    @fields.resolved("Streams about this metro continue from here: pass it as `after`.")
    def cursor(self, info: strawberry.Info) -> str:
        return str(info.context.runtime.cursors.of_position(self.position))

    @classmethod
    def of(cls, row: metros.Metro) -> Metro:
        return cls(
            id=strawberry.ID(ids.encode(ids.METRO, row.id)),
            name=row.name,
            country_code=row.country_code,
            timezone=row.timezone,
            currency=CurrencyCode(row.currency),
            languages=row.languages,
            center=LatLng(lat=row.center.lat, lon=row.center.lon),
            attribution=row.attribution,
            is_default=row.is_default,
            position=row.position,
        )


@strawberry.type(description="A point that riders know by name.")
class Place(Node):
    name: str = field(description="As people call it.")
    kind: str = field(description="OpenStreetMap tag that makes it a place, such as `railway=station`.")
    locality: str | None = field(description="Street or district, to tell places of one name apart.")
    position: LatLng = field(description="Where it is.")

    @classmethod
    def of(cls, row: places.Place) -> Place:
        return cls(
            id=strawberry.ID(ids.encode(ids.PLACE, row.id)),
            name=row.name,
            kind=row.kind,
            locality=row.locality,
            position=LatLng(lat=row.lat, lon=row.lon),
        )
