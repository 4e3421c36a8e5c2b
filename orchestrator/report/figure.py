"""Primary metrics against compression as a figure: a panel per model, a colour per method, seeds as a band.

No global matplotlib state: neither pyplot nor styles.
"""

import io
from collections.abc import Iterable, Mapping, Sequence
from hashlib import sha256
from statistics import fmean
from typing import TYPE_CHECKING, Any

from jobs.metric import Metric
from orchestrator.report.table import SummaryRow, row_name, several_protocols, summaries
from orchestrator.results import Curve

if TYPE_CHECKING:
    from matplotlib.axes import Axes

_INK, _MUTED, _GRID = "#1f2328", "#667079", "#e3e6e9"
_KNOWN_COLORS = {"integral-tuned": "#D55E00", "integral": "#0072B2", "l1": "#009E73", "random": "#8c8c8c"}
_OTHER_COLORS = ("#CC79A7", "#E69F00", "#56B4E9", "#7B4FA3", "#B0A000", "#8C3B1B")
"""Both after Okabe and Ito: told apart by colour-blind readers."""
_LEVELS = {False: (_INK, (5, 3)), True: ("#8C3B1B", (2, 2))}
"""Colour and dashes of what has a height alone: of dense networks, of baselines."""
_MARKERS = "osD^vPX*"
_DPI = 200
_MAX_COLUMNS = 3


