"""Primary metrics against compression as a figure: panels of at most a dozen curves, labelled where the lines end.

No global matplotlib state: neither pyplot nor styles. Sizes are in inches, so that panels have the same size in every
figure.
"""

import io
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from jobs.metric import Metric
from orchestrator.report.labels import as_written, shortened, spread
from orchestrator.report.panels import Label, divide, panel_title
from orchestrator.report.styles import GRID, INK, MUTED, Style, level_styles, styles_of
from orchestrator.report.table import SummaryRow, protocols_told, row_name, summaries
from orchestrator.results import Curve
from orchestrator.results.targets import PARAMETERS, WORDS

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

_DPI = 160
_MAX_COLUMNS = 3
_LEFT, _WIDTH, _HEIGHT, _ABOVE, _BELOW = 0.85, 4.4, 3.5, 0.35, 0.65
"""Of a panel: room for its ticks, its axes, room for its title, for its ticks below."""
_ALONE = 5.6
"""The width of a panel's axes where it is the only one."""
_TITLE, _FOOT = 0.5, 0.3
_FONT = 10.5
_LEADER = 0.28
"""Between the axes and their labels."""


@dataclass(frozen=True, slots=True, kw_only=True)
class _Panel:
    """A panel.

    Attributes:
        title: What stands above it.
        metric: What its rows are judged by.
        rows: Its rows, those with a height alone first.
        styles: How each method and protocol is drawn.
        several: The methods whose names are followed by their protocol.
    """

    title: str
    metric: Metric
    rows: tuple[SummaryRow, ...]
    styles: Mapping[Label, Style]
    several: frozenset[str]

    def style(self, row: SummaryRow) -> Style:
        """How a row is drawn."""
        return self.styles[row.method, row.protocol]

    def name(self, row: SummaryRow) -> str:
        """What its line is called."""
        return shortened(row_name(row, self.several))


def draw_curves(curves: Sequence[Curve], title: str, target: str = PARAMETERS, *, split: str = "test") -> bytes:
    """Draw the primary metrics against what was really removed (percent).

    A line is the mean over the seeds, its band the sample standard deviation on both sides; the dense network and
    baselines are dashed horizontal lines. A hue stands for a method, a line style and a marker for a protocol. Panels
    of one metric share its range. Where a model has more than a dozen curves, it has several panels.

    Args:
        curves: The curves; those without points are left out.
        title: The figure's title.
        target: What compressions are fractions of, if that was measured of all points; else parameters.
        split: What they were measured on.

    Returns:
        A PNG.
    """
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    rows = [row for summary in summaries(curves) for row in summary.rows if row.measured]
    target = _measured_target(rows, target)
    panels = _panels(rows)
    layout = _layout(panels)
    figure = Figure(figsize=layout.size, dpi=_DPI, facecolor="white")
    FigureCanvasAgg(figure)
    layout.write(figure, title, at_top=True, size=15, weight="bold", color=INK)
    furthest = max([cell.removed(target) for row in rows if not row.is_level for cell in row.measured] + [0.09])
    for index, panel in enumerate(panels):
        axes = figure.add_axes(layout.place(index))
        axes.autoscale(False)  # ranges are set for all panels at once; autoscaling per curve takes most of the time
        axes.set_xlim(0, furthest * 103)
        _set_range(axes, [row for row in rows if row.metric == panel.metric], panel.metric)
        _draw_panel(axes, panel, target)
        _label_ends(axes, panel, _ends(axes, panel, target), layout.width)
        if index % layout.columns == 0 or len({each.metric for each in panels}) > 1:
            axes.set_ylabel(as_written(f"{_begun(split)} {panel.metric.quantity}"), fontsize=11, color=INK)
        if index + layout.columns >= len(panels):
            axes.set_xlabel(f"{_begun(WORDS[target])} removed (%)", fontsize=11, color=INK)
    if panels:
        num_seeds = len({curve.plan.seed for curve in curves if curve.points})
        layout.write(figure, _explanation(rows, num_seeds), at_top=False, size=9, weight="normal", color=MUTED)
    else:
        figure.text(0.5, 0.5, "No point is measured yet", ha="center", va="center", color=MUTED, fontsize=13)
    return _png(figure)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Layout:
    """Where panels are, in inches.

    Attributes:
        columns: Panels beside one another.
        lines: Panels below one another.
        width: Of a panel's axes.
        across: Of a panel with its ticks and labels.
    """

    columns: int
    lines: int
    width: float
    across: float

    @property
    def size(self) -> tuple[float, float]:
        """Width and height of the figure."""
        return self.columns * self.across, _TITLE + self.lines * (_ABOVE + _HEIGHT + _BELOW) + _FOOT

    def place(self, index: int) -> tuple[float, float, float, float]:
        """A panel's axes as fractions of the figure: left, bottom, width, height."""
        line, column = divmod(index, self.columns)
        (wide, high), left = self.size, column * self.across + _LEFT
        bottom = _FOOT + (self.lines - 1 - line) * (_ABOVE + _HEIGHT + _BELOW) + _BELOW
        return left / wide, bottom / high, self.width / wide, _HEIGHT / high

    def write(self, figure: "Figure", words: str, *, at_top: bool, size: float, weight: str, color: str) -> None:
        """A line of words over the figure's width, smaller where they are too many."""
        wide, high = self.size
        margin = 0.12
        room = (wide - 2 * margin) / max(_width_of(words, size, weight), 0.01)
        y = 1 - margin / high if at_top else margin / high
        figure.text(
            margin / wide, y, as_written(words),
            va="top" if at_top else "bottom", fontsize=size * min(1.0, room), weight=weight, color=color,
        )  # fmt: skip


