"""Plans iterative pruning: a part goes, the rest is trained and looked at anew, and so on."""

from collections.abc import Callable

from jobs.spec.method import RoundsMethod
from jobs.spec.training import Recipe
from jobs.stages.base import ArtifactKey
from jobs.stages.common import PruningRound
from jobs.stages.training import FurtherTraining
from orchestrator.planning.collector import TaskCollector
from orchestrator.planning.networks import add_retrain_task
from orchestrator.planning.trial import Trial


def plan_rounds(
    tasks: TaskCollector,
    spec: RoundsMethod,
    dense: ArtifactKey,
    trial: Trial,
    prune: Callable[[ArtifactKey, PruningRound | None], ArtifactKey],
) -> ArtifactKey:
    """The network after the last round, which no training follows.

    Args:
        tasks: Collects the tasks.
        spec: The method: how many rounds, and the training between them.
        dense: The network with its channel groups.
        trial: The trial.
        prune: Adds the tasks of a round, given the network that it starts from; the round is None if it is the only
            one.
    """
    if spec.train is None:
        return prune(dense, None)
    network, recipe = dense, Recipe.of(spec.train)
    for number in range(1, spec.rounds + 1):
        which = PruningRound(number=number, rounds=spec.rounds, schedule=spec.schedule, dense=dense)
        network = prune(network, which)
        if number < spec.rounds:
            label = f"{trial.label}/round{number}"
            network = add_retrain_task(tasks, FurtherTraining(network=network, recipe=recipe), trial, label)
    return network