def draw_curves(curves: Sequence[Curve], title: str) -> bytes:
    """Draw the primary metrics against compression reached (percent).

    A line is the mean over the seeds, its band the sample standard deviation on both sides; the dense network and
    baselines are dashed horizontal lines. Our methods have the same colours in every figure; panels of one metric share
    its range.

    Args:
        curves: The curves; those without points are left out.
        title: The figure's title.

    Returns:
        A PNG.
    """
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    rows = [row for summary in summaries(curves) for row in summary.rows if row.measured]
    panels: dict[tuple[str, str, Metric], list[SummaryRow]] = {}
    for row in rows:
        panels.setdefault((row.model, row.dataset, row.metric), []).append(row)
    num_columns = 2 if len(panels) == 4 else min(max(len(panels), 1), _MAX_COLUMNS)
    num_lines = -(-max(len(panels), 1) // num_columns)
    figure = Figure(figsize=(4.6 * num_columns + 2.6, 4.2 * num_lines + 0.5), dpi=_DPI, facecolor="white")
    FigureCanvasAgg(figure)
    figure.set_layout_engine("constrained", w_pad=0.1, h_pad=0.1)
    figure.suptitle(title, x=0.01, ha="left", fontsize=15, weight="bold", color=_INK)
    one_metric = len({row.metric for row in rows}) < 2
    grid = figure.subplots(num_lines, num_columns, sharex=True, sharey=one_metric, squeeze=False)
    if rows:
        _draw_panels(list(grid.flat), num_columns, panels)
        num_seeds = len({curve.plan.seed for curve in curves if curve.points})
        _add_legend(grid[0, -1], grid.flat, rows, num_seeds)
    else:
        grid[0, 0].set_axis_off()
        grid[0, 0].text(0.5, 0.5, "No point is measured yet", ha="center", va="center", color=_MUTED, fontsize=13)
    buffer = io.BytesIO()
    figure.savefig(buffer, format="png")
    return buffer.getvalue()


def _draw_panels(
    axes: Sequence["Axes"], num_columns: int, panels: Mapping[tuple[str, str, Metric], list[SummaryRow]]
) -> None:
    rows = [row for members in panels.values() for row in members]
    metrics = {row.metric for row in rows}
    several = several_protocols(rows)
    styles = _styles(rows, several)
    for index, ((model, dataset, metric), members) in enumerate(panels.items()):
        _draw_panel(axes[index], f"{model} on {dataset}", members, several, styles)
        _set_range(axes[index], [row for row in rows if row.metric == metric], metric)
        if index % num_columns == 0 or len(metrics) > 1:
            axes[index].set_ylabel(f"Test {metric.quantity}", fontsize=12, color=_INK)
        if index + num_columns >= len(panels):
            axes[index].set_xlabel("Parameters removed (%)", fontsize=12, color=_INK)
    for unused in axes[len(panels) :]:
        unused.set_visible(False)
    axes[0].set_xlim(0, max([cell.reached * 100 for row in rows for cell in row.measured] + [9.0]) * 1.04)


def _styles(rows: Sequence[SummaryRow], several: frozenset[str]) -> dict[str, tuple[str, str]]:
    """Colour and marker by label: fixed for our methods, else chosen by a hash of the name, avoiding collisions."""
    styles: dict[str, tuple[str, str]] = {}
    labels = sorted({row_name(row, several) for row in rows if not row.is_level})
    for label in labels:
        start = int(sha256(label.encode()).hexdigest(), 16)
        taken = {color for color, _ in styles.values()}
        offered = [_OTHER_COLORS[(start + shift) % len(_OTHER_COLORS)] for shift in range(len(_OTHER_COLORS))]
        color = _KNOWN_COLORS.get(label) or next((color for color in offered if color not in taken), offered[0])
        known = list(_KNOWN_COLORS)
        marker = _MARKERS[known.index(label) if label in known else 4 + start % (len(_MARKERS) - 4)]
        styles[label] = (color, marker)
    return styles


def _draw_panel(
    axes: "Axes",
    title: str,
    members: Sequence[SummaryRow],
    several: frozenset[str],
    styles: dict[str, tuple[str, str]],
) -> None:
    axes.autoscale(False)  # the range is set for all panels at once; autoscaling per curve takes most of the time
    for row in members:
        cells, label = row.measured, row_name(row, several)
        middle = [cell.metric.shown(cell.value) for cell in cells]
        if row.is_level:
            color, dashes = _LEVELS[row.baseline]
            axes.axhline(middle[0], color=color, linestyle=(0, dashes), linewidth=1.4, label=label, zorder=2)
            continue
        color, marker = styles[label]
        reached = [cell.reached * 100 for cell in cells]
        low, high = (
            [cell.metric.shown(cell.metric.clipped(cell.value + side * cell.deviation)) for cell in cells]
            for side in (-1, 1)
        )
        axes.fill_between(reached, low, high, color=color, alpha=0.16, linewidth=0, zorder=3)
        axes.plot(
            reached, middle, color=color, marker=marker, markersize=6, linewidth=2.2, label=label, zorder=4,
            markeredgecolor="white", markeredgewidth=0.9,
        )  # fmt: skip
    axes.set_title(title, loc="left", fontsize=12, color=_INK)
    axes.spines[["top", "right"]].set_visible(False)
    axes.spines[["left", "bottom"]].set_color(_MUTED)
    axes.tick_params(colors=_MUTED, labelsize=10.5, labelbottom=True)
    axes.grid(color=_GRID, linewidth=0.8)
    axes.set_axisbelow(True)


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


def _add_legend(axes: "Axes", panels: Iterable["Axes"], rows: Sequence[SummaryRow], num_seeds: int) -> None:
    """One legend for all panels, right of the first line of them, in the order in which the curves lie."""
    from matplotlib.patches import Patch

    handles: dict[str, Any] = {}
    for panel in panels:
        for handle, label in zip(*panel.get_legend_handles_labels(), strict=True):
            handles.setdefault(label, handle)
    heights, several = _heights(rows), several_protocols(rows)
    height = {label: max(heights[row] for row in rows if row_name(row, several) == label) for label in handles}
    handles = {label: handles[label] for label in sorted(handles, key=lambda label: -height[label])}
    if num_seeds > 1:
        handles[f"± standard deviation\nover {num_seeds} seeds"] = Patch(facecolor=_MUTED, alpha=0.22)
    axes.legend(
        handles.values(), handles.keys(), loc="upper left", bbox_to_anchor=(1.02, 1.02), frameon=False, fontsize=11,
        labelcolor=_INK, handlelength=2.4, labelspacing=0.7,
    )  # fmt: skip


def _heights(rows: Sequence[SummaryRow]) -> dict[SummaryRow, float]:
    """Where curves lie on the whole, from 0 (lowest of their metric) to 1; the legend lists curves as they lie."""
    means = {row: fmean(cell.value for cell in row.measured) for row in rows}
    found = {}
    for row, mean in means.items():
        comparable = [means[other] for other in rows if other.metric == row.metric]
        found[row] = (mean - min(comparable)) / ((max(comparable) - min(comparable)) or 1.0)
    return found
