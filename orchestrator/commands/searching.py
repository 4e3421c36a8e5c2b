"""`orchard search`: finds the largest compression of every method that holds a tolerance."""

import time
from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from rich.console import Console

from jobs.load import load_sweep
from jobs.metric import Metric
from jobs.percent import to_percent
from jobs.spec.protocols import NO_PROTOCOL
from jobs.spec.sweep import SweepSpec
from orchestrator.commands.choosing import export_command
from orchestrator.commands.computing import Computer, end_run, exit_code, finish, print_tracking, print_troubles
from orchestrator.commands.consoles import output_console
from orchestrator.commands.grouping import check_layers
from orchestrator.driver.lease import DriverLease
from orchestrator.driver.publishing import Publisher
from orchestrator.driver.run import RunSummary
from orchestrator.planning import plan_sweep
from orchestrator.results import collect
from orchestrator.results.selection import Candidate, candidates, dense_of
from orchestrator.results.targets import WORDS
from orchestrator.search import Searched, searched_methods, sweep_of
from orchestrator.search.progress import SearchProgress, Tried, judge
from orchestrator.store import ArtifactStore, open_store
from orchestrator.store.claim import acquire_unclaimed

if TYPE_CHECKING:
    from rich.table import Table

SEARCH, FOUND = "search", "found"
"""What is added to the sweep's name: for what is tried, on validation; and for what was found, on test."""


@dataclass(frozen=True, slots=True, kw_only=True)
class _Search:
    """What is asked, and where it is computed.

    Attributes:
        spec: The sweep file.
        within: By how much the primary metric may be worse than the dense network's, in the unit that people read.
        backend: Name of the backend.
        store: The sweep's store.
        console: Where to print.
        started_s: When it began, by the monotonic clock.
    """

    spec: SweepSpec
    within: float
    backend: str
    store: ArtifactStore
    console: Console
    started_s: float

    def say(self, text: str) -> None:
        """Print a line."""
        self.console.print(text, highlight=False, markup=False, soft_wrap=True)

    def sweep(
        self, what: str, split: Literal["validation", "test"], at: Mapping[Searched, Collection[int]]
    ) -> SweepSpec:
        """One of the search's sweeps, with what is left of the wall-clock hours."""
        spec = sweep_of(self.spec, f"{self.spec.name}-{what}", split, at)
        hours = spec.budget.wall_hours
        if hours is None:
            return spec
        left = max(hours - (time.monotonic() - self.started_s) / 3600, 1e-6)
        return spec.model_copy(update={"budget": spec.budget.model_copy(update={"wall_hours": left})})

    def measured(self, publisher: Publisher) -> tuple[Candidate, ...]:
        """The networks of a sweep that has run."""
        return candidates(collect(publisher.record, self.store))

    @contextmanager
    def computer(self, spec: SweepSpec) -> Iterator[tuple[Computer, DriverLease]]:
        """Computes, with the lease of a sweep."""
        with (
            DriverLease(self.store, acquire_unclaimed(self.store.files, spec.name), priority=spec.priority) as lease,
            Computer(self.store, lease, self.backend, self.console) as computer,
        ):
            yield computer, lease


def search(
    sweep: str, overrides: Sequence[str], *, within: float, methods: Sequence[str], up_to: float, backend: str
) -> int:
    """Search the compressions of a sweep file's methods; returns the exit code.

    Raises:
        BadInputError: A method cannot be searched, or the sweep has no dense network.
        LeaseHeldError: The same search runs already.
    """
    spec = load_sweep(sweep, overrides)
    check_layers(spec)
    asked = _Search(
        spec=spec,
        within=within,
        backend=backend,
        store=open_store(spec.storage),
        console=output_console(),
        started_s=time.monotonic(),
    )
    progress = SearchProgress.begin(searched_methods(spec, methods), largest=to_percent(up_to))
    progress, summaries = _bisect(asked, progress)
    code = (exit_code(summaries[-1]) or 1) if progress.next else 0
    if not code:
        summaries.append(_report(asked, progress))
        code = exit_code(summaries[-1])
    computed = sum(each.computed for each in summaries)
    duration_s = time.monotonic() - asked.started_s
    asked.say(
        f"{computed} tasks computed in {duration_s:.1f} s."
        if computed or code
        else "Nothing to compute: every result was in the store."
    )
    if code:
        print_troubles(asked.console, summaries[-1])
        end_run(summaries[-1])
    return code


