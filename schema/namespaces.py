"""Namespaces: the root types, put together for each audience that a process serves."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Annotated, Any
from uuid import UUID

import strawberry

from domain import errors, fleet, ids
from domain.actor import Audience
from resolvers import accounts, chat, metros, reservations
from resolvers import fleet as fleet_resolvers
from schema import access, fields
from schema.customer.accounts import AccountMutations, AccountQueries
from schema.customer.chat import ChatMutations, ChatQueries, ChatSubscriptions, conversation_of
from schema.customer.metros import MetroQueries
from schema.customer.reservations import ReservationMutations, ReservationQueries, ReservationSubscriptions
from schema.customer.stations import StationQueries
from schema.nodes import Node
from schema.ops.accounts import StaffMutations, StaffQueries
from schema.ops.fleet import DispatchSubscriptions, FleetMutations, FleetQueries
from schema.ops.reservations import OpsReservationMutations, OpsReservationQueries
from schema.types.accounts import Customer, SignInSession, StaffMember
from schema.types.chat import Message
from schema.types.metros import Metro, Place
from schema.types.proposals import Proposal
from schema.types.reservations import OpsReservation, Reservation
from schema.types.stations import Station
from schema.types.vehicles import FleetVehicle, Vehicle

CUSTOMER = "What riders ask and do."
OPS = "What staff ask and do."


@strawberry.type(description=CUSTOMER)
class CustomerQuery(AccountQueries, MetroQueries, StationQueries, ReservationQueries, ChatQueries):
    pass


@strawberry.type(description=CUSTOMER + " Fields run one after another, in the order they are written.")
class CustomerMutation(AccountMutations, ReservationMutations, ChatMutations):
    __serial_namespace__ = True


@strawberry.type(description=CUSTOMER)
class CustomerSubscription(ChatSubscriptions, ReservationSubscriptions):
    pass


@strawberry.type(description=OPS)
class OpsQuery(StaffQueries, FleetQueries, OpsReservationQueries):
    pass


@strawberry.type(description=OPS + " Fields run one after another, in the order they are written.")
class OpsMutation(StaffMutations, FleetMutations, OpsReservationMutations):
    __serial_namespace__ = True


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


async def _station(info: strawberry.Info, id: UUID) -> Node | None:
    return _of(await fleet_resolvers.find_station(info.context, id), Station.of)


async def _message(info: strawberry.Info, id: UUID) -> Node | None:
    return _of(await chat.find_message(info.context, id), Message.of)


async def _proposal(info: strawberry.Info, id: UUID) -> Node | None:
    return _of(await chat.find_proposal(info.context, id), Proposal.of)


_SHARED: dict[str, Finder] = {
    ids.METRO: _metro,
    ids.PLACE: _place,
    ids.STATION: _station,
    ids.VEHICLE: _vehicle,
}
_FINDERS: dict[Audience, dict[str, Finder]] = {
    Audience.CUSTOMER: {
        ids.RESERVATION: _reservation,
        ids.CONVERSATION: _conversation,
        ids.MESSAGE: _message,
        ids.PROPOSAL: _proposal,
        ids.CUSTOMER: _customer,
        ids.SESSION: _session,
    },
    Audience.OPS: {
        ids.FLEET_VEHICLE: _fleet_vehicle,
        ids.OPS_RESERVATION: _ops_reservation,
        ids.STAFF: _staff,
        ids.SESSION: _session,
    },
}
_ROOTS: dict[Audience, str] = {Audience.CUSTOMER: "CustomerQuery", Audience.OPS: "OpsQuery"}


def _finder(info: strawberry.Info, prefix: str) -> Finder | None:
    """What finds the nodes of a prefix for the actor; None for another audience, also one that this process does not serve."""
    who = info.context.actor
    if prefix in _SHARED or who is None or info.schema.get_type_by_name(_ROOTS[who.audience]) is None:
        return _SHARED.get(prefix)
    return _FINDERS[who.audience].get(prefix)


@strawberry.type
class NodeQuery:
    @access.query(access.PUBLIC, "Anything by its global id; null when it does not exist or is not for you.")
    async def node(
        self, info: strawberry.Info, id: Annotated[strawberry.ID, strawberry.argument(description="A global id.")]
    ) -> Node | None:
        value = ids.decode(id, ids.prefix_of(id))
        finder = _finder(info, ids.prefix_of(id))
        try:
            return None if finder is None else await finder(info, value)
        except errors.NotFound:
            return None


@strawberry.type
class CustomerRoot:
    @fields.resolved(CUSTOMER)
    def customer(self) -> CustomerQuery:
        return CustomerQuery()


@strawberry.type
class OpsRoot:
    @fields.resolved(OPS)
    def ops(self) -> OpsQuery:
        return OpsQuery()


@strawberry.type
class CustomerMutationRoot:
    @fields.resolved(CUSTOMER)
    def customer(self) -> CustomerMutation:
        return CustomerMutation()


@strawberry.type
class OpsMutationRoot:
    @fields.resolved(OPS)
    def ops(self) -> OpsMutation:
        return OpsMutation()


QUERIES: dict[Audience, type] = {Audience.CUSTOMER: CustomerRoot, Audience.OPS: OpsRoot}
MUTATIONS: dict[Audience, type] = {Audience.CUSTOMER: CustomerMutationRoot, Audience.OPS: OpsMutationRoot}
SUBSCRIPTIONS: dict[Audience, type] = {Audience.CUSTOMER: CustomerSubscription, Audience.OPS: DispatchSubscriptions}
#: node types that no field of a namespace returns by itself
NODES: dict[Audience, list[type[Node]]] = {Audience.CUSTOMER: [Place], Audience.OPS: [Place, Vehicle]}
