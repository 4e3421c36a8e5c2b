"""Summaries as tables for the terminal, in whatever layout fits it."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from jobs.percent import to_percent
from orchestrator.report.table import (
    MISSING,
    STOPPED_WORDS,
    Cell,
    CurveSummary,
    SummaryRow,
    further_summaries,
    row_name,
    several_protocols,
    summaries,
)
from orchestrator.results import Curve
from orchestrator.results.targets import PARAMETERS, WORDS, percent

if TYPE_CHECKING:
    from rich.console import Console, ConsoleOptions, RenderResult
    from rich.table import Table


def summary_tables(curves: Sequence[Curve], target: str = PARAMETERS) -> "list[SummaryTable]":
    """Every primary metric as a table for the terminal, and as one more for each named test set.

    Args:
        curves: The curves, as far as measured.
        target: What compressions are fractions of.
    """
    found = (*summaries(curves), *further_summaries(curves, primary=True))
    return [SummaryTable(summary=each, target=target) for each in found]


@dataclass(frozen=True, slots=True, kw_only=True)
class SummaryTable:
    """A summary that rich prints: methods across where that fits the terminal, else methods down.

    Where neither fits, compressions come in several blocks below one another. Nothing is cut off.

    Attributes:
        summary: The summary.
        target: What its compressions are fractions of.
    """

    summary: CurveSummary
    target: str

    @property
    def title(self) -> str:
        """What the numbers are."""
        return f"{self.summary.heading} by {WORDS[self.target]} removed, mean ± standard deviation"

    def __rich_console__(self, console: "Console", options: "ConsoleOptions") -> "RenderResult":
        """The widest layout that fits."""
        from rich.text import Text

        models = _models(self.summary, self.target)
        yield Text(self.title, style="italic")
        across = _across(models)
        if table_width(across, console) <= options.max_width:
            yield across
        else:
            asked = self.summary.asked
            yield from in_blocks(lambda part: _block(models, asked[part]), len(asked), console, options.max_width)
        if any("@" in cell for model in models for line in model.lines for cell in line.cells):
            yield Text(f"@N%: N % of the {WORDS[self.target]} were really removed, not what was asked for.")
        if any(cell.stopped for row in self.summary.rows for cell in row.cells):
            yield Text(STOPPED_WORDS)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Line:
    """One compression of a model: percent asked, what that is of the parameters, a cell for each method."""

    asked: float
    parameters: str
    cells: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class _Model:
    """The lines of a model; `methods` are those of all models, in the same order as a line's cells."""

    name: str
    methods: tuple[str, ...]
    target: str
    lines: tuple[_Line, ...]


def _models(summary: CurveSummary, target: str) -> list[_Model]:
    several = several_protocols(summary.rows)
    methods = tuple(dict.fromkeys(row_name(row, several) for row in summary.rows))
    rows: dict[tuple[str, str], dict[str, SummaryRow]] = {}
    for row in summary.rows:
        rows.setdefault((row.model, row.dataset), {})[row_name(row, several)] = row
    found = []
    for (model, _), mine in rows.items():
        cells = [{cell.asked: cell for cell in mine[name].cells} if name in mine else {} for name in methods]
        lines = []
        for asked in summary.asked:
            here = [each.get(asked) for each in cells]
            if any(here):
                texts = tuple(cell.text(target).replace(" ± ", "±") if cell else "" for cell in here)
                lines.append(_Line(asked=asked, parameters=_range([cell for cell in here if cell]), cells=texts))
        found.append(_Model(name=model, methods=methods, target=target, lines=tuple(lines)))
    return found


def _range(cells: Sequence[Cell]) -> str:
    """What the methods have removed of the parameters."""
    reached = sorted(to_percent(cell.reached) for cell in cells if cell.num_measured)
    if not reached:
        return MISSING
    return f"{reached[0]} %" if reached[0] == reached[-1] else f"{reached[0]}-{reached[-1]} %"


def plain_table(head: Sequence[str], names: int) -> "Table":
    """An empty table whose first columns hold names."""
    from rich import box
    from rich.table import Table
    from rich.text import Text

    table = Table(box=box.SIMPLE_HEAD, pad_edge=False, collapse_padding=True)
    for index, name in enumerate(head):  # as text: names may hold what rich takes for markup
        table.add_column(
            Text(name), justify="left" if index < names else "right", no_wrap=index >= names, overflow="fold"
        )
    return table


def _across(models: Sequence[_Model]) -> "Table":
    """Compressions down, methods across."""
    from rich.text import Text

    of_parameters = models[0].target != PARAMETERS if models else False
    methods = models[0].methods if models else ()
    table = plain_table(["model", "removed", *(["parameters"] if of_parameters else []), *methods], names=1)
    for model in models:
        for number, line in enumerate(model.lines):
            head = ["" if number else model.name, percent(line.asked), *([line.parameters] if of_parameters else [])]
            table.add_row(*map(Text, (*head, *line.cells)))
        table.add_section()
    return table


def _block(models: Sequence[_Model], asked: Sequence[float]) -> "Table":
    """Methods down, compressions across."""
    from rich.text import Text

    table = plain_table(["model", "method", *map(percent, asked)], names=2)
    for model in models:
        lines = {line.asked: line for line in model.lines}
        rows = [
            [lines[each].cells[number] if each in lines else "" for each in asked]
            for number in range(len(model.methods))
        ]
        named = [(name, row) for name, row in zip(model.methods, rows, strict=True) if any(row)]
        if model.target != PARAMETERS:
            named.insert(0, ("(parameters)", [lines[each].parameters if each in lines else "" for each in asked]))
        for number, (name, row) in enumerate(named):
            table.add_row(*map(Text, ("" if number else model.name, name, *row)))
        table.add_section()
    return table


def in_blocks(block: "Callable[[slice], Table]", count: int, console: "Console", width: int) -> "list[Table]":
    """Tables of some of `count` columns each, in order: as many in a block as fit, at least one."""
    tables = []
    start = 0
    while start < count:
        end = count
        while end > start + 1 and table_width(block(slice(start, end)), console) > width:
            end -= 1
        tables.append(block(slice(start, end)))
        start = end
    return tables


def table_width(table: "Table", console: "Console") -> int:
    """The columns of a table of which nothing is folded."""
    return table.__rich_measure__(console, console.options.update(width=10_000)).maximum
