"""Namespaces: the root types, put together for each audience that a process serves."""

from __future__ import annotations

from typing import Annotated

import strawberry

from domain import errors, ids
from domain.actor import Audience
from schema import access, fields, finders
from schema.customer.accounts import AccountMutations, AccountQueries
from schema.customer.chat import ChatMutations, ChatQueries, ChatSubscriptions
from schema.customer.commutes import CommuteMutations
from schema.customer.emergencies import EmergencyMutations
from schema.customer.fines import FineMutations, FineQueries
from schema.customer.identities import IdentityMutations, IdentityQueries
from schema.customer.metros import MetroQueries
from schema.customer.nearby import NearbySubscriptions
from schema.customer.notifications import NotificationMutations, NotificationSubscriptions
from schema.customer.password_resets import RiderPasswordMutations
from schema.customer.payments import PaymentMutations
from schema.customer.photos import PhotoMutations, PhotoQueries
from schema.customer.privacy import PrivacyMutations, PrivacyQueries
from schema.customer.profiles import ProfileMutations
from schema.customer.receipts import ReceiptQueries
from schema.customer.registrations import RegistrationMutations
from schema.customer.reservations import ReservationMutations, ReservationQueries, ReservationSubscriptions
from schema.customer.returns import ReturnMutations
from schema.customer.second_factors import RiderSecondFactorMutations
from schema.customer.stations import StationQueries
from schema.customer.support import SupportMutations, SupportQueries
from schema.customer.tracks import TrackMutations
from schema.customer.trips import TripMutations, TripQueries, TripSubscriptions
from schema.customer.zones import ZoneQueries
from schema.nodes import Node
from schema.ops.accounts import StaffMutations, StaffQueries
from schema.ops.deliveries import DeliveryQueries
from schema.ops.fines import OpsFineMutations, OpsFineQueries
from schema.ops.fleet import DispatchSubscriptions, FleetMutations, FleetQueries
from schema.ops.identities import OpsIdentityMutations
from schema.ops.incidents import IncidentMutations, IncidentQueries
from schema.ops.licences import LicenceMutations, LicenceQueries
from schema.ops.password_resets import StaffPasswordMutations
from schema.ops.payments import OpsPaymentMutations, OpsPaymentQueries
from schema.ops.receipts import OpsReceiptQueries
from schema.ops.reservations import OpsReservationMutations, OpsReservationQueries
from schema.ops.second_factors import StaffSecondFactorMutations
from schema.ops.support import OpsSupportMutations, OpsSupportQueries
from schema.ops.trips import OpsTripMutations, OpsTripQueries
from schema.types.metros import Place
from schema.types.vehicles import Vehicle
from schema.types.zones import Zone

CUSTOMER = "What riders ask and do."
OPS = "What staff ask and do."


@strawberry.type(description=CUSTOMER)
class CustomerQuery(
    AccountQueries,
    IdentityQueries,
    MetroQueries,
    StationQueries,
    ZoneQueries,
    ReservationQueries,
    TripQueries,
    ReceiptQueries,
    ChatQueries,
    PhotoQueries,
    PrivacyQueries,
    SupportQueries,
    FineQueries,
):
    pass


@strawberry.type(description=CUSTOMER + " Fields run one after another, in the order they are written.")
class CustomerMutation(
    RegistrationMutations,
    AccountMutations,
    RiderPasswordMutations,
    RiderSecondFactorMutations,
    IdentityMutations,
    ProfileMutations,
    CommuteMutations,
    ReservationMutations,
    TripMutations,
    TrackMutations,
    ReturnMutations,
    EmergencyMutations,
    ChatMutations,
    PhotoMutations,
    PrivacyMutations,
    NotificationMutations,
    SupportMutations,
    FineMutations,
    PaymentMutations,
):
    __serial_namespace__ = True


@strawberry.type(description=CUSTOMER)
class CustomerSubscription(
    ChatSubscriptions, NearbySubscriptions, ReservationSubscriptions, TripSubscriptions, NotificationSubscriptions
):
    pass


@strawberry.type(description=OPS)
class OpsQuery(
    StaffQueries,
    LicenceQueries,
    FleetQueries,
    OpsReservationQueries,
    OpsTripQueries,
    OpsReceiptQueries,
    DeliveryQueries,
    IncidentQueries,
    OpsSupportQueries,
    OpsFineQueries,
    OpsPaymentQueries,
):
    pass


@strawberry.type(description=OPS + " Fields run one after another, in the order they are written.")
class OpsMutation(
    StaffMutations,
    StaffPasswordMutations,
    StaffSecondFactorMutations,
    OpsIdentityMutations,
    LicenceMutations,
    FleetMutations,
    OpsReservationMutations,
    OpsTripMutations,
    IncidentMutations,
    OpsSupportMutations,
    OpsFineMutations,
    OpsPaymentMutations,
):
    __serial_namespace__ = True


_ROOTS: dict[Audience, str] = {Audience.CUSTOMER: "CustomerQuery", Audience.OPS: "OpsQuery"}


def _finder(info: strawberry.Info, prefix: str) -> finders.Finder | None:
    """What finds the nodes of a prefix for the actor; None for another audience, also one that this process does not serve."""
    who = info.context.actor
    if prefix in finders.SHARED or who is None or info.schema.get_type_by_name(_ROOTS[who.audience]) is None:
        return finders.SHARED.get(prefix)
    return finders.BY_AUDIENCE[who.audience].get(prefix)


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
NODES: dict[Audience, list[type[Node]]] = {Audience.CUSTOMER: [Place], Audience.OPS: [Place, Vehicle, Zone]}
