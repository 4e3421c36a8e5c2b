"""The settings and resource usage of the tasks behind a sweep's curves."""

import csv
import io
from collections.abc import Mapping, Sequence

from jobs.artifact import Store
from orchestrator.planning import PlannedCurve
from orchestrator.results import Curve
from orchestrator.results.lineage import made_of, read_lineage, resources_of

CurveResources = Mapping[PlannedCurve, Mapping[str, str]]
"""Curve -> stage -> resource usage of the tasks behind its last measured point, as text."""


def collect_resources(curves: Sequence[Curve], store: Store) -> CurveResources:
    """The resource usage of all tasks behind the last measured point of every curve."""
    last = {curve.plan: curve.points[-1].keys for curve in curves if curve.points}
    manifests = read_lineage({key for keys in last.values() for key in keys}, store)
    used = {}
    for plan, keys in last.items():
        ancestors, waiting = set[str](), list(keys)
        while waiting:
            each = waiting.pop()
            if each not in ancestors and each in manifests:
                ancestors.add(each)
                waiting += made_of(manifests[each])
        used[plan] = resources_of(manifests[each] for each in sorted(ancestors))
    return used


def settings_csv(curves: Sequence[Curve], resources: CurveResources) -> str:
    """CSV with a row per curve and setting; the resource usage of a stage is the setting `resources.STAGE`."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(["model", "dataset", "method", "protocol", "seed", "setting", "value"])
    for curve in curves:
        plan = curve.plan
        names = [plan.model, plan.dataset, plan.method, plan.protocol, plan.seed]
        used = {f"resources.{stage}": words for stage, words in resources.get(plan, {}).items()}
        writer.writerows([*names, setting, value] for setting, value in {**plan.settings, **used}.items())
    return text.getvalue()


def differing_settings(curves: Sequence[Curve]) -> tuple[list[str], list[list[str]]]:
    """The settings in which the methods of a sweep differ: the table's head, and a row for each setting."""
    plans = {curve_title(curve.plan): curve.plan for curve in curves}
    names = sorted({name for plan in plans.values() for name in plan.settings})
    rows = [[name, *(plan.settings.get(name, "") for plan in plans.values())] for name in names]
    return ["setting", *plans], [row for row in rows if len(set(row[1:])) > 1]


def curve_title(plan: PlannedCurve) -> str:
    """A curve's label without its seed."""
    return plan.label.rpartition("/")[0]
