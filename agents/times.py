"""Times and durations in a rider's words, read on the metro's clock."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from enum import StrEnum
from zoneinfo import ZoneInfo

NUMBER_WORDS = {
    "a": 1, "an": 1, "one": 1, "two": 2, "three": 3, "four": 4, "five": 5, "six": 6, "seven": 7, "eight": 8,
    "nine": 9, "ten": 10, "eleven": 11, "twelve": 12, "fifteen": 15, "twenty": 20, "thirty": 30, "forty": 40,
    "forty-five": 45, "forty five": 45, "fifty": 50, "sixty": 60, "ninety": 90,
}  # fmt: skip
WEEKDAYS = ("monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday")
MONTHS = (
    "january", "february", "march", "april", "may", "june",
    "july", "august", "september", "october", "november", "december",
)  # fmt: skip
_UNITS = {"m": 60, "h": 3600, "d": 86400, "w": 604800}

_DIGITS = r"\d+(?:[.,]\d+)?"
_WORD = "(?:" + "|".join(sorted(NUMBER_WORDS, key=len, reverse=True)) + ")"
_NUMBER = rf"(?:{_DIGITS}|{_WORD})"
_UNIT = r"(?:minutes?|mins?|hours?|hrs?|days?|weeks?)"
_LENGTH = (
    r"(?:half\s+an\s+hour|half\s+hour|(?:a\s+)?quarter\s+of\s+an\s+hour|three\s+quarters\s+of\s+an\s+hour"
    rf"|an?\s+hour\s+and\s+a\s+half|{_NUMBER}\s+and\s+a\s+half\s+hours?"
    rf"|(?:{_DIGITS}\s*(?:{_UNIT}|m|h)|{_WORD}\s+{_UNIT})(?:\s*(?:and\s+)?(?:{_DIGITS}\s*(?:minutes?|mins?|m)|{_WORD}\s+(?:minutes?|mins?)))?)"
)
_CLOCK = (
    r"(?:noon|midday|midnight|(?:half\s+past|quarter\s+past|quarter\s+to)\s+[a-z\d]+"
    r"|\d{1,2}[:.]\d{2}\s*(?:[ap]\.?m\b\.?)?|\d{1,2}\s*(?:[ap]\.?m\b\.?|o'?\s?clock))"
)
#: a bare hour is a time only behind a word that announces one
_HOUR = rf"(?:{_CLOCK}|\d{{1,2}}(?![\d:.]|\s*(?:st|nd|rd|th)\b))"
_MONTH = "(?:" + "|".join(f"{month[:3]}(?:{month[3:]})?" if month != "may" else "may" for month in MONTHS) + ")"
_DAY = (
    r"(?:the\s+day\s+after\s+tomorrow|day\s+after\s+tomorrow|today|tonight|this\s+(?:morning|afternoon|evening)|tomorrow"
    r"|(?:on\s+|next\s+|this\s+|coming\s+)*(?:" + "|".join(WEEKDAYS) + r")|(?:on\s+)?\d{4}-\d{2}-\d{2}"
    rf"|(?:on\s+)?(?:the\s+)?\d{{1,2}}(?:st|nd|rd|th)?\s+(?:of\s+)?{_MONTH}|(?:on\s+)?{_MONTH}\s+\d{{1,2}}(?:st|nd|rd|th)?)"
)
_PART = r"(?:\s+(?:in\s+the\s+)?(?:morning|afternoon|evening|at\s+night))?"

_BEHIND_SPAN = r"(?=\s*(?:$|[,.!?]|on\b|today|tomorrow|for\b|by\b|with\b|near\b|at\b))"

_PATTERNS = [
    (kind, re.compile(rf"(?<![\w-])(?:{pattern})(?![\w-])", re.IGNORECASE))
    for kind, pattern in (
        ("span", rf"(?:from|between)\s+(?P<start>{_HOUR})\s+(?:to|until|till|and)\s+(?P<end>{_HOUR}){_BEHIND_SPAN}"),
        ("ahead", rf"in\s+(?P<length>{_LENGTH})(?:'s?\s+time)?"),
        ("length", rf"(?:for|during)\s+(?:about\s+|around\s+)?(?P<length>{_LENGTH})"),
        ("end", rf"(?:until|till)\s+(?:(?P<day>{_DAY})\s+(?:at\s+)?)?(?P<end>{_HOUR})"),
        ("clock", rf"(?:at|from|by|around|starting(?:\s+at)?)\s+(?P<clock>{_HOUR}{_PART})"),
        ("clock", rf"(?P<clock>{_CLOCK}{_PART})"),
        ("day", rf"(?P<day>{_DAY})(?:\s+(?P<part>morning|afternoon|evening))?"),
        ("now", r"(?:right\s+)?now|immediately|asap|straight\s*away|right\s+away|at\s+once"),
        ("length", rf"(?P<length>{_LENGTH})"),
    )
]  # fmt: skip


class TimeProblem(StrEnum):
    """Why a local time cannot be used as it was said."""

    #: the clocks were put forward over it
    NONEXISTENT = "nonexistent"
    #: the clocks were put back: it happens twice
    AMBIGUOUS = "ambiguous"
    #: a day without a time of day
    DAY_ONLY = "day_only"
    #: such as 25:00 or 31 February
    IMPOSSIBLE = "impossible"


@dataclass(frozen=True, slots=True)
class When:
    """What an utterance says about time. Instants are aware and in UTC."""

    starts_at: datetime | None = None
    ends_at: datetime | None = None
    length: timedelta | None = None
    is_now: bool = False
    problem: TimeProblem | None = None
    #: the words of the problem, to say them back
    words: str = ""
    #: the day that was named, kept while the time of day is asked for
    day: date | None = None


def read_times(text: str, now: datetime, zone: ZoneInfo, *, day: date | None = None) -> tuple[When, str]:
    """The times in the text, and the text without them. `day` is a day named earlier, waiting for its time."""
    found: dict[str, re.Match[str]] = {}
    for kind, pattern in _PATTERNS:
        match = pattern.search(text)
        if match and kind not in found:
            found[kind] = match
            text = f"{text[: match.start()]} , {text[match.end() :]}"
    try:
        return _when(found, now.astimezone(zone), zone, day), text
    except _Unusable as unusable:
        kept = _kept_length(found)
        return When(length=kept, problem=unusable.problem, words=unusable.words, day=unusable.day), text


def _kept_length(found: dict[str, re.Match[str]]) -> timedelta | None:
    """What was said about the duration stands, whatever is wrong with the time."""
    try:
        return _length(found["length"]["length"]) if "length" in found else None
    except _Unusable:
        return None


class _Unusable(Exception):
    def __init__(self, problem: TimeProblem, words: str, day: date | None = None) -> None:
        self.problem, self.words, self.day = problem, words, day


def _when(found: dict[str, re.Match[str]], local: datetime, zone: ZoneInfo, pending_day: date | None) -> When:
    length = _length(found["length"]["length"]) if "length" in found else None
    day = _day(found["day"]["day"], local.date()) if "day" in found else pending_day
    starts_at = ends_at = None
    if "ahead" in found:
        starts_at = (local.astimezone(UTC) + _length(found["ahead"]["length"])).replace(second=0, microsecond=0)
    elif "span" in found or "clock" in found:
        words = found["span"]["start"] if "span" in found else found["clock"]["clock"]
        part = (found["day"]["part"] or found["day"]["day"].split()[-1] if "day" in found else "").casefold()
        starts_at = _instant(day, _clock(words, part), local, zone, words)
    elif "day" in found:
        raise _Unusable(TimeProblem.DAY_ONLY, found["day"]["day"], day)
    if end := found.get("span") or found.get("end"):
        end_day = _day(end["day"], local.date()) if end.groupdict().get("day") else None
        ends_at = _end(end_day, _clock(end["end"], ""), starts_at or local, zone, end["end"])
    return When(starts_at, ends_at, length, is_now="now" in found)


def _number(words: str) -> float:
    words = " ".join(words.casefold().split())
    return float(NUMBER_WORDS[words]) if words in NUMBER_WORDS else float(words.replace(",", "."))


def _length(words: str) -> timedelta:
    words = " ".join(words.casefold().split())
    fixed = {
        "half an hour": 30,
        "half hour": 30,
        "three quarters of an hour": 45,
        "an hour and a half": 90,
        "a hour and a half": 90,
    }
    if words in fixed:
        return timedelta(minutes=fixed[words])
    if words.endswith("quarter of an hour"):
        return timedelta(minutes=15)
    if half := re.match(rf"({_NUMBER}) and a half", words):
        return _seconds((_number(half[1]) + 0.5) * 3600)
    match = re.match(rf"({_NUMBER})\s*([mhdw])[a-z]*(?:\s*(?:and\s+)?({_NUMBER})\s*m)?", words)
    if match is None:
        raise _Unusable(TimeProblem.IMPOSSIBLE, words)
    return _seconds(_number(match[1]) * _UNITS[match[2]] + (_number(match[3]) * 60 if match[3] else 0))


def _seconds(seconds: float) -> timedelta:
    """Whole minutes; a year at most, so that no sum of times can overflow."""
    if not 0 < seconds <= 366 * 86400:
        raise _Unusable(TimeProblem.IMPOSSIBLE, f"{seconds:.0f} seconds")
    return timedelta(minutes=round(seconds / 60))


def _clock(words: str, part: str) -> time:
    words = " ".join(words.casefold().replace(".m", "m").split())
    if words.startswith(("noon", "midday")):
        return time(12)
    if words.startswith("midnight"):
        return time(0)
    match = re.match(r"(half past|quarter past|quarter to)?\s*(\w+?)(?:[:.](\d{2}))?\s*([ap]m|o'? ?clock|h)?\b(.*)", words)
    if match is None or not (match[2].isdigit() or match[2] in NUMBER_WORDS):
        raise _Unusable(TimeProblem.IMPOSSIBLE, words)
    minutes = int(_number(match[2])) * 60 + int(match[3] or 0)
    minutes += {"half past": 30, "quarter past": 15, "quarter to": -15}.get(match[1] or "", 0)
    half = match[4] if match[4] in ("am", "pm") else None
    if half is None and any(word in f"{part} {match[5]}" for word in ("afternoon", "evening", "tonight", "night")):
        half = "pm" if minutes < 12 * 60 else None
    if half and not 60 <= minutes < 13 * 60:
        raise _Unusable(TimeProblem.IMPOSSIBLE, words)
    if half:
        minutes = minutes % (12 * 60) + (12 * 60 if half == "pm" else 0)
    if not 0 <= minutes < 24 * 60 or int(match[3] or 0) > 59:
        raise _Unusable(TimeProblem.IMPOSSIBLE, words)
    return time(*divmod(minutes, 60))


def _day(words: str, today: date) -> date:
    words = " ".join(words.casefold().split())
    if "after tomorrow" in words:
        return today + timedelta(days=2)
    if words == "tomorrow":
        return today + timedelta(days=1)
    for number, name in enumerate(WEEKDAYS):
        if words.endswith(name):
            return today + timedelta(days=(number - today.weekday() - 1) % 7 + 1)
    if iso := re.search(r"\d{4}-\d{2}-\d{2}", words):
        try:
            return date.fromisoformat(iso[0])
        except ValueError:
            raise _Unusable(TimeProblem.IMPOSSIBLE, words) from None
    if month := re.search(_MONTH, words):
        return _date_of_month(words, MONTHS.index(next(m for m in MONTHS if m.startswith(month[0][:3]))) + 1, today)
    return today


def _date_of_month(words: str, month: int, today: date) -> date:
    number = int(re.findall(r"\d+", words)[0])
    try:
        named = date(today.year, month, number)
        return named if named >= today else named.replace(year=today.year + 1)
    except ValueError:
        raise _Unusable(TimeProblem.IMPOSSIBLE, words) from None


def _instant(day: date | None, clock: time, local: datetime, zone: ZoneInfo, words: str) -> datetime:
    """A named day is taken at its word; without one it is the next time the clock shows that."""
    if day is not None:
        return _on_the_clock(datetime.combine(day, clock), zone, words)
    today = datetime.combine(local.date(), clock)
    if today < local.replace(tzinfo=None, second=0, microsecond=0):
        today += timedelta(days=1)
    return _on_the_clock(today, zone, words)


def _end(day: date | None, clock: time, start: datetime, zone: ZoneInfo, words: str) -> datetime:
    """Until a time of day: on the day named, else the first such time after the start."""
    local = start.astimezone(zone).replace(tzinfo=None)
    end = datetime.combine(day or local.date(), clock)
    if day is None and end <= local:
        end += timedelta(days=1)
    return _on_the_clock(end, zone, words)


def _on_the_clock(wall: datetime, zone: ZoneInfo, words: str) -> datetime:
    early, late = wall.replace(tzinfo=zone, fold=0), wall.replace(tzinfo=zone, fold=1)
    if early.utcoffset() != late.utcoffset():
        passes = early.astimezone(UTC).astimezone(zone).replace(tzinfo=None) == wall
        problem = TimeProblem.AMBIGUOUS if passes else TimeProblem.NONEXISTENT
        raise _Unusable(problem, words.strip(), wall.date())
    return early.astimezone(UTC)
