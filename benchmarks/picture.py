"""Figure 1 of *Integral Neural Networks* as a picture: our committed points, and the published ones drawn in.

The points are those of `benchmarks.tables`: filled markers and solid lines. Hollow markers and dashed lines are read
off the paper's plot. Each starts from its own dense network.

    python -m benchmarks.picture MODEL OUT.png        # MODEL: nin or resnet18
"""

import argparse
from collections.abc import Mapping, Sequence
from pathlib import Path
from statistics import fmean

from matplotlib.figure import Figure

from benchmarks.published import FIGURE1, NAMES, TABLE1
from benchmarks.tables import accuracies
from orchestrator.report.labels import spread
from orchestrator.report.styles import GRID, INK, MUTED, styles_of

WIDTH, HEIGHT, DPI = 8.6, 4.4, 160
LABEL_GAP = 4.2
"""Points of accuracy between the labels at the lines' ends."""


def lines_of(model: str) -> dict[str, dict[int, float]]:
    """Method -> removed parameters in % -> our accuracy in %, the best at the right end first.

    Raises:
        SystemExit: Nothing is committed of that model.
    """
    found: dict[str, dict[int, float]] = {}
    for (name, method, size), values in accuracies("figure1").items():
        if name == model:
            found.setdefault(method, {})[size] = fmean(values)
    if not found:
        raise SystemExit(f"benchmarks/results has no points of Figure 1 for {model}; run its sweep first")
    dense = found.pop("dense")[0]
    lines = {method: {0: dense, **dict(sorted(points.items()))} for method, points in found.items()}
    return dict(sorted(lines.items(), key=lambda each: -list(each[1].values())[-1]))


def picture(model: str) -> Figure:
    """The figure; no global state of matplotlib."""
    lines, published = lines_of(model), FIGURE1[model]
    styles = {method: style for (method, _), style in styles_of((method, "none") for method in lines).items()}
    figure = Figure(figsize=(WIDTH, HEIGHT), dpi=DPI)
    axes = figure.add_axes((0.075, 0.125, 0.6, 0.78))
    for method, points in lines.items():
        style = styles[method]
        axes.plot(*_xy(points), color=style.color, marker=style.marker, markersize=4.5, linewidth=1.6)
    for method, printed in published.items():
        if method in styles:
            axes.plot(
                *_xy(printed),
                color=styles[method].color,
                marker=styles[method].marker,
                markerfacecolor="white",
                markersize=6.5,
                linestyle=(0, (4, 3)),
                linewidth=1.1,
                zorder=3,
            )
    right = max(size for points in lines.values() for size in points)
    ends = [list(points.values())[-1] for points in lines.values()]
    for (method, points), height in zip(lines.items(), spread(ends, apart=LABEL_GAP, low=2, high=98), strict=True):
        axes.annotate(
            f"{method}  {list(points.values())[-1]:.1f}",
            xy=(right, list(points.values())[-1]),
            xytext=(right + 2.5, height),
            annotation_clip=False,
            color=styles[method].ink,
            fontsize=9,
            verticalalignment="center",
            arrowprops={"arrowstyle": "-", "color": styles[method].color, "linewidth": 0.7, "relpos": (0, 0.5)},
        )
    dense = next(iter(lines.values()))[0]
    axes.set_title(
        f"{NAMES[model]} on CIFAR-10, no fine-tuning: dense {dense:.1f}, the paper's {TABLE1[model]['dense']}",
        loc="left",
        fontsize=10.5,
        color=INK,
    )
    axes.set_xlabel("parameters removed (%); hollow and dashed: published", color=INK)
    axes.set_ylabel("accuracy (%)", color=INK)
    axes.set_xlim(-1, right + 0.6)
    axes.set_ylim(0, 100)
    axes.grid(color=GRID, linewidth=0.8)
    axes.tick_params(colors=MUTED)
    axes.spines[["top", "right"]].set_visible(False)
    return figure


def _xy(points: Mapping[int, float]) -> tuple[Sequence[int], Sequence[float]]:
    return list(points), list(points.values())


def main() -> None:
    """Write the picture."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("model", choices=FIGURE1)
    parser.add_argument("out", type=Path)
    asked = parser.parse_args()
    picture(asked.model).savefig(asked.out)


if __name__ == "__main__":
    main()
