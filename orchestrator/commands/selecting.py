"""Which network of a sweep a command is about: the one that is named, or the best one."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any, TypeVar

import click

from jobs.errors import BadInputError
from jobs.metric import Metric
from orchestrator.commands.locating import find_record
from orchestrator.results import SweepRecord, collect
from orchestrator.results.selection import Candidate, Cost, Requirements, SelectedNetwork, candidates, rank, select
from orchestrator.store import ArtifactStore

Command = TypeVar("Command", bound=Callable[..., Any])
DEFAULT_TOLERANCE = 1.0
"""By how much the best network's metric may be worse than the dense one's, in the unit that people read."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Selection:
    """Options of a command that is about one network of a sweep.

    Attributes:
        wanted: What the network has to be.
        seed: Its seed; default: a typical one.
        best: Take the best of those that are wanted; without it they have to be one.
        by: Of which cost the best one has least; None: see `settle`.
    """

    wanted: Requirements
    seed: int | None
    best: bool
    by: Cost | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Found:
    """A network of a sweep, and where it is.

    Attributes:
        record: The sweep.
        store: The sweep's store.
        every: All its measured networks.
        selected: The chosen one.
    """

    record: SweepRecord
    store: ArtifactStore
    every: tuple[Candidate, ...]
    selected: SelectedNetwork


def requirement_options(command: Command) -> Command:
    """Options that say which networks of a sweep are wanted; see `requirements`."""
    options = [
        click.option("--model", help="Only networks of this model."),
        click.option("--method", help="Only networks of this method."),
        click.option("--protocol", help="Only networks after this protocol; 'none' for those without one."),
        click.option("--compression", type=click.FloatRange(0, 1, max_open=True), help="Only this compression: 0.4."),
        click.option(
            "--within",
            type=float,
            help="At most so much worse than the dense network, in the metric's unit; "
            f"{DEFAULT_TOLERANCE:g} where neither this nor a cost or compression is given.",
        ),
        click.option(
            "--by",
            type=click.Choice(["params", "macs", "latency"]),
            help="Have least of this cost; default: params, or the best metric where a cost or compression is given.",
        ),
        click.option("--max-params", type=click.FloatRange(min=0), help="Most parameters."),
        click.option("--max-macs", type=click.FloatRange(min=0), help="Most multiply-accumulates of one image."),
        click.option("--max-latency", type=click.FloatRange(min=0), help="Longest median of a pass, in milliseconds."),
        click.option("--latency", metavar="RUNTIME/BATCH", help="Which latency: onnxruntime/b1; default: the first."),
    ]
    for option in reversed(options):
        command = option(command)
    return command


def requirements(options: dict[str, Any]) -> Requirements:
    """The requirements that the options of `requirement_options` say; takes them out of `options`, `by` excepted."""
    milliseconds = options.pop("max_latency")
    names = ("model", "method", "protocol", "compression", "within", "max_params", "max_macs", "latency")
    return Requirements(
        **{name: options.pop(name) for name in names},
        max_latency_s=None if milliseconds is None else milliseconds / 1000,
    )


def settle(wanted: Requirements, by: Cost | None) -> tuple[Requirements, Cost | None]:
    """What is meant where options leave it open: the requirements, and the cost to rank by (None: by the metric).

    Where nothing limits the networks, they have to be within `DEFAULT_TOLERANCE` of the dense one. Where their metric
    is bounded, the smallest is the best; where their cost is, the one with the best metric.
    """
    limits = (wanted.within, wanted.max_params, wanted.max_macs, wanted.max_latency_s, wanted.compression)
    if all(limit is None for limit in limits):
        wanted = replace(wanted, within=DEFAULT_TOLERANCE)
    return wanted, by or ("params" if wanted.within is not None else None)


def selection_options(command: Command) -> Command:
    """Options that say which one network of a sweep is meant; see `selection`."""
    best = click.option(
        "--best",
        is_flag=True,
        help="The first one that `orchard best` lists with the same options.",
    )
    return requirement_options(best(click.option("--seed", type=int, help="Default: a typical one.")(command)))


def selection(options: dict[str, Any]) -> Selection:
    """What the options of `selection_options` say; takes them out of `options`."""
    wanted = requirements(options)
    return Selection(wanted=wanted, seed=options.pop("seed"), best=options.pop("best"), by=options.pop("by"))


def find_network(name: str, storage: str, asked: Selection) -> Found:
    """The network of a sweep that a command is about.

    Args:
        name: The sweep's name, or its file.
        storage: The store, for a sweep given by name.
        asked: Which network.

    Raises:
        BadInputError: No network is like that, several are and `best` is not asked, or no such sweep was run with this
            store.
    """
    record, store = find_record(name, storage)
    every = candidates(collect(record, store))
    if not every:
        raise BadInputError(f"sweep {record.name}: no point is measured yet; `orchard run` computes them")
    wanted, by = settle(asked.wanted, asked.by) if asked.best else (asked.wanted, asked.by)
    found = rank(every, wanted, by=by)
    why = reason(wanted, by, found[0].metric) if asked.best else ""
    if len(found) > 1 and not asked.best:
        shown = "; ".join(each.label for each in found[:5]) + (" ..." if len(found) > 5 else "")
        raise BadInputError(
            f"{len(found)} networks are like that: {shown}; name one with --model, --method, --protocol and "
            "--compression, or say --best"
        )
    return Found(record=record, store=store, every=every, selected=select(found[0], asked.seed, why=why))


def reason(wanted: Requirements, by: Cost | None, metric: Metric) -> str:
    """How the best network was chosen, for people."""
    names = {"params": "parameters", "macs": "multiply-accumulates", "latency": "latency"}
    limits = [
        f"{limit:,.0f} {what}"
        for limit, what in ((wanted.max_params, "parameters"), (wanted.max_macs, "multiply-accumulates"))
        if limit is not None
    ]
    if wanted.max_latency_s is not None:
        limits.append(f"{wanted.max_latency_s * 1000:g} ms")
    parts = [f"least {names[by]}" if by else f"best {metric.label}"]
    if wanted.within is not None:
        parts.append(f"within {wanted.within:g}{f' {metric.unit}' if metric.unit else ''} of the dense network")
    if limits:
        parts.append(f"at most {' and '.join(limits)}")
    return ", ".join(parts)
