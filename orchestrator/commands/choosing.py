"""`orchard best`: ranks the networks of a sweep."""

import json
import shlex
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import click
from rich.console import Console

from jobs.errors import BadInputError
from jobs.identity import Json
from jobs.metric import Metric
from jobs.percent import to_percent
from jobs.spec.protocols import NO_PROTOCOL
from orchestrator.commands.consoles import output_console
from orchestrator.commands.locating import find_record
from orchestrator.commands.selecting import reason, settle
from orchestrator.executables import typed
from orchestrator.results import Curve, SweepRecord, collect
from orchestrator.results.dominance import LATENCY
from orchestrator.results.selection import (
    Candidate,
    Cost,
    Requirements,
    candidates,
    dense_of,
    is_of_8_bits,
    pareto_front,
    rank,
)
from orchestrator.results.targets import PARAMETERS, WORDS, target_of
from orchestrator.store import ArtifactStore

if TYPE_CHECKING:
    from rich.table import Table

MISSING = "—"


@dataclass(frozen=True, slots=True, kw_only=True)
class Ranking:
    """The networks of a sweep that meet requirements, the best first.

    Attributes:
        record: The sweep.
        store: The sweep's store.
        rows: The networks; at least one.
        dense: The dense network of each of their models, where it was measured.
        why: What the order is.
        latency: The latency that is shown, as a metric; None where none was measured.
        missing: How many of the planned points are not measured, and how many are planned.
    """

    record: SweepRecord
    store: ArtifactStore
    rows: tuple[Candidate, ...]
    dense: tuple[Candidate, ...]
    why: str
    latency: str | None
    missing: tuple[int, int]

    @property
    def split(self) -> str:
        """The split that its metrics were measured on; of several models perhaps more than one."""
        return self.record.split_of(each.plan for each in self.rows)


def best(name: str, *, storage: str, wanted: Requirements, by: Cost | None, pareto: bool, as_json: bool) -> None:
    """Print the networks of a sweep that meet requirements, the best first.

    Raises:
        BadInputError: None of them does, nothing is measured, or no such sweep was run with this store.
    """
    record, store = find_record(name, storage)
    ranking = _rank(record, store, collect(record, store), wanted, by, pareto=pareto)
    if as_json:
        click.echo(json.dumps(_document(ranking), indent=2))
    else:
        _print(ranking, output_console())


def _rank(
    record: SweepRecord,
    store: ArtifactStore,
    curves: Sequence[Curve],
    wanted: Requirements,
    by: Cost | None,
    *,
    pareto: bool,
) -> Ranking:
    every = candidates(curves)
    if not every:
        raise BadInputError(f"sweep {record.name}: no point is measured yet; `orchard run` computes them")
    if pareto:
        rows = rank(pareto_front(every), wanted, by=by)
    else:
        wanted, by = settle(wanted, by)
        rows = rank(every, wanted, by=by)
    dense = [dense_of(every, each) for each in rows]
    planned = sum(len(curve.plan.points) for curve in curves)
    why = reason(wanted, by, rows[0].metric)
    latencies = rows[0].latencies if wanted.latency is None else (f"{LATENCY}/{wanted.latency}",)
    return Ranking(
        record=record,
        store=store,
        rows=rows,
        dense=tuple({(each.model, each.dataset, each.protocol): each for each in dense if each is not None}.values()),
        why=f"{why}, and beaten by none in everything" if pareto else why,
        latency=next(iter(latencies), None),
        missing=(planned - sum(len(curve.points) for curve in curves), planned),
    )


def export_command(record: SweepRecord, store: ArtifactStore, chosen: Candidate) -> str:
    """The command that exports a network of a sweep."""
    options = {
        "model": chosen.model,
        "method": chosen.method,
        "protocol": chosen.protocol,
        "compression": f"{to_percent(chosen.asked) / 100:g}",
        "storage": store.uri,
        "out": "network",
    }
    if chosen.protocol == NO_PROTOCOL:
        protocols = {each.protocol for each in record.curves if each.method == chosen.method}
        if protocols == {NO_PROTOCOL}:
            del options["protocol"]
    parts = [
        typed("orchard"),
        "export",
        record.name,
        *(word for name in options for word in (f"--{name}", options[name])),
    ]
    return shlex.join(parts)


