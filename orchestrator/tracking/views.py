"""Saved views of MLflow's page of runs: which charts, columns and runs it shows when an address is opened. Pure.

Since version 3.16 MLflow keeps a view as a tag of the experiment; the form is that which its own page writes (3.17).
"""

import json
import zlib
from base64 import b64encode
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import cycle

from jobs.identity import Json
from jobs.metric import Metric
from orchestrator.results import SweepRecord
from orchestrator.tracking.address import FIRST_VIEW
from orchestrator.tracking.means import REACHED, MeanCurve, deviation_name, is_level, is_random

VIEW_TAG = "mlflow.sharedViewState."
"""On an experiment, with the view's id: its name, its times, and its state."""

_LATENCY = "latency_p50_s"
_COLUMNS = ("params.`model`", "params.`method`", "params.`protocol`")
_OTHERS = "Model metrics"
"""The section in which MLflow's page shows what has no section of its own."""
_HEIGHT_PX = 430
"""Of a chart: with its title and its axes, it fits on a screen of 900 pixels."""
_LEVELS = {True: "#1b1464", False: "#8c3b1b"}
_RANDOM = "#8c8c8c"
_COLORS = (
    "#0072b2", "#d55e00", "#009e73", "#cc79a7", "#e69f00", "#56b4e9", "#7b4fa3", "#b0a000",
    "#1b9e9e", "#e7298a", "#5c8a1e", "#8a5a2b", "#3b4cc0", "#ff6f61", "#4d9221", "#9e4f6f",
)  # fmt: skip
"""The first eight after Okabe and Ito: told apart by colour-blind readers."""
_LIGHTER = (0.0, 0.45, 0.65, 0.25)
"""Shares of white, by protocol."""


@dataclass(frozen=True, slots=True, kw_only=True)
class View:
    """A view of the curves.

    Attributes:
        key: Its id.
        name: Its name in MLflow's list of views.
        x: The metric along the x axis.
    """

    key: str
    name: str
    x: str


def views_of(means: Sequence[MeanCurve]) -> tuple[View, ...]:
    """The views that the mean curves have something for, the first one first."""
    primaries, keys = _primaries(means), _keys(means)
    if not primaries:
        return ()
    quality = primaries[0].label if len(primaries) == 1 else "quality"
    views = [
        View(key=FIRST_VIEW, name=f"{quality} against compression", x=REACHED),
        View(key="orchard-macs", name=f"{quality} against MACs", x="macs"),
    ]
    latency = next((key for key in keys if key.split()[0] == _LATENCY), None)
    if latency is not None:
        views.append(View(key="orchard-latency", name=f"{quality} against latency", x=latency))
    return tuple(view for view in views if view.x in keys)


def view_tags(means: Sequence[MeanCurve], created_ms: int) -> dict[str, str]:
    """The tags that make MLflow list the views.

    Args:
        means: The mean curves, as far as measured.
        created_ms: When the experiment was created; MLflow lists the latest view first.
    """
    views = views_of(means)
    return {
        f"{VIEW_TAG}{view.key}": _envelope(view, state_of(view, means), created_ms + len(views) - place)
        for place, view in enumerate(views)
    }


def state_of(view: View, means: Sequence[MeanCurve]) -> dict[str, Json]:
    """What MLflow's page of runs is told to show: one large chart per primary metric, the others folded away."""
    primaries, section = _primaries(means), f"{view.key}-curves"
    quality = [f"metrics.`{key}`" for each in primaries for key in (each.name, deviation_name(each.name))]
    costs = [f"metrics.`{key}`" for key in dict.fromkeys(("compression", "macs", view.x)) if key != REACHED]
    return {
        "searchFilter": "",
        "orderByKey": "attributes.start_time",
        "orderByAsc": False,
        "startTime": "ALL",
        "lifecycleFilter": "Active",
        "datasetsFilter": [],
        "modelVersionFilter": "All Runs",
        "selectedColumns": [*_COLUMNS, *quality, *costs, "tags.`orchard.area`"],
        "runsHiddenMode": "SHOW_ALL",
        "compareRunCharts": [_chart(view, metric, section) for metric in primaries],
        "compareRunSections": [
            {"uuid": section, "name": view.name, "display": True, "columns": 1, "cardHeight": _HEIGHT_PX},
            {"uuid": f"{view.key}-others", "name": _OTHERS, "display": False},
        ],
        "isAccordionReordered": True,
        "hideEmptyCharts": True,
        "useGroupedValuesInCharts": True,
        "groupBy": None,
        "chartsSearchFilter": "",
    }


def colors(record: SweepRecord, means: Sequence[MeanCurve]) -> list[str]:
    """A colour for the line of each mean curve: a hue per method, dark for dense networks, lighter by the protocol."""
    hues: dict[tuple[str, str, str], str] = {}
    protocols: dict[tuple[str, str, str], int] = {}
    offered, chosen = cycle(_COLORS), []
    for mean in means:
        plan = mean.plan
        method = plan.model, plan.dataset, plan.method
        if method not in hues:
            level = _LEVELS[not plan.baseline] if is_level(plan) else None
            hues[method] = level or (_RANDOM if is_random(record, plan) else next(offered))
        place = protocols[method] = protocols.get(method, -1) + 1
        chosen.append(_lighter(hues[method], _LIGHTER[min(place, len(_LIGHTER) - 1)]))
    return chosen


def _lighter(color: str, share: float) -> str:
    """A colour, mixed with a share of white."""
    parts = (int(color[start : start + 2], 16) for start in (1, 3, 5))
    return "#" + "".join(f"{round(part + (255 - part) * share):02x}" for part in parts)


def _envelope(view: View, state: Mapping[str, Json], created_ms: int) -> str:
    packed = b64encode(zlib.compress(json.dumps(state).encode(), 9)).decode()
    return json.dumps(
        {"name": view.name, "createdAt": created_ms, "updatedAt": created_ms, "state": f"deflate;{packed}"}
    )


def _chart(view: View, metric: Metric, section: str) -> dict[str, Json]:
    return {
        "type": "LINE",
        "uuid": f"{view.key}-{metric.name}",
        "metricSectionId": section,
        "deleted": False,
        "isGenerated": False,
        "displayName": f"{metric.label} against {view.x}",
        "metricKey": metric.name,
        "selectedMetricKeys": [metric.name],
        "xAxisKey": "metric",
        "selectedXAxisMetricKey": view.x,
        "useGlobalXaxisKey": False,
        "xAxisScaleType": "linear",
        "yAxisKey": "metric",
        "yAxisExpressions": [],
        "scaleType": "linear",
        "range": {},
        "lineSmoothness": 0,
        "useGlobalLineSmoothing": False,
        "displayPoints": True,
        "ignoreOutliers": False,
    }


def _primaries(means: Sequence[MeanCurve]) -> list[Metric]:
    found = {point.primary.name: point.primary for mean in means for each in mean.seeds for point in each.points}
    return list(found.values())


def _keys(means: Sequence[MeanCurve]) -> dict[str, None]:
    return dict.fromkeys(key for mean in means for row in mean.rows for key in row.metrics)