def _bisect(asked: _Search, progress: SearchProgress) -> tuple[SearchProgress, list[RunSummary]]:
    """Run the rounds; where one leaves a compression open, the progress has a next round."""
    summaries: list[RunSummary] = []
    with asked.computer(asked.sweep(SEARCH, "validation", progress.asked)) as (computer, lease):
        environment = computer.environment(asked.spec)
        while progress.next:
            left = progress.num_rounds
            trying = ", ".join(f"{each.label} at {percent} %" for each, percent in progress.next.items())
            asked.say(f"Round {len(summaries) + 1} of at most {len(summaries) + left}: {trying}")
            spec = asked.sweep(SEARCH, "validation", progress.asked)
            plan = plan_sweep(spec, environment)
            summary, publisher = computer.run(spec, plan)
            publisher.wait()
            summaries.append(summary)
            if summary.stopped:
                break
            networks = asked.measured(publisher)
            results = {
                each: judge(each, percent, networks, plan, summary.failures, within=asked.within)
                for each, percent in progress.next.items()
            }
            known = {each: result for each, result in results.items() if result is not None}
            for each, result in known.items():
                asked.say(f"  {each.label} at {result.percent} %: {result}")
            progress = progress.told(known)
            if len(known) < len(results):
                break
        finish(publisher, lease)
    return progress, summaries


def _report(asked: _Search, progress: SearchProgress) -> RunSummary:
    """Measure on test what was found, and print it beside the dense networks."""
    found = progress.found
    spec = asked.sweep(FOUND, "test", {each: [found[each].percent] if each in found else [] for each in progress.tried})
    with asked.computer(spec) as (computer, lease):
        asked.say(
            "On test: " + (", ".join(f"{each.label} at {one.percent} %" for each, one in found.items()) or "dense")
        )
        summary, publisher = computer.run(spec, plan_sweep(spec, computer.environment(asked.spec)))
        finished = finish(publisher, lease)
    if not summary.complete:
        return summary
    networks = asked.measured(publisher)
    rows = [
        (each, tried, network)
        for each, tried in found.items()
        for network in networks
        if (network.model, network.method, to_percent(network.asked)) == (each.model, each.name, tried.percent)
    ]
    rows.sort(key=lambda row: row[2].cost("params") or 0.0)
    metrics = {each.model: each.metric for each in networks}
    comparable = [[row for row in rows if row[2].metric == metric] for metric in dict.fromkeys(metrics.values())]
    tables = [some for some in comparable if some]
    for some in tables:
        within = _text(asked.within, some[0][2].metric)
        title = f"Within {within} of the dense network on validation, by {WORDS[asked.spec.target]} removed"
        asked.console.print(_table(some, networks, title))
    for each in progress.tried:
        if each not in found:
            tolerance = _text(asked.within, metrics[each.model])
            asked.say(f"{each.label}: no compression that was tried is within {tolerance} of the dense network")
    print_tracking(asked.console, spec, asked.store, finished[1] if finished else None)
    for some in tables:
        asked.say(f"Export the smallest one: {export_command(publisher.record, asked.store, some[0][2])}")
    return summary


def _text(tolerance: float, metric: Metric) -> str:
    return f"{tolerance:g} {metric.unit}".rstrip()


def _table(rows: Sequence[tuple[Searched, Tried, Candidate]], networks: Sequence[Candidate], title: str) -> "Table":
    """The networks found, whose metric is the same."""
    from rich import box
    from rich.table import Table
    from rich.text import Text

    metric = rows[0][2].metric
    table = Table(box=box.SIMPLE_HEAD, title=title, title_justify="left", pad_edge=False, collapse_padding=True)
    for heading in ("model", "method", "protocol"):
        table.add_column(heading, overflow="fold")
    name = metric.quantity
    for heading in ("removed", f"{name} on validation", "to dense", f"{name} on test", "dense", "parameters", "MACs"):
        table.add_column(heading, justify="right", overflow="fold")
    for each, tried, network in rows:
        chosen, dense = tried.network, dense_of(networks, network)
        change = chosen.change if chosen else None
        cells = [
            each.model,
            each.method,
            "" if each.protocol == NO_PROTOCOL else each.protocol,
            f"{tried.percent} %",
            chosen.text if chosen else "",
            metric.change(change) if change is not None else "",
            network.text,
            dense.text if dense else "",
            *(f"{network.mean(cost) or 0:,.0f}" for cost in ("params", "macs")),
        ]
        table.add_row(*map(Text, cells))
    return table