def network_table(
    rows: Sequence[Candidate], latency: str | None = None, *, target: str = PARAMETERS, title: str = ""
) -> "Table":
    """Networks as a table for the terminal, numbered.

    Args:
        rows: The networks.
        latency: The latency to show, as a metric; its measured speedup stands beside it.
        target: What compressions are fractions of.
        title: Above it.
    """
    from rich import box
    from rich.table import Table
    from rich.text import Text

    table = Table(box=box.SIMPLE_HEAD, title=title, title_justify="left", pad_edge=False, collapse_padding=True)
    table.add_column("")
    for heading in ("model", "method"):
        table.add_column(heading, overflow="fold")
    metric = rows[0].metric
    numbers = [
        "removed" if target == PARAMETERS else f"{WORDS[target]} removed",
        metric.quantity,
        "to dense",
        "parameters",
        "MACs",
    ]
    if latency:
        numbers += [f"ms ({_variant(latency) or 'median'})", "speedup"]
    for heading in numbers:
        table.add_column(heading, justify="right", overflow="fold")
    for number, each in enumerate(rows, 1):
        cells = [str(number), each.model, each.method_name, *_numbers(each, latency, target)]
        table.add_row(*map(Text, cells))  # as text: names may hold what rich takes for markup
    return table


def _variant(latency: str) -> str:
    """The runtime and batch of a latency; empty for one of version 0.1."""
    return latency.removeprefix(LATENCY).removeprefix("/")


def _numbers(each: Candidate, latency: str | None, target: str) -> list[str]:
    cells = [
        each.removal(target),
        each.text,
        MISSING if each.change is None else each.metric.change(each.change),
        *(MISSING if (mean := each.mean(name)) is None else f"{mean:,.0f}" for name in ("params", "macs")),
    ]
    if latency:
        time_s, speedup = each.mean(latency), each.mean(f"speedup_measured/{_variant(latency)}")
        cells += [MISSING if time_s is None else f"{time_s * 1000:.3f}"]
        cells += [MISSING if speedup is None else f"{speedup:.2f}x"]
    return cells


def _print(ranking: Ranking, console: Console) -> None:
    first = ranking.rows[0]
    title, target = f"{ranking.record.name}: {ranking.why}", target_of(ranking.record)
    console.print(network_table(ranking.rows, ranking.latency, target=target, title=title))
    lines = [
        f"dense {each.model}: {each.metric.label} {each.text} {each.metric.unit}".rstrip()
        + f", {each.mean('params') or 0:,.0f} parameters"
        for each in ranking.dense
    ]
    if ranking.split != "validation":
        lines.append(
            "Chosen by results on the test split, so the first one's own figure is a little optimistic; "
            "`orchard search` chooses on the validation split."
        )
    else:
        lines.append("These are results on the validation split, not on test.")
    if ranking.latency and is_of_8_bits(ranking.latency):
        lines.append(
            f"The latency is that of the networks in 8 bits, {first.metric.label} that of those in floating point."
        )
    missing, planned = ranking.missing
    if missing:
        lines.append(f"{missing} of {planned} planned points are not measured; `orchard run` computes them.")
    lines.append("Into MLflow's model registry: `orchard register` for `export`, with --as MODEL for --out.")
    lines.append(f"Export the first one: {export_command(ranking.record, ranking.store, first)}")
    for line in lines:
        console.print(line, highlight=False, markup=False, soft_wrap=True)


def _described(metric: Metric) -> dict[str, Json]:
    return {"name": metric.name, "unit": metric.unit, "scale": metric.scale, "direction": metric.direction}


def _document(ranking: Ranking) -> dict[str, Json]:
    first = next(iter(ranking.rows[0].points.values()))
    (metric, *other_metrics), (missing, planned) = first.objective, ranking.missing
    return {
        "sweep": ranking.record.name,
        "storage": ranking.store.uri,
        "order": ranking.why,
        "metric": _described(metric),
        "other_metrics": [_described(each) for each in other_metrics],
        "split": ranking.split,
        "points_planned": planned,
        "points_missing": missing,
        "dense": [_fields(each) for each in ranking.dense],
        "networks": [
            {**_fields(each), "export": export_command(ranking.record, ranking.store, each)} for each in ranking.rows
        ],
    }


def _fields(each: Candidate) -> dict[str, Any]:
    return {
        "model": each.model,
        "method": each.method,
        "protocol": each.protocol,
        "compression": each.asked,
        "seeds": sorted(each.points),
        "seeds_planned": each.num_planned,
        "value": each.value,
        "deviation": each.deviation,
        "dense": each.dense,
        "change_to_dense": each.change,
        "metrics": each.means,
        "keys": [each.points[seed].key for seed in sorted(each.points)],
    }
