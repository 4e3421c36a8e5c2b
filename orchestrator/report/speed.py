"""What pruning buys in speed: asked for, by multiply-accumulates, predicted from a profile, and measured."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from jobs.metric import PREDICTED
from jobs.stages.table import StageKind
from orchestrator.results import Curve, Further, SweepRecord
from orchestrator.results.selection import Candidate, candidates
from orchestrator.results.targets import PARAMETERS, WORDS, target_of

if TYPE_CHECKING:
    from rich.table import Table

_MEASURED, _SPREAD = "speedup_measured/", "speedup_spread/"


@dataclass(frozen=True, slots=True, kw_only=True)
class SpeedRow:
    """How much faster one method's networks are than the dense one, mean over the seeds; 2 is half the time.

    Attributes:
        candidate: The networks.
        asked: What the target says; None where the sweep's target is not the latency.
        theoretical: Multiply-accumulates before to those after.
        predicted: What the profile predicted; None where there was none.
        measured: Runtime and batch -> measured speedup, and the range between the quartiles over its blocks.
        machines: Models of the GPUs or processors that it was measured on, as far as known.
    """

    candidate: Candidate
    asked: float | None
    theoretical: float | None
    predicted: float | None
    measured: dict[str, tuple[float, float]]
    machines: tuple[str, ...] = ()

    @property
    def slower(self) -> tuple[str, ...]:
        """The runtimes and batches in which it is slower than the dense network, beyond the spread."""
        return tuple(name for name, (speedup, spread) in self.measured.items() if speedup + spread < 1)

    def texts(self, summary: "SpeedSummary") -> list[str]:
        """Its cells below `SpeedSummary.head`."""
        plain = [f"{value:.2f}x" if value else "" for value in (self.asked, self.theoretical, self.predicted)]
        cells = []
        for name in summary.variants:
            found = self.measured.get(name)
            text = f"{found[0]:.2f}x ± {found[1] / 2:.2f}" if found else ""
            cells.append(f"{text}, slower" if name in self.slower else text)
        return [*plain, *cells, *([" and ".join(self.machines)] if summary.is_mixed else [])]


@dataclass(frozen=True, slots=True, kw_only=True)
class SpeedSummary:
    """The measured speedups of a sweep.

    Attributes:
        target: What compressions are fractions of.
        variants: The runtimes and batches, in order: `onnxruntime/b1`.
        rows: Those networks of which some speedup was measured or predicted.
    """

    target: str = PARAMETERS
    variants: tuple[str, ...]
    rows: tuple[SpeedRow, ...]

    @property
    def machines(self) -> tuple[str, ...]:
        """Models of the GPUs or processors that anything was measured on, as far as known."""
        return tuple(dict.fromkeys(name for row in self.rows for name in row.machines))

    @property
    def is_mixed(self) -> bool:
        """Whether rows are from several of them, so that each says from which."""
        return len(self.machines) > 1

    @property
    def head(self) -> list[str]:
        """Column headings: asked, theoretical, predicted, each runtime and batch, and the machine where they differ."""
        return ["asked", "by MACs", "predicted", *self.variants, *(["measured on"] if self.is_mixed else [])]

    @property
    def place(self) -> str:
        """For people: where it was measured; empty where unknown."""
        if self.is_mixed:
            return f"Measured on {len(self.machines)} makes of machine: compare rows of one make only."
        return "".join(f"Measured on {name}." for name in self.machines)


def summarize_speed(record: SweepRecord, curves: Sequence[Curve]) -> SpeedSummary:
    """The speedups of a sweep's networks, by model, method and compression."""
    target = target_of(record)
    rows = [_row(each, by_latency=target == "latency") for each in candidates(curves)]
    told = tuple(row for row in rows if row.measured or row.predicted)
    return SpeedSummary(
        target=target, variants=tuple(dict.fromkeys(name for row in told for name in row.measured)), rows=told
    )


def _row(candidate: Candidate, *, by_latency: bool) -> SpeedRow:
    names = next(iter(candidate.points.values())).all_metrics
    measured: dict[str, tuple[float, float]] = {}
    for name in names:
        speedup = candidate.mean(name) if name.startswith(_MEASURED) else None
        if speedup is not None:
            variant = name.removeprefix(_MEASURED)
            measured[variant] = (speedup, candidate.mean(f"{_SPREAD}{variant}") or 0.0)
    return SpeedRow(
        candidate=candidate,
        asked=1 / (1 - candidate.asked) if by_latency else None,
        theoretical=candidate.mean("speedup"),
        predicted=candidate.mean(PREDICTED),
        measured=measured,
        machines=tuple(dict.fromkeys(each.ran_on for each in _timings(candidate) if each.ran_on)),
    )


def _timings(candidate: Candidate) -> list[Further]:
    return [each for point in candidate.points.values() for each in point.further if each.stage == StageKind.TIME]


def speed_table(summary: SpeedSummary) -> "Table":
    """The speedups as a table for the terminal."""
    from rich import box
    from rich.table import Table
    from rich.text import Text

    table = Table(
        box=box.SIMPLE_HEAD,
        title="Speedup over the dense network, measured in turn with it",
        title_justify="left",
        caption=Text(summary.place) if summary.place else None,
        caption_justify="left",
        pad_edge=False,
        collapse_padding=True,
    )
    for name in ("model", "method", f"{WORDS[summary.target]} removed"):
        table.add_column(name, overflow="fold")
    for name in summary.head:
        table.add_column(name, justify="right", overflow="fold")
    for row in summary.rows:
        each = row.candidate
        cells = [each.model, each.method_name, each.removal(summary.target), *row.texts(summary)]
        table.add_row(*map(Text, cells))
    return table
