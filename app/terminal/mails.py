"""Mails: what a development server would have sent to riders, with the links that open something."""

from __future__ import annotations

from rich.console import Console

from app.terminal import documents
from app.terminal.console import printable
from app.terminal.link import Link


async def mails(link: Link, console: Console, *, count: int, as_text: bool) -> None:
    """The latest last, where people look. Raises ClientError."""
    data = await link.execute(documents.MAILS, {"first": count})
    shown = [node for node in data["ops"]["deliveries"]["nodes"] if node["simulatedMessage"] is not None]
    for node in reversed(shown):
        message = node["simulatedMessage"]
        to = message["to"] or node["channel"].lower()
        lines = [f"{node['sentAt']}  {to}  {message['subject']}"]
        if as_text:
            lines += ["", *(f"    {line}" for line in message["text"].splitlines()), ""]
        elif message["link"] is not None:
            lines.append(f"    {message['link']}")
        # Unbroken and as it is: links are for pasting.
        console.print(*map(printable, lines), sep="\n", soft_wrap=True, highlight=False, markup=False)
    if not shown:
        console.print("Nothing was simulated: nobody was told anything, or what was told has left.", soft_wrap=True)
