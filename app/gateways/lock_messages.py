"""Lock messages: what is said to vehicles and by them, in JSON."""

from __future__ import annotations

from typing import Annotated
from uuid import UUID

import orjson
from pydantic import AwareDatetime, BaseModel, ConfigDict, Field
from pydantic.alias_generators import to_camel

from domain.ports import LockAnswer, LockOrder, VehicleStatus
from domain.values import LatLng

#: what is longer is not read
LONGEST_BYTES = 4096
_ODOMETER = 2**40
#: of a position that comes without
_VAGUENESS = 10.0


class _Said(BaseModel):
    """Fields that we do not know are a newer vehicle's."""

    model_config = ConfigDict(alias_generator=to_camel, frozen=True, strict=True)


class _Position(_Said):
    lat: float = Field(ge=-90, le=90, allow_inf_nan=False)
    lon: float = Field(ge=-180, le=180, allow_inf_nan=False)
    accuracy_meters: float = Field(_VAGUENESS, ge=0, le=100_000, allow_inf_nan=False)

    @property
    def point(self) -> LatLng:
        return LatLng(self.lat, self.lon)


class _Facts(_Said):
    position: _Position | None = None
    battery_percent: int | None = Field(None, ge=0, le=100)
    odometer_meters: int | None = Field(None, ge=0, le=_ODOMETER)
    is_plugged_in: bool | None = None


class _Answer(_Facts):
    command_id: Annotated[UUID, Field(strict=False)]
    is_done: bool
    failure: str | None = Field(None, max_length=100, pattern=r"^[^\x00-\x1f]*$")


class _Status(_Facts):
    at: Annotated[AwareDatetime, Field(strict=False)]


def order(told: LockOrder) -> bytes:
    # The driver has UUIDs of its own, which the library does not know.
    return orjson.dumps({"commandId": str(told.command_id), "action": str(told.action), "expiresAt": told.expires_at})


def parse_answer(vehicle_id: UUID, payload: bytes) -> LockAnswer:
    """Raises ValueError."""
    said = _Answer.model_validate_json(_short(payload))
    return LockAnswer(
        said.command_id,
        vehicle_id,
        said.is_done,
        said.failure,
        position=None if said.position is None else said.position.point,
        battery_percent=said.battery_percent,
        odometer_meters=said.odometer_meters,
        is_plugged_in=said.is_plugged_in,
    )


def parse_status(vehicle_id: UUID, payload: bytes) -> VehicleStatus:
    """Raises ValueError."""
    said = _Status.model_validate_json(_short(payload))
    return VehicleStatus(
        vehicle_id,
        said.at,
        position=None if said.position is None else said.position.point,
        accuracy_meters=_VAGUENESS if said.position is None else said.position.accuracy_meters,
        battery_percent=said.battery_percent,
        odometer_meters=said.odometer_meters,
        is_plugged_in=said.is_plugged_in,
    )


def _short(payload: bytes) -> bytes:
    if len(payload) > LONGEST_BYTES:
        raise ValueError("longer than anything that a vehicle has to say")
    return payload
