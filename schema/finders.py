"""Finders: what a global id stands for, by its prefix."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any
from uuid import UUID

import strawberry

from domain import fleet, ids
from domain.actor import Audience
from resolvers import (
    accounts,
    chat,
    deliveries,
    fines,
    identities,
    incidents,
    metros,
    notifications,
    payments,
    photos,
    privacy,
    receipts,
    reservations,
    support_tickets,
    trips,
    zones,
)
from resolvers import fleet as fleet_resolvers
from schema import access
from schema.customer.chat import conversation_of
from schema.nodes import Node
from schema.ops.deliveries import delivery_of
from schema.types.accounts import Customer, SignInSession, StaffMember
from schema.types.chat import Message
from schema.types.commutes import find_commute
from schema.types.fines import Fine, OpsFine
from schema.types.identities import LinkedIdentity
from schema.types.incidents import OpsIncident
from schema.types.metros import Metro, Place
from schema.types.notifications import Notification
from schema.types.payments import PaymentMethod
from schema.types.photos import Photo
from schema.types.privacy import DataExport
from schema.types.profiles import find_saved_place
from schema.types.proposals import Proposal
from schema.types.receipts import OpsReceipt, Receipt
from schema.types.reservations import OpsReservation, Reservation
from schema.types.stations import Station
from schema.types.support import OpsSupportTicket, SupportTicket
from schema.types.trips import OpsTrip, Trip
from schema.types.vehicles import FleetVehicle, Vehicle
from schema.types.zones import Zone

Finder = Callable[[strawberry.Info, UUID], Awaitable[Node | None]]


def _of(row: Any, of: Callable[[Any], Node]) -> Node | None:
    return None if row is None else of(row)


async def _metro(info: strawberry.Info, id: UUID) -> Node | None:
    return _of(await metros.get_metro(info.context, ids.encode(ids.METRO, id)), Metro.of)


async def _place(info: strawberry.Info, id: UUID) -> Node | None:
    return _of(await metros.find_place(info.context, id), Place.of)


async def _vehicle(info: strawberry.Info, id: UUID) -> Node | None:
    return _of(await fleet_resolvers.find_vehicle(info.context, fleet.VehicleRef(id, published=True)), Vehicle.of)


async def _fleet_vehicle(info: strawberry.Info, id: UUID) -> Node | None:
    return _of(await fleet_resolvers.find_vehicle(info.context, fleet.VehicleRef(id, published=False)), FleetVehicle.of)


async def _reservation(info: strawberry.Info, id: UUID) -> Node | None:
    return _of(await reservations.find_reservation(info.context, id), Reservation.of)


async def _ops_reservation(info: strawberry.Info, id: UUID) -> Node | None:
    if info.context.who.role not in access.DISPATCHERS:
        return None
    return _of(await reservations.find_reservation(info.context, id), OpsReservation.of)


async def _trip(info: strawberry.Info, id: UUID) -> Node | None:
    found = await trips.find_trip(info.context, id)
    return None if found is None else Trip.of(*found)


async def _ops_trip(info: strawberry.Info, id: UUID) -> Node | None:
    if info.context.who.role not in access.DISPATCHERS:
        return None
    found = await trips.find_trip(info.context, id)
    return None if found is None else OpsTrip.of(found[0])


async def _conversation(info: strawberry.Info, id: UUID) -> Node | None:
    row = await chat.find_conversation(info.context, id)
    return None if row is None else conversation_of(info, row)


async def _customer(info: strawberry.Info, id: UUID) -> Node | None:
    return Customer.of(await accounts.get_customer(info.context)) if info.context.who.account_id == id else None


async def _staff(info: strawberry.Info, id: UUID) -> Node | None:
    return StaffMember.of(await accounts.get_staff_member(info.context)) if info.context.who.account_id == id else None


async def _session(info: strawberry.Info, id: UUID) -> Node | None:
    row = await accounts.find_session(info.context, id)
    return None if row is None else SignInSession.of(row, info.context.who)


async def _export(info: strawberry.Info, id: UUID) -> Node | None:
    return _of(await privacy.find_export(info.context, id), DataExport.of)


async def _identity(info: strawberry.Info, id: UUID) -> Node | None:
    return _of(await identities.find_identity(info.context, id), LinkedIdentity.of)


async def _station(info: strawberry.Info, id: UUID) -> Node | None:
    return _of(await fleet_resolvers.find_station(info.context, id), Station.of)


async def _zone(info: strawberry.Info, id: UUID) -> Node | None:
    return _of(await zones.find_zone(info.context, id), Zone.of)


async def _message(info: strawberry.Info, id: UUID) -> Node | None:
    return _of(await chat.find_message(info.context, id), Message.of)


async def _proposal(info: strawberry.Info, id: UUID) -> Node | None:
    return _of(await chat.find_proposal(info.context, id), Proposal.of)


async def _notification(info: strawberry.Info, id: UUID) -> Node | None:
    return _of(await notifications.find_notification(info.context, id), Notification.of)


async def _photo(info: strawberry.Info, id: UUID) -> Node | None:
    return _of(await photos.find_photo(info.context, id), Photo.of)


async def _payment_method(info: strawberry.Info, id: UUID) -> Node | None:
    return _of(await payments.find_payment_method(info.context, id), PaymentMethod.of)


async def _delivery(info: strawberry.Info, id: UUID) -> Node | None:
    if info.context.who.role not in access.DISPATCHERS:
        return None
    row = await deliveries.find_delivery(info.context, id)
    return None if row is None else delivery_of(info, row)


async def _receipt(info: strawberry.Info, id: UUID) -> Node | None:
    return _of(await receipts.find_receipt(info.context, id), Receipt.of)


async def _ops_receipt(info: strawberry.Info, id: UUID) -> Node | None:
    if info.context.who.role not in access.DISPATCHERS:
        return None
    return _of(await receipts.find_receipt(info.context, id), OpsReceipt.of)


async def _ops_incident(info: strawberry.Info, id: UUID) -> Node | None:
    if info.context.who.role not in access.DISPATCHERS:
        return None
    return _of(await incidents.find_incident(info.context, id), OpsIncident.of)


async def _support_ticket(info: strawberry.Info, id: UUID) -> Node | None:
    return _of(await support_tickets.find_support_ticket(info.context, id), SupportTicket.of)


async def _ops_support_ticket(info: strawberry.Info, id: UUID) -> Node | None:
    return _of(await support_tickets.find_support_ticket(info.context, id), OpsSupportTicket.of)


async def _fine(info: strawberry.Info, id: UUID) -> Node | None:
    return _of(await fines.find_fine(info.context, id), Fine.of)


async def _ops_fine(info: strawberry.Info, id: UUID) -> Node | None:
    if info.context.who.role not in access.DISPATCHERS:
        return None
    return _of(await fines.find_fine(info.context, id), OpsFine.of)


SHARED: dict[str, Finder] = {
    ids.METRO: _metro,
    ids.PLACE: _place,
    ids.STATION: _station,
    ids.ZONE: _zone,
    ids.VEHICLE: _vehicle,
}
BY_AUDIENCE: dict[Audience, dict[str, Finder]] = {
    Audience.CUSTOMER: {
        ids.RESERVATION: _reservation,
        ids.TRIP: _trip,
        ids.CONVERSATION: _conversation,
        ids.MESSAGE: _message,
        ids.SAVED_PLACE: find_saved_place,
        ids.COMMUTE: find_commute,
        ids.PROPOSAL: _proposal,
        ids.CUSTOMER: _customer,
        ids.IDENTITY: _identity,
        ids.SESSION: _session,
        ids.EXPORT: _export,
        ids.NOTIFICATION: _notification,
        ids.PAYMENT_METHOD: _payment_method,
        ids.PHOTO: _photo,
        ids.SUPPORT_TICKET: _support_ticket,
        ids.RECEIPT: _receipt,
        ids.FINE: _fine,
    },
    Audience.OPS: {
        ids.FLEET_VEHICLE: _fleet_vehicle,
        ids.OPS_RESERVATION: _ops_reservation,
        ids.OPS_TRIP: _ops_trip,
        ids.STAFF: _staff,
        ids.DELIVERY: _delivery,
        ids.OPS_INCIDENT: _ops_incident,
        ids.OPS_SUPPORT_TICKET: _ops_support_ticket,
        ids.OPS_RECEIPT: _ops_receipt,
        ids.OPS_FINE: _ops_fine,
        ids.SESSION: _session,
    },
}
