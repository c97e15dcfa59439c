"""The rows. Relationships are left out on purpose: reads join what they need, nothing loads by itself."""

from domain.tables.accounts import Customer, RotatedRefreshToken, SignInSession, Staff
from domain.tables.base import Base
from domain.tables.chat import Conversation, Message, Proposal, ProposalState, Turn, TurnKind, TurnState
from domain.tables.demand import UnmetDemand
from domain.tables.fleet import Tariff, Vehicle
from domain.tables.geography import Metro, Place, Station, Zone
from domain.tables.log import Event, IdempotencyKey, LogEpoch, LogHorizon
from domain.tables.reservations import Reservation

__all__ = [
    "Base",
    "Conversation",
    "Customer",
    "Event",
    "IdempotencyKey",
    "LogEpoch",
    "LogHorizon",
    "Message",
    "Metro",
    "Place",
    "Proposal",
    "ProposalState",
    "Reservation",
    "RotatedRefreshToken",
    "SignInSession",
    "Staff",
    "Station",
    "Tariff",
    "Turn",
    "TurnKind",
    "TurnState",
    "UnmetDemand",
    "Vehicle",
    "Zone",
]
