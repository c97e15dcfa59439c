"""Cool-downs: how long a rider holds no scooter or bike who let the last holds lapse unused."""

from __future__ import annotations

from sqlalchemy import ColumnElement, DateTime, and_, bindparam, case, func, or_, select

from domain import tables
from domain.values import CancelCause, ReservationState, VehicleType

_METROS = tables.Metro.__table__
_VEHICLES = tables.Vehicle.__table__
_ROWS = tables.Reservation.__table__
#: so many of a rider's last reservations are looked at, whatever they were
_LOOKED_AT = 20


def _until() -> ColumnElement[object]:
    """Of the customer's last holds, as many as the metro says, all lapsed unused within so many hours: the metro's pause after
    the last of them, unless that is over. What was not the rider's doing does not count; what lapsed counts from that
    instant on, also before a sweep has seen it."""
    at = bindparam("at", type_=DateTime(timezone=True))
    columns = (_ROWS.c.id, _ROWS.c.state, _ROWS.c.lapses_at, _ROWS.c.cancel_cause)
    last = select(*columns).where(_ROWS.c.customer_id == bindparam("customer")).order_by(_ROWS.c.id.desc()).limit(_LOOKED_AT)
    latest = last.subquery("latest")
    is_decided = or_(latest.c.state != ReservationState.CONFIRMED, latest.c.lapses_at <= at)
    is_own_doing = func.coalesce(latest.c.cancel_cause, CancelCause.RIDER) == CancelCause.RIDER
    holds = (
        select(latest.c.state.in_((ReservationState.EXPIRED, ReservationState.CONFIRMED)).label("is_unused"), latest.c.lapses_at)
        .where(latest.c.lapses_at.is_not(None), is_decided, is_own_doing)
        .order_by(latest.c.id.desc())
        .limit(_METROS.c.cool_down_holds)
        .correlate(_METROS)
        .subquery("holds")
    )
    first, newest = func.min(holds.c.lapses_at), func.max(holds.c.lapses_at)
    until = newest + func.make_interval(0, 0, 0, 0, 0, _METROS.c.cool_down_minutes)
    is_in_force = and_(
        func.count() == _METROS.c.cool_down_holds,
        func.bool_and(holds.c.is_unused),
        first > newest - func.make_interval(0, 0, 0, 0, _METROS.c.cool_down_hours),
        until > at,
    )
    return select(until).select_from(holds).having(is_in_force).correlate(_METROS).scalar_subquery()


#: for a statement that reads a vehicle and its metro, with the parameters `customer` and `at`: until when, or null
COLUMN = case(
    (_VEHICLES.c.vehicle_type.in_([kind for kind in VehicleType if kind.is_micromobility]), _until()),
    else_=None,
)
