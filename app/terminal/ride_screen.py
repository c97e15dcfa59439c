"""The screen of a ride: what is done, how far it is, what it costs by now; its receipt as a table."""

from __future__ import annotations

from typing import Self

from rich.console import Console
from rich.live import Live
from rich.progress import BarColumn, SpinnerColumn, TextColumn, TimeElapsedColumn
from rich.progress import Progress as Bars
from rich.table import Table
from rich.text import Text

from agents import wording
from app.terminal.client import Data
from app.terminal.console import printable


class Progress:
    """On a terminal a bar moves below what is done; elsewhere each line is printed once."""

    def __init__(self, console: Console) -> None:
        self._console = console
        columns = (
            SpinnerColumn(),
            TextColumn("{task.description}"),
            BarColumn(),
            TimeElapsedColumn(),
            TextColumn("{task.fields[told]}"),
        )
        self._bars = Bars(*columns, console=console, transient=True)
        self._live: Live | None = None
        self._task = self._bars.add_task("Looking around", total=None, told="")
        self._told = ""

    def __enter__(self) -> Self:
        if self._console.is_terminal:
            self._live = self._bars.live
            self._bars.start()
        return self

    def __exit__(self, *_: object) -> None:
        if self._live is not None:
            self._bars.stop()
            self._live = None

    def begin(self, what: str, steps: int | None = None) -> None:
        self._bars.reset(self._task, description=printable(what), total=steps, told=self._told)
        if self._live is None:
            self.done(f"{what}…")

    def advance(self) -> None:
        self._bars.advance(self._task)

    def tell(self, state: str, awaits: str | None, price: Data | None) -> None:
        """What the stream says."""
        waiting = f", waiting for {_words(awaits)}" if awaits else ""
        told = f"{_words(state)}{waiting}" + (f", {money(price)}" if price else "")
        if told == self._told:
            return
        self._told = told
        self._bars.update(self._task, told=printable(told))
        if self._live is None:
            self.done(told)

    def done(self, sentence: str) -> None:
        self._console.print(Text(printable(sentence)), soft_wrap=True)

    def show_receipt(self, receipt: Data) -> None:
        self._console.print(receipt_table(receipt))


def receipt_table(receipt: Data) -> Table:
    table = Table(title=f"Receipt {printable(receipt['number'])}", title_justify="left", show_footer=True)
    table.add_column("For", "Total")
    table.add_column("Quantity", justify="right")
    table.add_column("Price", Text(money(receipt["total"])), justify="right")
    for line in receipt["lines"]:
        table.add_row(_words(line["kind"]), str(line["quantity"]), money(line["amount"]))
    for share in receipt["vat"]:
        table.add_row(Text(f"of which {share['percent']} % VAT", style="dim"), "", Text(money(share["vat"]), style="dim"))
    owed = money(receipt["owed"])
    table.caption = "Paid." if not receipt["owed"]["minorUnits"] else f"Not paid: {owed} are owed."
    table.caption_justify = "left"
    return table


def money(price: Data) -> str:
    return wording.money(price["minorUnits"], price["currency"])


def _words(name: str) -> str:
    return name.lower().replace("_", " ")
