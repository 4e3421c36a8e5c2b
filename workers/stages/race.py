"""Stage `race`: which of several trainings go on after a rung."""

import math
from collections.abc import Mapping, Sequence

from jobs.identity import Json
from jobs.measured import number
from jobs.stages.training import RaceParams
from workers.objectives import find_objective
from workers.stages._base import Context, Product
from workers.stages._racing import is_racing


def run(context: Context[RaceParams]) -> Product:
    """Rank the methods that are still in the race, by the mean of the primary metric over their seeds.

    Where that is equal, the lower loss decides. A method whose training fails with one of the seeds is out. Measures
    the others, the best first (`ranked`: the keys of their `trainings` and the `value`), and how many are `kept`.
    """
    params, primary = context.params, find_objective(context.params.objective).primary
    found = []
    for trainings in params.entrants:
        if context.task.absent.intersection(trainings):
            continue
        measured = [context.artifacts.manifest(key).measurements for key in trainings]
        if all(map(is_racing, measured)):
            found.append((trainings, _mean(measured, "rung_value"), _mean(measured, "rung_loss")))
    ranked = sorted(found, key=lambda each: (primary.cost(each[1]), each[2]))
    return Product(
        measurements={
            "ranked": [{"trainings": list(trainings), "value": value} for trainings, value, _ in ranked],
            "kept": math.ceil(params.keep * len(ranked)),
        }
    )


def _mean(measured: Sequence[Mapping[str, Json]], name: str) -> float:
    return math.fsum(number(each, name) for each in measured) / len(measured)
