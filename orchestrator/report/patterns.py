"""Where methods take channels, as a figure: one panel per model, a row per method, a column per channel group.

The view of pruning as a search for architectures (Rethinking, section 5). This module refuses to know where the numbers
come from and keeps no state in matplotlib.
"""

import io
from collections.abc import Mapping, Sequence

from orchestrator.report.comparison import kept_fractions
from orchestrator.report.table import percent
from orchestrator.results import Curve

_INK, _MUTED = "#1f2328", "#667079"
_DPI = 160


def draw_patterns(curves: Sequence[Curve], title: str) -> bytes | None:
    """Draw which fraction of every group each method keeps, at the largest compression that most methods measured.

    Args:
        curves: The curves; means over the seeds are drawn.
        title: Above the panels.

    Returns:
        A PNG; None where no network has fewer channels than at the start.
    """
    panels = {}
    for model in dict.fromkeys((curve.plan.model, curve.plan.dataset) for curve in curves):
        mine = [curve for curve in curves if (curve.plan.model, curve.plan.dataset) == model]
        asked = _largest_common(mine)
        if asked is not None:
            panels[f"{model[0]} on {model[1]}, {percent(asked)} removed"] = kept_fractions(mine, asked)
    return _draw(panels, title) if panels else None


def _largest_common(curves: Sequence[Curve]) -> float | None:
    """Of the compressions that most methods measured, the largest."""
    methods: dict[float, set[tuple[str, str]]] = {}
    for curve in curves:
        for point in curve.points:
            if point.full_widths:
                methods.setdefault(point.asked, set()).add((curve.plan.method, curve.plan.protocol))
    return max(methods, key=lambda asked: (len(methods[asked]), asked), default=None)


def _draw(panels: Mapping[str, Mapping[tuple[str, str], Mapping[str, float]]], title: str) -> bytes:
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    heights = [len(rows) for rows in panels.values()]
    figure = Figure(figsize=(11, 0.32 * sum(heights) + 1.5 * len(panels) + 0.8), dpi=_DPI, facecolor="white")
    FigureCanvasAgg(figure)
    figure.set_layout_engine("constrained")
    figure.suptitle(title, x=0.01, ha="left", fontsize=15, weight="bold", color=_INK)
    grid = figure.subplots(len(panels), 1, squeeze=False, height_ratios=[height + 2 for height in heights])
    for axes, (name, rows) in zip(grid[:, 0], panels.items(), strict=True):
        groups = list(dict.fromkeys(group for kept in rows.values() for group in kept))
        values = [[kept.get(group, 1.0) for group in groups] for kept in rows.values()]
        image = axes.imshow(values, aspect="auto", cmap="viridis", vmin=0, vmax=1, interpolation="nearest")
        axes.set_title(name, loc="left", fontsize=12, color=_INK)
        labels = [method if protocol == "none" else f"{method} · {protocol}" for method, protocol in rows]
        axes.set_yticks(range(len(rows)), labels, fontsize=9.5, color=_INK)
        axes.set_xlabel("Channel groups, in the order of the forward pass", fontsize=10.5, color=_INK)
        axes.tick_params(colors=_MUTED, length=2)
        axes.spines[:].set_visible(False)
        figure.colorbar(image, ax=axes, label="Channels kept", pad=0.01)
    buffer = io.BytesIO()
    figure.savefig(buffer, format="png")
    return buffer.getvalue()
