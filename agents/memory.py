"""What the offline model remembers of a chat: the task, its details, and the question it has asked."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from datetime import date, datetime, timedelta
from enum import StrEnum

from agents.grammar import HERE, Intent, Utterance
from domain.places import fold
from domain.values import VehicleType

TASKS = (Intent.RESERVE, Intent.FIND, Intent.PLAN, Intent.PRICE, Intent.CANCEL, Intent.RESERVATIONS)
#: tasks that lead to a reservation: "book it" goes on from their details
_LEADING = (Intent.FIND, Intent.PLAN, Intent.PRICE)


class Question(StrEnum):
    VEHICLE = "vehicle"
    ORIGIN = "origin"
    DESTINATION = "destination"
    LENGTH = "length"
    TIME = "time"
    WHICH_ORIGIN = "which_origin"
    WHICH_DESTINATION = "which_destination"
    WHICH_RESERVATION = "which_reservation"
    #: shall I prepare a reservation?
    OFFER = "offer"


@dataclass(frozen=True, slots=True)
class Option:
    ref: str
    name: str
    #: the district, by which it can be chosen instead of its number
    hint: str = ""


@dataclass(frozen=True, slots=True)
class Spot:
    """A place as the rider named it; `ref` is its id once there is no doubt which one it is."""

    name: str
    ref: str | None = None

    @classmethod
    def named(cls, name: str) -> Spot:
        return cls("you", HERE) if name == HERE else cls(name)


@dataclass(frozen=True, slots=True)
class Memory:
    task: Intent | None = None
    vehicle_type: VehicleType | None = None
    on_foot: bool = False
    origin: Spot | None = None
    destination: Spot | None = None
    starts_at: datetime | None = None
    ends_at: datetime | None = None
    length: timedelta | None = None
    #: a day whose time of day is asked for
    day: date | None = None
    reservation_id: str | None = None
    question: Question | None = None
    options: tuple[Option, ...] = field(default=())

    def asks(self, question: Question, options: tuple[Option, ...] = ()) -> Memory:
        return replace(self, question=question, options=options)

    @property
    def settled(self) -> Memory:
        """The same details with no question open."""
        return replace(self, question=None, options=(), day=None)


def hear(memory: Memory, said: Utterance) -> Memory:
    """The memory after an utterance: an answer to the open question, more details, or a new task."""
    if said.intent not in TASKS:
        if memory.question and (answered := _answer(memory, said)) is not None:
            return answered
        if said.has_details:
            waits = memory.question not in (None, Question.OFFER)
            if memory.task is None or (said.stands_alone and not waits):
                memory = Memory(_task_of(said))
            return _with_details(memory, said).settled
        return memory
    keeps = memory.task == said.intent and memory.question is not None
    follows = said.intent is Intent.RESERVE and memory.task in _LEADING
    if keeps or follows or (memory.task and not said.has_details and said.intent not in (Intent.CANCEL, Intent.RESERVATIONS)):
        fresh = replace(memory, task=said.intent, reservation_id=None)
    else:
        fresh = Memory(said.intent)
    return _with_details(fresh, said).settled


def _task_of(said: Utterance) -> Intent:
    """What somebody wants who names details and no act."""
    if said.on_foot or (said.origin and said.destination and not said.vehicle_type):
        return Intent.PLAN
    return Intent.RESERVE if said.vehicle_type or said.destination else Intent.FIND


def _with_details(memory: Memory, said: Utterance) -> Memory:
    when = said.when
    if said.vehicle_type:
        memory = replace(memory, vehicle_type=said.vehicle_type, on_foot=False)
    if said.on_foot:
        # Nobody reserves a walk: it is planned.
        memory = replace(memory, task=Intent.PLAN, vehicle_type=None, on_foot=True)
    if said.origin:
        memory = replace(memory, origin=Spot.named(said.origin))
    if said.destination:
        memory = replace(memory, destination=Spot.named(said.destination))
    elif said.intent is Intent.PLAN and said.rest and said.origin:
        memory = replace(memory, destination=Spot.named(said.rest))
    if when.starts_at or when.is_now:
        memory = replace(memory, starts_at=when.starts_at, ends_at=None)
    if when.length:
        memory = replace(memory, length=when.length, ends_at=None)
    if when.ends_at:
        memory = replace(memory, ends_at=when.ends_at, length=None)
    return replace(memory, reservation_id=said.reservation_id or memory.reservation_id)


def _answer(memory: Memory, said: Utterance) -> Memory | None:
    """The memory with the open question answered; None when the words do not answer it."""
    chosen = _choose(memory.options, said)
    match memory.question:
        case Question.WHICH_ORIGIN if chosen:
            return replace(memory, origin=Spot(chosen.name, chosen.ref)).settled
        case Question.WHICH_DESTINATION if chosen:
            return replace(memory, destination=Spot(chosen.name, chosen.ref)).settled
        case Question.WHICH_RESERVATION if chosen:
            return replace(memory, reservation_id=chosen.ref).settled
        case Question.OFFER if said.intent is Intent.YES:
            return replace(memory, task=Intent.RESERVE).settled
        case Question.ORIGIN | Question.WHICH_ORIGIN if name := said.origin or _bare(said):
            return replace(_with_details(memory, said), origin=Spot.named(name)).settled
        case Question.DESTINATION | Question.WHICH_DESTINATION if name := said.destination or said.origin or _bare(said):
            return replace(memory, destination=Spot.named(name)).settled
    return None


def _bare(said: Utterance) -> str | None:
    return said.rest if said.intent is Intent.UNKNOWN and said.choice is None and said.rest else None


def _choose(options: tuple[Option, ...], said: Utterance) -> Option | None:
    """By number, or by words that fit one option best."""
    if said.choice is not None:
        index = said.choice - 1 if said.choice > 0 else len(options) - 1
        return options[index] if 0 <= index < len(options) else None
    words = set(fold(" ".join((said.rest, said.origin or "", said.destination or ""))).split())
    fits = sorted(((len(words & set(fold(option.hint).split())), option.ref) for option in options), reverse=True)
    if not fits or fits[0][0] == 0 or (len(fits) > 1 and fits[0][0] == fits[1][0]):
        return None
    return next(option for option in options if option.ref == fits[0][1])
