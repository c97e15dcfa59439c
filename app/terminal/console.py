"""The console: where commands write, how they begin and how they give up."""

from __future__ import annotations

import unicodedata

import typer
from pydantic import ValidationError
from rich.console import Console
from rich.text import Text

from app.settings import Settings

console = Console()
errors = Console(stderr=True)


def load_settings(**changes: object) -> Settings:
    try:
        return Settings(**{name: value for name, value in changes.items() if value is not None})  # type: ignore[arg-type]
    except ValidationError as error:
        for issue in error.errors():
            name = "_".join(str(part) for part in issue["loc"]).upper()
            say_error(f"NIMROD_{name}: {issue['msg']}" if name else issue["msg"].removeprefix("Value error, "))
        raise typer.Exit(2) from None


def fail(message: str, code: int = 1) -> typer.Exit:
    say_error(message)
    return typer.Exit(code)


def say_error(message: str) -> None:
    """One line, however long, on standard error."""
    errors.print(Text(printable(message), style="red"), soft_wrap=True)


def printable(text: str) -> str:
    """Text from outside without what could steer a terminal."""
    return "".join(letter for letter in text if letter in "\n\t" or not unicodedata.category(letter).startswith("C"))
