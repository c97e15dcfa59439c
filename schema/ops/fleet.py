"""Metros and the fleet, as staff watch and correct them."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from contextlib import aclosing
from typing import Annotated

import strawberry
from strawberry import field

from domain import fleet as domain_fleet
from domain import reports
from resolvers import dispatch, fleet, metros
from schema import access, errors, sharing
from schema.connections import Connection, connection
from schema.customer.metros import After, First
from schema.types import dispatch as dispatch_types
from schema.types.geo import BoxInput, LatLngInput
from schema.types.metros import Metro
from schema.types.vehicles import FleetVehicle, VehicleState

VehicleId = Annotated[strawberry.ID, strawberry.argument(description="`fleet_vehicle_…`, or the published `vehicle_…`")]


@strawberry.type
class FleetQueries:
    @access.query(access.STAFF, "The metros that the asker works in, the default one first; 1,000 at most.")
    async def metros(self, info: strawberry.Info) -> list[Metro]:
        return [Metro.of(row) for row in await metros.list_metros(info.context)]

    @access.query(access.STAFF, "One metro that the asker works in.")
    async def metro(
        self,
        info: strawberry.Info,
        id: Annotated[strawberry.ID | None, strawberry.argument(description="The default metro when left out.")] = None,
    ) -> Metro | None:
        row = await metros.get_metro(info.context, id)
        return None if row is None else Metro.of(row)

    @access.query(access.STAFF, "The fleet in a box of 5 degrees at most, by id.")
    async def vehicles(
        self,
        info: strawberry.Info,
        box: Annotated[BoxInput, strawberry.argument(description="Where to look.")],
        states: Annotated[
            list[VehicleState] | None,
            strawberry.argument(description="In which states; all when left out."),
        ] = None,
        first: First = 50,
        after: After = None,
    ) -> Connection[FleetVehicle]:
        page = await fleet.list_vehicles(info.context, box=box.value(), states=states or (), first=first, after=after)
        return connection(page, FleetVehicle.of)

    @access.query(access.STAFF, "One vehicle.")
    async def vehicle(self, info: strawberry.Info, id: VehicleId) -> FleetVehicle | None:
        row = await fleet.find_vehicle(info.context, domain_fleet.VehicleRef.parse(id, path="id"))
        return None if row is None else FleetVehicle.of(row)


@strawberry.input(description="What was found at a vehicle. What is left out stays as it is.")
class ReportVehicleInput:
    vehicle_id: strawberry.ID = field(description="The vehicle.")
    state: VehicleState | None = field(default=None, description="AVAILABLE, NON_OPERATIONAL, REMOVED or MISSING.")
    battery_percent: int | None = field(default=None, description="Charge, 0 to 100.")
    odometer_meters: int | None = field(default=None, description="Reading of the odometer.")
    position: LatLngInput | None = field(default=None, description="Where it stands.")


@strawberry.type(description="The vehicle is as reported.")
class ReportVehicleSuccess:
    vehicle: FleetVehicle = field(description="The vehicle.")


ReportVehicleResult = Annotated[
    ReportVehicleSuccess | errors.InvalidInputError | errors.NotFoundError | errors.VehicleUnavailableError,
    strawberry.union("ReportVehicleResult", description="What a report can answer."),
]


@strawberry.type
class FleetMutations:
    @access.mutation(
        access.STAFF,
        "Correct what is known of a vehicle. Setting the same values again changes nothing. What goes out of service loses its"
        " reservations: their riders are told at once, with what else is free.",
    )
    async def report_vehicle(
        self, info: strawberry.Info, input: Annotated[ReportVehicleInput, access.INPUT]
    ) -> ReportVehicleResult | None:
        report = reports.Report(
            state=input.state,
            battery_percent=input.battery_percent,
            odometer_meters=input.odometer_meters,
            position=input.position.value("position") if input.position else None,
        )
        row = await fleet.report_vehicle(info.context, domain_fleet.VehicleRef.parse(input.vehicle_id), report)
        return ReportVehicleSuccess(vehicle=FleetVehicle.of(row))


@strawberry.type
class DispatchSubscriptions:
    @access.subscription(access.STAFF, "What changes in a metro, as it changes.", per=sharing.Per.SCOPE)
    async def ops_dispatch_updates(
        self,
        info: strawberry.Info,
        metro_id: Annotated[strawberry.ID, strawberry.argument(description="The metro.")],
        after: Annotated[
            str | None,
            strawberry.argument(description="A cursor: nothing behind it is lost or repeated. Without it from now on."),
        ] = None,
    ) -> AsyncGenerator[dispatch_types.DispatchUpdate, None]:
        events = await dispatch.follow_dispatch(info.context, metro_id=metro_id, after=after)
        async with aclosing(events):
            async for event in events:
                if (item := dispatch_types.of_item(info.context, event)) is not None:
                    yield item
