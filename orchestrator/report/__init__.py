"""A sweep's curves for people: a figure, a table of all points and one self-contained page.

Everything is made from the curves and their orders, so that it can be made again whenever the store is there. This
package refuses to know where curves come from; `figure`, `table` and `page` each make one kind of thing, and
matplotlib is imported when the first figure is drawn.
"""

from collections.abc import Sequence
from pathlib import Path

from orchestrator.orders import GroupOrder
from orchestrator.report.figure import draw_curves
from orchestrator.report.page import figure_title, html_page, sweep_yaml
from orchestrator.report.table import orders_csv, points_csv, summarize, summary_table
from orchestrator.results import Curve, SweepRecord

__all__ = [
    "draw_curves",
    "html_page",
    "points_csv",
    "report_files",
    "summarize",
    "summary_table",
    "write_report",
]


def report_files(record: SweepRecord, curves: Sequence[Curve], orders: Sequence[GroupOrder]) -> dict[str, bytes]:
    """The whole report: `curves.png`, `points.csv`, `report.html`, the sweep file as it was run, and `orders.csv`.

    Args:
        record: What the sweep asked for.
        curves: What it has measured so far.
        orders: The channel orders that the curves rest on; without any, there is no `orders.csv`.
    """
    figure = draw_curves(curves, figure_title(record))
    files = {
        "curves.png": figure,
        "points.csv": points_csv(record, curves).encode(),
        "report.html": html_page(record, curves, figure=figure).encode(),
        "sweep.yaml": sweep_yaml(record).encode(),
    }
    return {**files, "orders.csv": orders_csv(orders).encode()} if orders else files


def write_report(
    record: SweepRecord, curves: Sequence[Curve], orders: Sequence[GroupOrder], folder: Path
) -> tuple[Path, ...]:
    """Write the report into a folder, which is made if needed; returns the files."""
    folder.mkdir(parents=True, exist_ok=True)
    paths = []
    for name, content in report_files(record, curves, orders).items():
        path = folder / name
        path.write_bytes(content)
        paths.append(path)
    return tuple(paths)
