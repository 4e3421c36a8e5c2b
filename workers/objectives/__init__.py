"""Objectives: the problems that networks are trained for, one module each.

To add one, write its module with a function `objective`, which gives it, add its name to `jobs.names` and its record to
`jobs.spec.objective`. One of the user's own is named by its import path.
"""

import importlib

from jobs import names
from jobs.errors import BadInputError, nearest
from jobs.stages.common import ObjectiveParams
from workers.factories import check_arguments, import_factory
from workers.objectives._base import Objective, Reduction, check_batch, one_tensor, over_samples

__all__ = ["Objective", "Reduction", "check_batch", "find_objective", "one_tensor", "over_samples"]


def find_objective(params: ObjectiveParams) -> Objective:
    """The objective that a task names: one of ours, or one of the user's own as `package.module:callable`.

    Raises:
        BadInputError: The name is unknown, the settings do not fit, or what it names gives no objective.
    """
    where = f"objective '{params.name}'"
    if ":" in params.name:
        factory = import_factory(params.name, where=where, gives=Objective)
    elif params.name in names.OBJECTIVES:
        factory = importlib.import_module(f"workers.objectives.{params.name.replace('-', '_')}").objective
    else:
        raise BadInputError(f"{where}: unknown; {nearest(params.name, names.OBJECTIVES)}")
    settings = params.settings or {}
    check_arguments(factory, settings, where=where)
    found = factory(**settings)
    if not isinstance(found, Objective):
        raise BadInputError(f"{where}: gives {type(found).__name__}; it must give a workers.objectives.Objective")
    return found
