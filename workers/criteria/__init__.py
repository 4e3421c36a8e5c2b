"""Criteria: channel importance, as a score for every unit of every channel group.

They are grouped by their inputs: `weights`, `activations` or `gradients`; one of more than a few statements has a file
of its own. A criterion uses weights and the statistics of an observation; it reads no data itself. To add a criterion,
write it and add a line here and in `jobs.names`; one of the user's own is named by its import path.
"""

from collections.abc import Mapping
from types import MappingProxyType

from workers.criteria._base import Criterion, Evidence, Scores, criterion
from workers.criteria.activations import (
    apoz,
    chip,
    hrank,
    mean_absolute_activation,
    mean_l1,
    mean_l2,
    mean_mean,
    mean_std,
    var_l2,
)
from workers.criteria.batchnorm_scale import batchnorm_scale
from workers.criteria.gradients import absolute_loss_change, fisher, loss_change, obd, snip, taylor
from workers.criteria.synflow import synflow
from workers.criteria.weights import fpgm, l1, l2, lamp, random, unit_norm
from workers.factories import find_declared

CRITERIA: Mapping[str, Criterion] = MappingProxyType(
    {
        "absolute-loss-change": absolute_loss_change,
        "apoz": apoz,
        "batchnorm-scale": batchnorm_scale,
        "chip": chip,
        "fisher": fisher,
        "fpgm": fpgm,
        "hrank": hrank,
        "l1": l1,
        "l2": l2,
        "lamp": lamp,
        "loss-change": loss_change,
        "mean-absolute-activation": mean_absolute_activation,
        "mean-l1": mean_l1,
        "mean-l2": mean_l2,
        "mean-mean": mean_mean,
        "mean-std": mean_std,
        "obd": obd,
        "random": random,
        "snip": snip,
        "synflow": synflow,
        "taylor": taylor,
        "unit-norm": unit_norm,
        "var-l2": var_l2,
    }
)
"""The criteria that a sweep can name."""

__all__ = ["CRITERIA", "Criterion", "Evidence", "Scores", "criterion", "find_criterion"]


def find_criterion(name: str) -> Criterion:
    """One of ours, or one of the user's own as `package.module:callable`.

    Raises:
        BadInputError: The name is unknown, or what it names is no criterion.
    """
    return find_declared(
        name,
        CRITERIA,
        Criterion,
        where=f"criterion '{name}'",
        declare="@workers.criteria.criterion()",
    )
