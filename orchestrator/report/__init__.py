"""A sweep's curves for people: a figure, a table of all points and one self-contained page.

Everything is made from the curves and their orders, so that it can be made again whenever the store is there. This
package refuses to know where curves come from; `comparison` says what they amount to, `figure`, `patterns`, `table`
and `page` each make one kind of thing, and matplotlib is imported when the first figure is drawn.
"""

from collections.abc import Sequence
from pathlib import Path

from orchestrator.report.comparison import areas, areas_of_curves, changes_to_dense, pareto_front
from orchestrator.report.figure import draw_curves
from orchestrator.report.page import figure_title, html_page, sweep_yaml
from orchestrator.report.patterns import draw_patterns
from orchestrator.report.settings import Resources, collect_resources, settings_csv
from orchestrator.report.table import areas_csv, kept_csv, orders_csv, points_csv, summarize, summary_table
from orchestrator.results import Curve, SweepRecord
from orchestrator.results.orders import GroupOrder

__all__ = [
    "areas_of_curves",
    "collect_resources",
    "draw_curves",
    "html_page",
    "points_csv",
    "report_files",
    "summarize",
    "summary_table",
    "write_report",
]


def report_files(
    record: SweepRecord, curves: Sequence[Curve], orders: Sequence[GroupOrder], resources: Resources | None = None
) -> dict[str, bytes]:
    """The whole report.

    `curves.png`, `points.csv`, `areas.csv` (under the curves), `settings.csv` (what the tasks behind each curve were
    told, and what they took), `report.html`, the sweep file as it was run; where channels or weights were taken,
    `kept.csv` and `kept.png`; where they were ordered, `orders.csv`.

    Args:
        record: What the sweep asked for.
        curves: What it has measured so far.
        orders: The channel orders that the curves rest on.
        resources: What the tasks took that the curves rest on.
    """
    summary = summarize(curves)
    figure = draw_curves(curves, figure_title(record, summary.metric))
    patterns = draw_patterns(curves, f"{record.name}: what is kept")
    files = {
        "curves.png": figure,
        "points.csv": points_csv(record, curves, changes_to_dense(curves), pareto_front(curves)).encode(),
        "areas.csv": areas_csv(areas(summary), summary.metric).encode(),
        "settings.csv": settings_csv(curves, resources or {}).encode(),
        "report.html": html_page(record, curves, figure=figure, patterns=patterns).encode(),
        "sweep.yaml": sweep_yaml(record).encode(),
    }
    if patterns:
        files |= {"kept.csv": kept_csv(curves).encode(), "kept.png": patterns}
    if orders:
        files["orders.csv"] = orders_csv(orders).encode()
    return files


def write_report(
    record: SweepRecord,
    curves: Sequence[Curve],
    orders: Sequence[GroupOrder],
    folder: Path,
    resources: Resources | None = None,
) -> tuple[Path, ...]:
    """Write the report into a folder, which is made if needed; returns the files."""
    folder.mkdir(parents=True, exist_ok=True)
    paths = []
    for name, content in report_files(record, curves, orders, resources).items():
        path = folder / name
        path.write_bytes(content)
        paths.append(path)
    return tuple(paths)
