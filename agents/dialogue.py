"""The offline model's side of a conversation, as a pure function of what was said and what tools answered."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from agents import grammar, journeys, memory, wording
from agents.grammar import Intent
from agents.journeys import Ask, Reply
from agents.memory import Memory, Question
from agents.transcript import Missing, Refused, Turn

_SMALL_TALK = {
    Intent.GREETING: wording.GREETING,
    Intent.THANKS: wording.THANKS,
    Intent.HELP: wording.HELP,
}
_AGAIN = {
    Question.VEHICLE: wording.ASK_VEHICLE,
    Question.ORIGIN: wording.ASK_ORIGIN,
    Question.DESTINATION: wording.ASK_DESTINATION,
    Question.WHICH_ORIGIN: wording.ANSWER_WITH_NUMBER,
    Question.WHICH_DESTINATION: wording.ANSWER_WITH_NUMBER,
    Question.WHICH_RESERVATION: wording.ANSWER_WITH_NUMBER,
    Question.TIME: wording.ASK_TIME,
    Question.LENGTH: wording.ASK_LENGTH_AGAIN,
}


def converse(turns: Sequence[Turn]) -> str:
    """The reply to the last turn. Raises Missing with the tool calls that it needs first.

    Earlier turns are replayed to know what has been asked: their tool results are in the transcript.
    """
    remembered = Memory()
    for turn in turns[:-1]:
        remembered = _replay(remembered, turn)
    return answer(remembered, turns[-1]).text


def _replay(remembered: Memory, turn: Turn) -> Memory:
    try:
        return answer(remembered, turn).memory
    except Missing:
        # Another model answered that turn with other calls: keep the details, forget the question.
        return memory.hear(remembered, _parse(remembered, turn)).settled


def answer(remembered: Memory, turn: Turn) -> Reply:
    if "decision" in turn.context:
        return Reply(wording.report(turn.context["decision"], turn.zone), Memory())
    said = _parse(remembered, turn)
    try:
        return _respond(remembered, turn, said)
    except Ask as ask:
        return ask.reply
    except Refused as refused:
        heard = memory.hear(remembered, said)
        return Reply(f"{wording.shown(refused.reason, 300)} {wording.WAY_OUT}", heard.settled)


def _parse(remembered: Memory, turn: Turn) -> grammar.Utterance:
    return grammar.parse(turn.text, turn.now, turn.zone, day=remembered.day)


def _respond(remembered: Memory, turn: Turn, said: grammar.Utterance) -> Reply:
    if said.intent in _SMALL_TALK:
        return Reply(_SMALL_TALK[said.intent], remembered)
    if said.intent is Intent.FORGET:
        return Reply(wording.FORGOTTEN, Memory())
    if said.intent is Intent.NO or (said.intent is Intent.YES and remembered.question is not Question.OFFER):
        return _show_again(remembered, turn, said.intent)
    if said.when.problem:
        heard = replace(memory.hear(remembered, said), day=said.when.day)
        return Reply(wording.time_problem(said.when), heard.asks(Question.TIME))
    heard = memory.hear(remembered, said)
    if heard is remembered or heard.task is None:
        return _not_understood(remembered)
    return journeys.TASKS[heard.task](turn, heard)


def _show_again(remembered: Memory, turn: Turn, intent: Intent) -> Reply:
    """A typed yes or no decides nothing: the proposal is shown again."""
    pending = turn.call("show_proposal")["proposal"]
    if pending is not None:
        return Reply(wording.NOT_BY_TEXT + wording.proposal(pending), remembered.settled)
    if intent is Intent.NO:
        return Reply(wording.FORGOTTEN, Memory())
    return Reply(wording.NOTHING_PENDING, remembered)


def _not_understood(remembered: Memory) -> Reply:
    if remembered.question in _AGAIN:
        return Reply(wording.STILL_LOST + _AGAIN[remembered.question], remembered)
    return Reply(wording.UNKNOWN, remembered)
