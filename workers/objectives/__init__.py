"""Objectives: the problems that networks are trained for, one module each.

To add one, write its module, whose `OBJECTIVE` it is, and add its name to `jobs.names`. One of the user's own is named
by its import path.
"""

import importlib

from jobs import names
from jobs.errors import BadInputError, nearest
from workers.factories import check_arguments, import_factory
from workers.objectives._base import Objective, Reduction, check_batch, over_samples

__all__ = ["Objective", "Reduction", "check_batch", "find_objective", "over_samples"]


def find_objective(name: str) -> Objective:
    """One of ours, or one of the user's own as `package.module:callable`, which is called without arguments.

    Raises:
        BadInputError: The name is unknown, or what it names gives no objective.
    """
    where = f"objective '{name}'"
    if ":" in name:
        factory = import_factory(name, where=where)
        check_arguments(factory, {}, where=where)
        found = factory()
    elif name in names.OBJECTIVES:
        found = importlib.import_module(f"workers.objectives.{name.replace('-', '_')}").OBJECTIVE
    else:
        raise BadInputError(f"{where}: unknown; {nearest(name, names.OBJECTIVES)}")
    if not isinstance(found, Objective):
        raise BadInputError(f"{where}: gives {type(found).__name__}; it must give a workers.objectives.Objective")
    return found