def _layout(panels: Sequence[_Panel]) -> _Layout:
    columns = 2 if len(panels) == 4 else min(max(len(panels), 1), _MAX_COLUMNS)
    width = _ALONE if columns == 1 else _WIDTH
    names = {panel.name(row) for panel in panels for row in panel.rows}
    labels = max((_width_of(name, _FONT, "normal") for name in sorted(names)), default=0.0) + _LEADER + 0.25
    return _Layout(
        columns=columns, lines=-(-max(len(panels), 1) // columns), width=width, across=_LEFT + width + labels
    )


def _width_of(words: str, size: float, weight: str) -> float:
    """Of a line of words, in inches."""
    from matplotlib.font_manager import FontProperties
    from matplotlib.textpath import TextPath

    if not words.strip():
        return 0.0
    path = TextPath((0, 0), as_written(words), prop=FontProperties(size=size, weight=weight))
    return float(path.get_extents().width) / 72


def _measured_target(rows: Sequence[SummaryRow], target: str) -> str:
    known = all(not math.isnan(cell.removed(target)) for row in rows if not row.is_level for cell in row.measured)
    return target if known else PARAMETERS


def _panels(rows: Sequence[SummaryRow]) -> list[_Panel]:
    """A panel for each model and metric, several where it has more curves than one has room for."""
    styles = styles_of((row.method, row.protocol) for row in rows if not row.is_level)
    styles |= level_styles((row.method, row.protocol) for row in rows if row.is_level)
    several = protocols_told(rows)
    models: dict[tuple[str, str, Metric], list[SummaryRow]] = {}
    for row in rows:
        models.setdefault((row.model, row.dataset, row.metric), []).append(row)
    panels = []
    for (model, dataset, metric), mine in models.items():
        levels = [row for row in mine if row.is_level]
        lines = {(row.method, row.protocol): row for row in mine if not row.is_level}
        parts = divide(list(lines)) or [()]
        for part in parts:
            which = panel_title(part, parts)
            alone = bool(which) and len({protocol for _, protocol in part}) < 2  # the title says which
            panels.append(
                _Panel(
                    title=f"{model} on {dataset}{f' · {which}' if which else ''}",
                    metric=metric,
                    rows=(*levels, *(lines[label] for label in part)),
                    styles=styles,
                    several=several - {method for method, _ in part} if alone else several,
                )
            )
    return panels


def _draw_panel(axes: "Axes", panel: _Panel, target: str) -> None:
    faint = 0.16 if len(panel.rows) <= 7 else 0.09
    for row in panel.rows:
        cells, style = row.measured, panel.style(row)
        middle = [cell.metric.shown(cell.value) for cell in cells]
        if row.is_level:
            dashes = (0, style.dashes)
            axes.axhline(middle[0], color=style.color, linestyle=dashes, linewidth=1.4, label=panel.name(row), zorder=2)
            continue
        reached = [cell.removed(target) * 100 for cell in cells]
        low, high = (
            [cell.metric.shown(cell.metric.clipped(cell.value + side * cell.deviation)) for cell in cells]
            for side in (-1, 1)
        )
        axes.fill_between(reached, low, high, color=style.color, alpha=faint, linewidth=0, zorder=3)
        axes.plot(
            reached, middle, color=style.color, linestyle=(0, style.dashes) if style.dashes else "-", linewidth=2.0,
            marker=style.marker, markersize=5.5, markeredgecolor="white", markeredgewidth=0.8, label=panel.name(row),
            zorder=4,
        )  # fmt: skip
    axes.set_title(as_written(panel.title), loc="left", fontsize=12, color=INK)
    axes.spines[["top", "right"]].set_visible(False)
    axes.spines[["left", "bottom"]].set_color(MUTED)
    axes.tick_params(colors=MUTED, labelsize=10)
    axes.grid(color=GRID, linewidth=0.8)
    axes.set_axisbelow(True)


def _ends(axes: "Axes", panel: _Panel, target: str) -> list[tuple[float, float]]:
    """Where the lines of a panel end, as fractions of its axes."""
    (left, right), (bottom, top) = axes.get_xlim(), axes.get_ylim()
    found = []
    for row in panel.rows:
        last = row.measured[-1]
        x = 1.0 if row.is_level else (last.removed(target) * 100 - left) / (right - left)
        found.append((x, (last.metric.shown(last.value) - bottom) / (top - bottom)))
    return found


def _label_ends(axes: "Axes", panel: _Panel, ends: Sequence[tuple[float, float]], width: float) -> None:
    """Every line's name right of the axes, as high as it ends if there is room, with a thin line from there to it."""
    tall = _FONT * 1.32 / 72 / _HEIGHT  # of a label, as a fraction of the axes
    heights = spread([y for _, y in ends], apart=tall, low=0.0, high=1.0)
    for row, (x, y), height in zip(panel.rows, ends, heights, strict=True):
        style = panel.style(row)
        axes.plot(
            [x, 1.0, 1 + (_LEADER - 0.06) / width], [y, y, height],
            transform=axes.transAxes, color=style.color, linewidth=0.7, alpha=0.7, clip_on=False, zorder=2.5,
        )  # fmt: skip
        axes.text(
            1 + _LEADER / width, height, as_written(panel.name(row)),
            transform=axes.transAxes, color=style.ink, fontsize=_FONT, va="center",
        )  # fmt: skip


def _set_range(axes: "Axes", rows: Sequence[SummaryRow], metric: Metric) -> None:
    """The range of the metric, from what was measured by it, with room."""
    cells = [cell for row in rows for cell in row.measured]
    low = metric.clipped(min(cell.value - cell.deviation for cell in cells))
    high = metric.clipped(max(cell.value for cell in cells))
    room = max((high - low) * 0.06, _least_room(metric, high))
    axes.set_ylim(metric.shown(low - room), metric.shown(high + room))


def _least_room(metric: Metric, value: float) -> float:
    """Room where all values are about the same: a two-hundredth of all that there can be, or of the value."""
    if metric.lowest is not None and metric.highest is not None:
        return (metric.highest - metric.lowest) / 200
    return abs(value) / 200 or 1.0


def _explanation(rows: Sequence[SummaryRow], num_seeds: int) -> str:
    """What lines, bands and styles are."""
    parts = [f"Lines: mean over {num_seeds} seeds; bands: ± standard deviation"] if num_seeds > 1 else []
    if len({row.protocol for row in rows if not row.is_level}) > 1:
        parts.append("a hue per method, a line style and marker per protocol")
    return _begun("; ".join(parts))


def _begun(words: str) -> str:
    return words[:1].upper() + words[1:]


def _png(figure: "Figure") -> bytes:
    buffer = io.BytesIO()
    figure.savefig(buffer, format="png")
    return buffer.getvalue()
