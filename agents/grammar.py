"""What a rider's sentence says: one intent, a vehicle, places and times. Pure; no list of places is needed."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from datetime import date, datetime
from enum import StrEnum
from functools import lru_cache
from zoneinfo import ZoneInfo

from agents import times
from domain.values import VehicleType


class Intent(StrEnum):
    RESERVE = "reserve"
    FIND = "find"
    PLAN = "plan"
    PRICE = "price"
    CANCEL = "cancel"
    RESERVATIONS = "reservations"
    YES = "yes"
    NO = "no"
    FORGET = "forget"
    HELP = "help"
    THANKS = "thanks"
    GREETING = "greeting"
    UNKNOWN = "unknown"


#: what is read of a message: patterns take time that grows with its square
MAX_CHARACTERS = 500
#: a place named by the rider's own position
HERE = "here"

VEHICLE_WORDS = {
    VehicleType.SCOOTER_STANDING: r"(?:e[- ]?|electric\s+|kick[- ]?)*scooters?",
    VehicleType.BICYCLE: r"(?:e[- ]?|electric\s+|push[- ]?)?(?:bikes?|bicycles?|cycles?)|pedelecs?",
    VehicleType.CAR: r"(?:e[- ]?|electric\s+)?(?:cars?|autos?|automobiles?)",
    VehicleType.VAN: r"(?:e[- ]?|electric\s+|mini)?vans?|transporters?",
}
_ANY_VEHICLE = "|".join(f"(?P<{kind}>{words})" for kind, words in VEHICLE_WORDS.items())
_DETERMINER = r"(?:an?|the|my|your|our|any|some|one|which|this|that|nearest|closest|next|free|available|another)"
#: in front of the places any vehicle word counts; behind them only one that is said as a means
_VEHICLE = re.compile(rf"(?<![\w-])(?:{_DETERMINER}\s+)*(?:{_ANY_VEHICLE})(?![\w-])", re.IGNORECASE)
_MEANS = re.compile(
    rf"(?<![\w-])(?:(?:by|with|on|using|via|in|take|taking)\s+(?:{_DETERMINER}\s+)*|an?\s+|{_DETERMINER}\s+(?=\S+\s*$))"
    rf"(?:{_ANY_VEHICLE})(?![\w-])",
    re.IGNORECASE,
)
_ON_FOOT = re.compile(r"\b(?:on\s+foot|by\s+foot|walk(?:ing)?)\b", re.IGNORECASE)

_INTENTS: list[tuple[Intent, re.Pattern[str]]] = [
    (intent, re.compile(pattern, re.IGNORECASE))
    for intent, pattern in (
        (Intent.FORGET, r"\b(?:never\s*mind|forget\s+(?:it|that|about\s+it)|start\s+over|start\s+again|something\s+else)\b"),
        (Intent.CANCEL, r"\b(?:cancel(?:lation)?|call\s+off|drop\s+my|delete\s+my|give\s+up\s+my|release)\b"),
        (
            Intent.RESERVATIONS,
            r"\b(?:(?:list|show|see|view|what(?:'s|\s+is|\s+are)?|which|check|do\s+i\s+have|have\s+i(?:\s+got)?)\b[^.?!]*"
            r"\b(?:reservations?|bookings?|reserved|booked)|my\s+(?:reservations?|bookings?)|what\s+(?:have|did)\s+i\s+(?:book|reserve))\b",
        ),
        (Intent.PRICE, r"\b(?:how\s+much|price[sd]?|pricing|costs?|tariffs?|fares?|rates?|expensive|cheap(?:er|est)?|quote)\b"),
        (
            Intent.PLAN,
            r"\b(?:how\s+long|how\s+far(?:\s+away)?(?:\s+is)?|how\s+many\s+minutes|distance|duration|route|directions?|plan|how\s+(?:do|can|would|could|should)\s+(?:i|we)\s*(?=get|go|reach|,|$)"
            r"|(?:get|take|bring)\s+me(?!\s+an?\b)|the\s+way)(?!\w)",
        ),
        (
            Intent.RESERVE,
            r"\b(?:book(?!ing)|reserv(?:e|ing)|rent(?:ing)?|hire|hold|(?:i|we)(?:'d|\s+would)?\s+(?:need|want|like|love|take)|get\s+(?:me\s+)?an?"
            r"|give\s+me|can\s+(?:i|we)\s+(?:have|get)|(?:make|arrange)\s+(?:me\s+)?(?:a\s+)?(?:booking|reservation)|(?:i'll|let\s+me)\s+(?:take|have))\b",
        ),
        (
            Intent.FIND,
            r"\b(?:find|search|look(?:ing)?\s+for|where(?:'s|\s+is|\s+are|\s+can)?|any|is\s+there|are\s+there|show|list|nearest|closest|available|free|do\s+you\s+have|have\s+you\s+got)\b",
        ),
        (Intent.HELP, r"\bhelp\b|\bwhat\s+(?:can|do)\s+you\b|\bhow\s+does\s+(?:this|it)\s+work\b|\bwho\s+are\s+you\b"),
    )
]
_WHOLE: list[tuple[Intent, re.Pattern[str]]] = [
    (intent, re.compile(rf"\W*(?:{pattern})(?:\W+(?:please|thanks|thank\s+you|then|it|that|this))*\W*", re.IGNORECASE))
    for intent, pattern in (
        (
            Intent.YES,
            r"(?:(?:yes|yeah|yep|yup|sure|ok|okay|fine|alright|go\s+ahead|do|confirm(?:ed)?|approve|agreed|correct|right|absolutely"
            r"|of\s+course|sounds\s+good|perfect|great|deal|please|y|i\s+(?:confirm|agree|approve))\W*)+",
        ),
        (Intent.NO, r"(?:(?:no|nope|nah|not\s+now|don'?t|do\s+not|decline|reject|stop|n|no\s+way|i\s+decline)\W*)+"),
        (Intent.THANKS, r"(?:many\s+)?(?:thanks|thank\s+you|thx|cheers)(?:\s+(?:a\s+lot|so\s+much|very\s+much|bye))?"),
        (Intent.GREETING, r"(?:hi|hello|hey|good\s+(?:morning|afternoon|evening|day)|moin|hallo|bonjour)(?:\s+there)?"),
    )
]

_HERE = re.compile(
    r"(?<!\w)(?:(?:(?:near|around|close\s+to|next\s+to|by|from|at)\s+)?(?:here|me|us|my\s+(?:current\s+)?(?:position|location|place)|where\s+i\s+am)"
    r"|nearby|close\s+by|around)(?=\W|$)",
    re.IGNORECASE,
)
_STOP = (
    r"(?=\s*(?:[,;.!?]|$)|\s+(?:from|to|near|towards?|and\s+(?:i|then|want|back|go|how|what|need|would)|please|pls|thanks"
    r"|instead|asap|starting|so|but|because|for|by\s+(?:an?\s+)?(?:e-?)?(?:bike|bicycle|car|van|scooter|foot)|on\s+foot|where)\b)"
)
_VERBS = (
    r"(?:go|get|book|reserve|rent|hire|travel|ride|drive|find|have|be|know|take|see|pick|use|do|make|plan|cancel|me|you|it"
    r"|cost|move|visit|walk|reach|come|return)\b"
)
_NAME = r"(?P<name>[^,;.!?]*?[^\s,;.!?])"
_ANCHORS = {
    "destination": re.compile(
        rf"(?<!close\s)(?<!next\s)(?<!near\s)\b(?:(?:to|towards?|into)\s+(?!{_VERBS})|(?:reach|visit)\s+|(?:(?:go|get|going|ride|drive|travel)\s+to)\s+){_NAME}{_STOP}",
        re.IGNORECASE,
    ),
    "origin": re.compile(
        rf"\b(?:(?:starting|leaving|departing)\s+(?:from|at)|from|near(?:\s+to)?|close\s+to|next\s+to|around|beside|outside|at|in\s+front\s+of|in(?!\s+(?:an?|total|advance|general|case|which|fact|order)\b))\s+{_NAME}{_STOP}",
        re.IGNORECASE,
    ),
    "between": re.compile(rf"\bbetween\s+(?P<first>[^,;.!?]+?)\s+and\s+{_NAME}{_STOP}", re.IGNORECASE),
}
_NOISE = re.compile(
    r"\b(?:please|pls|thanks|thank\s+you|instead|actually|rather|maybe|hi|hello|hey|well|so|ok|okay|then|now|a|an|the|i'm|i|im|am|we|me|it|its|it's|is|are"
    r"|want|need|would|like|to|go|get|from|near|at|in|on|by|with|for|and|there|can|could|will|you|do|does|take|make|that|this|one|ride|trip"
    r"|my|of|what|about|change|yes|no|using|be|should|start|place|called|let|us|book|find|any|free|available)\b",
    re.IGNORECASE,
)
_ARTICLE = re.compile(r"^(?:the|a|an)\s+(?=\S)", re.IGNORECASE)
_ORDINALS = {
    "first": 1,
    "second": 2,
    "third": 3,
    "fourth": 4,
    "fifth": 5,
    "last": -1,
    "one": 1,
    "two": 2,
    "three": 3,
    "four": 4,
    "five": 5,
}
_CHOICE = re.compile(
    r"\W*(?:(?:the|number|no|nr|option|take|choose|i\s+mean|i'll\s+take)\W+)*(?:(?P<digit>\d{1,2})(?:st|nd|rd|th)?|(?P<word>"
    + "|".join(_ORDINALS)
    + r"))(?:\W+(?:one|please|option|thanks))*\W*",
    re.IGNORECASE,
)
_CORRECTION = re.compile(r"\b(?:instead|actually|rather|make\s+(?:it|that)|change|no,|not)(?!\w)", re.IGNORECASE)
RESERVATION_ID = re.compile(r"\breservation_[0-9a-hjkmnp-tv-z]{26}\b")


@dataclass(frozen=True, slots=True)
class Utterance:
    intent: Intent
    vehicle_type: VehicleType | None = None
    on_foot: bool = False
    origin: str | None = None
    destination: str | None = None
    when: times.When = field(default_factory=times.When)
    #: what is left when all the above is taken out: the answer to "where?" needs no preposition
    rest: str = ""
    #: 1-based number of an option, -1 for the last
    choice: int | None = None
    reservation_id: str | None = None
    #: says that it changes what was said before
    corrects: bool = False

    @property
    def stands_alone(self) -> bool:
        """Names enough to be a wish of its own, not a detail of the one before."""
        means, places = self.vehicle_type or self.on_foot, [self.origin, self.destination]
        return not self.corrects and (all(places) or bool(means and any(places)))

    @property
    def has_details(self) -> bool:
        when = self.when
        timed = bool(when.starts_at or when.ends_at or when.length or when.is_now or when.problem)
        return bool(self.vehicle_type or self.on_foot or self.origin or self.destination or timed)


@lru_cache(maxsize=1024)
def parse(text: str, now: datetime, zone: ZoneInfo, *, day: date | None = None) -> Utterance:
    """Never raises, whatever the text. `day` is a day named earlier whose time of day was asked for."""
    text = " ".join(text.replace("\N{RIGHT SINGLE QUOTATION MARK}", "'").split())[:MAX_CHARACTERS]
    if choice := _choice(text):
        when = times.read_times(f"at {text}" if day else "", now, zone, day=day)[0]
        return Utterance(Intent.UNKNOWN, when=when, choice=choice, rest=text)
    for intent, pattern in _WHOLE:
        if pattern.fullmatch(text):
            return Utterance(intent)
    reservation = RESERVATION_ID.search(text)
    when, words = times.read_times(text, now, zone, day=day)
    head, places = _places(words)
    intent, head = _intent(words, head)
    vehicle_type, head = _vehicle(head, _VEHICLE)
    for role, name in places.items():
        if name != HERE:
            later, places[role] = _vehicle(name, _MEANS)
            vehicle_type = vehicle_type or later
    on_foot = vehicle_type is None and _ON_FOOT.search(head) is not None
    found = {role: named for role, name in places.items() if (named := _name(name))}
    return Utterance(
        intent,
        vehicle_type,
        on_foot,
        found.get("origin"),
        found.get("destination"),
        when,
        _rest(_ON_FOOT.sub(" ", head)),
        reservation_id=reservation[0] if reservation else None,
        corrects=_CORRECTION.search(text) is not None,
    )


def _choice(text: str) -> int | None:
    match = _CHOICE.fullmatch(text)
    if match is None:
        return None
    return int(match["digit"]) if match["digit"] else _ORDINALS[match["word"].casefold()]


def _places(text: str) -> tuple[str, dict[str, str]]:
    """Names behind prepositions, and the text without them."""
    if match := _ANCHORS["between"].search(text):
        return _without(text, match), {"origin": match["first"], "destination": match["name"]}
    places: dict[str, str] = {}
    for role in ("destination", "origin"):
        match = _ANCHORS[role].search(text)
        if match:
            places[role] = HERE if _HERE.fullmatch(match["name"]) else match["name"]
            text = _without(text, match)
    if (
        "origin" not in places
        and (here := _HERE.search(text))
        and here[0].casefold() not in ("me", "us", "around", "by us", "by me")
    ):
        places["origin"] = HERE
        text = _without(text, here)
    return text, places


def _without(text: str, match: re.Match[str]) -> str:
    return f"{text[: match.start()]} , {text[match.end() :]}"


def _vehicle(text: str, pattern: re.Pattern[str]) -> tuple[VehicleType | None, str]:
    match = pattern.search(text)
    if match is None:
        return None, text
    kind = next(kind for kind in VehicleType if match[kind.value])
    return kind, _without(text, match)


def _intent(text: str, head: str) -> tuple[Intent, str]:
    """The first that matches, most specific first, in the words outside place names."""
    for intent, pattern in _INTENTS:
        if match := pattern.search(head) or (pattern.search(text) if intent is Intent.FIND else None):
            return intent, pattern.sub(" ", head) if match.string is head else head
    return Intent.UNKNOWN, head


def _name(words: str) -> str:
    if words == HERE:
        return HERE
    name = _ARTICLE.sub("", words.strip(" ,;:\"'()"))
    return name[:100].strip()


def _rest(head: str) -> str:
    if not re.search(r"\w", _NOISE.sub(" ", head)):
        return ""
    return _name(
        " ".join(
            part
            for part in (re.sub(r"[?!.]+$", "", piece.strip()) for piece in head.split(","))
            if re.search(r"\w", _NOISE.sub(" ", part))
        )
    )
