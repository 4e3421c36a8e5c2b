"""Takes the models of a sweep together by a label, so that a report shows few curves of hundreds of networks. Pure."""

from collections.abc import Iterable, Sequence
from dataclasses import replace

from jobs.errors import BadInputError, nearest
from orchestrator.report.panels import MOST_PANELS
from orchestrator.results import Curve


def labels_of(curves: Iterable[Curve]) -> tuple[str, ...]:
    """The labels that some model has, in the order of the sweep."""
    return tuple(dict.fromkeys(name for curve in curves for name in curve.plan.labels))


def by_label(curves: Sequence[Curve], label: str) -> tuple[Curve, ...]:
    """The curves with `LABEL=VALUE` for their models; every model and seed of a value is a seed of that.

    So a mean over the seeds is one over all networks of the value, and a point is still compared with its own dense
    network. Values that are numbers are in their order, others as they come; models without the label are left out.

    Args:
        curves: The curves of a sweep.
        label: One of its labels.

    Raises:
        BadInputError: No model has this label.
    """
    known = labels_of(curves)
    if not known:
        raise BadInputError(
            f"by '{label}': no model of the sweep has labels; give some in `models` (labels, or a table)"
        )
    if label not in known:
        raise BadInputError(f"by '{label}': no model has this label; {nearest(label, known)}")
    values: dict[str, dict[tuple[str, int], int]] = {}
    for plan in (curve.plan for curve in curves if label in curve.plan.labels):
        members = values.setdefault(plan.labels[label], {})
        members.setdefault((plan.model, plan.seed), len(members))
    grouped = [
        (value, replace(curve, plan=replace(plan, model=f"{label}={value}", seed=values[value][plan.model, plan.seed])))
        for curve in curves
        for plan in [curve.plan]
        if (value := plan.labels.get(label)) is not None
    ]
    order = _ordered(list(values))
    return tuple(curve for _, curve in sorted(grouped, key=lambda each: order.index(each[0])))


def few_models(curves: Sequence[Curve]) -> tuple[tuple[Curve, ...], str]:
    """The curves for a terminal: by the first label, where models have one and are more than a figure has panels.

    Returns:
        The curves, and that label; empty where all models are shown.
    """
    labels = labels_of(curves)
    if not labels or len({curve.plan.model for curve in curves}) <= MOST_PANELS:
        return tuple(curves), ""
    return by_label(curves, labels[0]), labels[0]


def _ordered(values: Sequence[str]) -> list[str]:
    try:
        return sorted(values, key=float)
    except ValueError:
        return list(values)
