"""What a sweep's curves were made with: what their tasks were told, and what these took."""

import csv
import io
from collections.abc import Mapping, Sequence

from jobs.artifact import Store
from orchestrator.planning import PlannedCurve
from orchestrator.results import Curve
from orchestrator.results.lineage import read_lineage, resources_of

Resources = Mapping[PlannedCurve, Mapping[str, str]]
"""Curve -> stage -> what the tasks behind its last measured point took, in words."""


def collect_resources(curves: Sequence[Curve], store: Store) -> Resources:
    """What the tasks took that made the last measured point of every curve, all that it was made from included."""
    last = {curve.plan: curve.points[-1].key for curve in curves if curve.points}
    manifests = read_lineage(last.values(), store)
    taken = {}
    for plan, key in last.items():
        behind, waiting = set[str](), [key]
        while waiting:
            each = waiting.pop()
            if each not in behind and each in manifests:
                behind.add(each)
                waiting += manifests[each].inputs.values()
        taken[plan] = resources_of(manifests[each] for each in sorted(behind))
    return taken


def settings_csv(curves: Sequence[Curve], resources: Resources) -> str:
    """A row per curve and setting of its tasks; what they took is `resources.STAGE`."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(["model", "dataset", "method", "protocol", "seed", "setting", "value"])
    for curve in curves:
        plan = curve.plan
        names = [plan.model, plan.dataset, plan.method, plan.protocol, plan.seed]
        taken = {f"resources.{stage}": words for stage, words in resources.get(plan, {}).items()}
        writer.writerows([*names, setting, value] for setting, value in {**plan.settings, **taken}.items())
    return text.getvalue()


def differing_settings(curves: Sequence[Curve]) -> tuple[list[str], list[list[str]]]:
    """The settings in which the methods of a sweep differ: the table's head, and a row for each setting."""
    plans = {curve_title(curve.plan): curve.plan for curve in curves}
    names = sorted({name for plan in plans.values() for name in plan.settings})
    rows = [[name, *(plan.settings.get(name, "") for plan in plans.values())] for name in names]
    return ["setting", *plans], [row for row in rows if len(set(row[1:])) > 1]


def curve_title(plan: PlannedCurve) -> str:
    """A curve without its seed."""
    return plan.label.rpartition("/")[0]
