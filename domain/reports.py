"""Reports: what staff find at vehicles, and what that means for those who reserved them."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any, cast

import h3
from sqlalchemy import Table, bindparam, update
from sqlalchemy.ext.asyncio import AsyncSession

from domain import errors, eventlog, fleet, lock_commands, reservations, tables, withdrawals
from domain.actor import Actor
from domain.tables import geography
from domain.values import OUT_OF_SERVICE, LatLng, VehicleState

_VEHICLES = tables.Vehicle.__table__


@dataclass(frozen=True, slots=True)
class Report:
    """What staff found at a vehicle; None = not looked at."""

    state: VehicleState | None = None
    battery_percent: int | None = None
    position: LatLng | None = None
    odometer_meters: int | None = None


#: states that staff may set by hand; the others follow from reservations, trips and telemetry
REPORTABLE_STATES = (VehicleState.AVAILABLE, VehicleState.NON_OPERATIONAL, VehicleState.REMOVED, VehicleState.MISSING)
_REPORTED_FROM = (*REPORTABLE_STATES, VehicleState.NON_CONTACTABLE, VehicleState.ELSEWHERE)


def _check(report: Report) -> None:
    issues = []
    if report.state is not None and report.state not in REPORTABLE_STATES:
        issues.append(errors.Issue("state", f"Staff may report {', '.join(s.name for s in REPORTABLE_STATES)} only."))
    if report.battery_percent is not None and not 0 <= report.battery_percent <= 100:
        issues.append(errors.Issue("batteryPercent", "batteryPercent lies between 0 and 100."))
    if report.odometer_meters is not None and report.odometer_meters < 0:
        issues.append(errors.Issue("odometerMeters", "odometerMeters is 0 or more."))
    if issues:
        raise errors.InvalidInput(issues)


async def report_vehicle(
    session: AsyncSession, who: Actor, ref: fleet.VehicleRef, report: Report, *, now: datetime
) -> fleet.Vehicle:
    """Corrects what the fleet knows of a vehicle. Who has reserved what goes out of service is told in the same transaction.

    Raises InvalidInput, NotFound, VehicleUnavailable (it is in use).
    """
    _check(report)
    reserved = await withdrawals.lock_reservations(session, ref) if report.state in OUT_OF_SERVICE else ()
    vehicle = await fleet.get_vehicle(session, ref, lock=True)
    who.require_metro(vehicle.metro_id)
    reported_from = (*_REPORTED_FROM, VehicleState.RESERVED) if report.state in OUT_OF_SERVICE else _REPORTED_FROM
    if report.state not in (None, vehicle.state) and vehicle.state not in reported_from:
        raise errors.VehicleUnavailable(f"The vehicle is {vehicle.state}; its state follows from that.", path="state")
    if report.state not in (None, vehicle.state) and await lock_commands.has_open_trip(session, vehicle.id):
        raise errors.VehicleUnavailable("Somebody is unlocking the vehicle; its state follows from that.", path="state")
    if report.state is VehicleState.AVAILABLE and await reservations.holds_now(session, vehicle.id, now):
        # Made while it went out of service, and not withdrawn yet: its rider finds it in order.
        report = replace(report, state=VehicleState.RESERVED)
    new = _corrections(report, vehicle) | {"updated_at": now}
    await session.execute(_CORRECT, {"wanted": vehicle.id, **{f"new_{name}": value for name, value in new.items()}})
    if report.position is not None:
        # The vehicle has not said so itself.
        doubted = update(tables.Vehicle).where(tables.Vehicle.id == vehicle.id).values(position_at=None)
        await session.execute(doubted)
    corrected = replace(vehicle, **{name: value for name, value in new.items() if name != "h3_cell"})
    await eventlog.append_all(session, [fleet.changed(corrected, vehicle.state, vehicle.position)])
    await withdrawals.withdraw_reservations(session, corrected, reserved, now=now)
    return corrected


_CORRECTED = ("state", "battery_percent", "odometer_meters", "lat", "lon", "h3_cell", "updated_at")
_CORRECT = (
    update(cast("Table", _VEHICLES))
    .where(_VEHICLES.c.id == bindparam("wanted"))
    .values({_VEHICLES.c[name]: bindparam(f"new_{name}") for name in _CORRECTED})
)


def _corrections(report: Report, vehicle: fleet.Vehicle) -> dict[str, Any]:
    """The columns as they are to be."""
    given = {"state": report.state, "battery_percent": report.battery_percent, "odometer_meters": report.odometer_meters}
    position = report.position or vehicle.position
    return {
        **{name: getattr(vehicle, name) if value is None else value for name, value in given.items()},
        "lat": position.lat,
        "lon": position.lon,
        "h3_cell": h3.str_to_int(h3.latlng_to_cell(position.lat, position.lon, geography.H3_RESOLUTION)),
    }
