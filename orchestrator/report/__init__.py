"""The report of a sweep: figures, tables and one self-contained HTML page, made from curves and channel orders.

Pure apart from `write_report`; matplotlib is imported when the first figure is drawn.
"""

from collections.abc import Collection, Sequence
from pathlib import Path

from orchestrator.private import make_private
from orchestrator.report.choice import choose
from orchestrator.report.comparison import areas, areas_of_curves, changes_to_dense, pareto_front
from orchestrator.report.csv_files import areas_csv, kept_csv, orders_csv, points_csv
from orchestrator.report.failures import LostPoints, collect_failures
from orchestrator.report.figure import draw_curves
from orchestrator.report.labelled import by_label, few_models
from orchestrator.report.page import draw_shown, html_page, sweep_yaml
from orchestrator.report.patterns import draw_patterns
from orchestrator.report.settings import CurveResources, collect_resources, settings_csv
from orchestrator.report.speed import speed_table, summarize_speed
from orchestrator.report.table import summaries, summarize
from orchestrator.report.terminal import summary_tables
from orchestrator.results import Curve, SweepRecord
from orchestrator.results.orders import GroupOrder
from orchestrator.results.targets import target_of

__all__ = [
    "areas_of_curves",
    "collect_failures",
    "collect_resources",
    "draw_curves",
    "few_models",
    "html_page",
    "points_csv",
    "report_files",
    "speed_table",
    "summarize",
    "summarize_speed",
    "summary_tables",
    "target_of",
    "write_report",
]


def report_files(
    record: SweepRecord,
    curves: Sequence[Curve],
    orders: Sequence[GroupOrder],
    resources: CurveResources | None = None,
    lost: Sequence[LostPoints] = (),
    by: str | None = None,
) -> dict[str, bytes]:
    """All files of the report, by name.

    Figures show what can be read (`choose`), tables have everything: `curves.png`, `points.csv`, `areas.csv` (areas
    under the curves), `settings.csv` (settings and resource usage of the tasks behind each curve), `report.html`,
    `sweep.yaml` (the sweep file as it was run); where channels or weights were pruned, `kept.csv` and `kept.png`; where
    channels were ordered, `orders.csv`.

    Args:
        record: The sweep.
        curves: Its curves, as far as measured.
        orders: The channel orders behind the curves.
        resources: The resource usage of the tasks behind the curves.
        lost: The failures of its last run.
        by: A label of its models: figures, the page and areas take those of one value together (`by_label`).

    Raises:
        BadInputError: No model has this label.
    """
    taken = curves if by is None else by_label(curves, by)
    shown = choose(taken)
    figure = draw_shown(record, shown)
    patterns = draw_patterns(shown.curves, f"{record.name}: fraction kept")
    sweep = sweep_yaml(record)
    files = {
        "curves.png": figure,
        "points.csv": points_csv(record, curves, changes_to_dense(curves), pareto_front(curves)).encode(),
        "areas.csv": areas_csv({row: area for each in summaries(taken) for row, area in areas(each).items()}).encode(),
        "settings.csv": settings_csv(curves, resources or {}).encode(),
        "report.html": html_page(record, taken, figure=figure, patterns=patterns, sweep=sweep, lost=lost).encode(),
        "sweep.yaml": sweep.encode(),
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
    resources: CurveResources | None = None,
    lost: Sequence[LostPoints] = (),
    by: str | None = None,
) -> tuple[Path, ...]:
    """Write the report into a folder, which is created if needed, for its owner alone; returns the files.

    Tables and figures of an earlier report that this one does not have are removed: they would be taken for its own.
    """
    files = report_files(record, curves, orders, resources, lost, by)
    make_private(folder)
    _remove_earlier(folder, files)
    paths = []
    for name, content in files.items():
        path = folder / name
        path.write_bytes(content)
        paths.append(path)
    return tuple(paths)


def _remove_earlier(folder: Path, written: Collection[str]) -> None:
    """Remove the occasional files of an earlier report; tables with another head are none of ours."""
    for table, head, names in (
        ("kept.csv", kept_csv(()), ("kept.csv", "kept.png")),
        ("orders.csv", orders_csv(()), ("orders.csv",)),
    ):
        path = folder / table
        if table not in written and path.is_file() and path.read_bytes().startswith(head.encode()):
            for name in names:
                (folder / name).unlink(missing_ok=True)
