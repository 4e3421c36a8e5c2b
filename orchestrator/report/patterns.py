"""Draws the fractions of channels or weights that methods keep: a panel per model, a row per method.

Pruning seen as architecture search (Rethinking, section 5). No global matplotlib state.
"""

import io
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from orchestrator.report.comparison import kept_fractions
from orchestrator.report.labels import as_written
from orchestrator.results import Curve
from orchestrator.results.targets import percent

_INK, _MUTED = "#1f2328", "#667079"
_DPI = 160
_NAMED = 20  # maximum number of column labels; with more columns, only every second or third is labelled
_ACROSS = {"channels": "Channel groups", "weights": "Layers"}


@dataclass(frozen=True, slots=True, kw_only=True)
class _Panel:
    """A panel: its title, what its columns count, and its rows: (method, protocol) -> column -> fraction kept."""

    title: str
    of: str
    rows: Mapping[tuple[str, str], Mapping[str, float]]


def draw_patterns(curves: Sequence[Curve], title: str) -> bytes | None:
    """Draw the fraction of every channel group that each method keeps, at the largest compression that most measured.

    Unstructured methods have a panel of their own, with the layers' weights.

    Args:
        curves: The curves; means over the seeds are drawn.
        title: The figure's title.

    Returns:
        A PNG; None where nothing was pruned.
    """
    panels = []
    for model in dict.fromkeys((curve.plan.model, curve.plan.dataset) for curve in curves):
        mine = [curve for curve in curves if (curve.plan.model, curve.plan.dataset) == model]
        for of in _ACROSS:
            asked = _largest_common(mine, of)
            if asked is not None:
                name = f"{model[0]} on {model[1]}, {percent(asked)} removed"
                panels.append(_Panel(title=name, of=of, rows=kept_fractions(mine, asked, of)))
    return _draw(panels, title) if panels else None


def _largest_common(curves: Sequence[Curve], of: str) -> float | None:
    """The largest of the compressions that most methods which prune `of` have measured."""
    methods: dict[float, set[tuple[str, str]]] = {}
    for curve in curves:
        for point in curve.points:
            if of in point.kept:
                methods.setdefault(point.asked, set()).add((curve.plan.method, curve.plan.protocol))
    return max(methods, key=lambda asked: (len(methods[asked]), asked), default=None)


def _draw(panels: Sequence[_Panel], title: str) -> bytes:
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    heights = [len(panel.rows) for panel in panels]
    figure = Figure(figsize=(11, 0.32 * sum(heights) + 2.2 * len(panels) + 0.8), dpi=_DPI, facecolor="white")
    FigureCanvasAgg(figure)
    figure.set_layout_engine("constrained")
    figure.suptitle(as_written(title), x=0.01, ha="left", fontsize=15, weight="bold", color=_INK)
    grid = figure.subplots(len(panels), 1, squeeze=False, height_ratios=[height + 1 for height in heights])
    for axes, panel in zip(grid[:, 0], panels, strict=True):
        parts = list(dict.fromkeys(part for kept in panel.rows.values() for part in kept))
        values = [[kept.get(part, 1.0) for part in parts] for kept in panel.rows.values()]
        image = axes.imshow(values, aspect="auto", cmap="viridis", vmin=0, vmax=1, interpolation="nearest")
        axes.set_title(as_written(panel.title), loc="left", fontsize=12, color=_INK)
        labels = [method if protocol == "none" else f"{method} · {protocol}" for method, protocol in panel.rows]
        axes.set_yticks(range(len(panel.rows)), list(map(as_written, labels)), fontsize=9.5, color=_INK)
        step = 1 + len(parts) // _NAMED
        axes.set_xticks(
            range(0, len(parts), step), list(map(as_written, parts[::step])), fontsize=8, rotation=30, ha="right"
        )
        axes.set_xlabel(f"{_ACROSS[panel.of]}, in the order of the forward pass", fontsize=10.5, color=_INK)
        axes.tick_params(colors=_MUTED, length=2)
        axes.spines[:].set_visible(False)
        figure.colorbar(image, ax=axes, label=f"{panel.of.capitalize()} kept", pad=0.01)
    buffer = io.BytesIO()
    figure.savefig(buffer, format="png")
    return buffer.getvalue()
