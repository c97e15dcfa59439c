"""Asking: from a sentence to a reservation, with a person or a flag that says yes or no."""

from __future__ import annotations

import asyncio
import sys
from datetime import UTC, datetime
from enum import IntEnum
from zoneinfo import ZoneInfo

from agents import grammar
from app.terminal import documents, screen
from app.terminal.chat import Chat, Turn
from app.terminal.client import ClientError, Data
from app.terminal.console import say_error
from app.terminal.link import Link
from app.terminal.screen import Screen

_ANSWERING = {"find_vehicles", "plan_route", "quote", "list_reservations"}
_SMALL_TALK = {grammar.Intent.HELP, grammar.Intent.GREETING, grammar.Intent.THANKS}
_CHANGES = {grammar.Intent.RESERVE, grammar.Intent.CANCEL}


class Exit(IntEnum):
    DONE = 0
    NOT_DONE = 1
    #: the agent asked something and nobody was there to answer
    ASKED_BACK = 3


class Asking:
    """One conversation until what was asked for is done, or cannot be."""

    def __init__(self, link: Link, shown: Screen, *, answer: bool | None, near: tuple[float, float] | None) -> None:
        self._link = link
        self._screen = shown
        self._answer = answer
        self._near = near
        self._is_interactive = sys.stdin.isatty()

    async def ask(self, text: str, metro: str | None) -> Exit:
        """Raises ClientError when the service cannot be used."""
        data = await self._link.execute(documents.METROS)
        chosen = choose_metro(data["customer"]["metros"], metro)
        zone = ZoneInfo(chosen["timezone"])
        intent = grammar.parse(text, datetime.now(UTC), zone).intent
        chat = await Chat.start(self._link, self._screen, chosen["id"])
        try:
            while True:
                turn = await chat.say(text, self._near)
                if turn.failure is not None:
                    say_error(f"The agent could not answer ({turn.failure}). Nothing was reserved; ask again.")
                    return Exit.NOT_DONE
                if turn.proposal is not None:
                    return await self._decide(chat, turn.proposal, zone)
                outcome = outcome_of(turn, intent)
                if outcome is Exit.DONE:
                    return outcome
                reply = await self._reply() if self._is_interactive else ""
                if not reply:
                    say_error(_REASONS[outcome])
                    return outcome
                text = reply
        finally:
            await chat.close()

    async def _decide(self, chat: Chat, proposal: Data, zone: ZoneInfo) -> Exit:
        self._screen.show(screen.proposal_table(proposal, zone))
        approve = self._answer
        if approve is None:
            if not self._is_interactive:
                say_error("Nobody is here to decide: say --yes or --no. Nothing was done.")
                return Exit.ASKED_BACK
            approve = (await self._reply("Confirm? [y/N] ")).lower() in ("y", "yes")
        reservation, report = await chat.decide(proposal, approve=approve)
        if reservation is not None:
            self._screen.show(screen.reservation_table(reservation, zone))
        if not approve:
            say_error("Declined: nothing was done.")
            return Exit.NOT_DONE
        if report.failure is not None:
            say_error(f"It is done, but the agent could not report it ({report.failure}).")
        return Exit.DONE if reservation is not None else Exit.NOT_DONE

    async def _reply(self, prompt: str = "> ") -> str:
        """A line of the person's; empty at the end of input."""
        print(prompt, end="", flush=True)  # noqa: T201 -- a prompt has no line end
        loop = asyncio.get_running_loop()
        readable = asyncio.Event()
        loop.add_reader(sys.stdin, readable.set)
        try:
            await readable.wait()
        finally:
            loop.remove_reader(sys.stdin)
        return sys.stdin.readline().strip()


_REASONS = {
    Exit.NOT_DONE: "Nothing was reserved or answered: see what the agent said.",
    Exit.ASKED_BACK: "The agent asks back. Answer in a terminal, or say it all in one sentence.",
}


def outcome_of(turn: Turn, intent: grammar.Intent) -> Exit:
    """Of a turn without a proposal. A question is answered when a tool that answers found something."""
    if intent in _SMALL_TALK or (intent not in _CHANGES and turn.succeeded_tools() & _ANSWERING):
        return Exit.DONE
    return Exit.ASKED_BACK if "?" in turn.text else Exit.NOT_DONE


def choose_metro(metros: list[Data], wanted: str | None) -> Data:
    """By id or name; the default one when nothing is wanted. Raises ClientError."""
    for metro in metros:
        if metro["isDefault"] if wanted is None else wanted.casefold() in (metro["id"], metro["name"].casefold()):
            return metro
    known = ", ".join(f"{metro['name']} ({metro['id']})" for metro in metros) or "none yet: run nimrod seed"
    raise ClientError(f"There is no such metro. Metros: {known}." if wanted else f"There is no default metro. Metros: {known}.")
