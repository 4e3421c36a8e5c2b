"""Plans unstructured methods: rounds of magnitude pruning and training of the remaining weights."""

from jobs.spec.training import Recipe
from jobs.spec.unstructured import UnstructuredMethod
from jobs.stages.base import ArtifactKey
from jobs.stages.pruning import PruneParams, WeightPruning
from jobs.stages.training import FurtherTraining
from orchestrator.planning.collector import TaskCollector
from orchestrator.planning.networks import add_early_train_task, add_retrain_task, add_train_task, recipe_of
from orchestrator.planning.trial import Trial


def plan_unstructured(tasks: TaskCollector, spec: UnstructuredMethod, trial: Trial) -> ArtifactKey:
    """The network without its smallest weights; with `rewind`, a trained lottery ticket."""
    network, begin = add_train_task(tasks, trial.model, trial.seed), 0
    rewound = None
    if spec.rewind is not None:
        begin = spec.rewind.epoch
        rewound = add_early_train_task(tasks, trial.model, trial.seed, begin)
    for number in range(1, spec.rounds + 1):
        procedure = WeightPruning(
            network=network,
            rewound=rewound,
            scope=spec.scope,
            linear=spec.linear,
            compression=trial.compression,
            round=number,
            rounds=spec.rounds,
            schedule=spec.schedule if spec.schedule != "geometric" else None,
        )
        network = tasks.add(PruneParams(procedure=procedure), trial.label, model=trial.model)
        if rewound is not None or number < spec.rounds:
            recipe = Recipe.of(recipe_of(tasks, trial.model), begin=begin, distill=spec.distill)
            network = add_retrain_task(tasks, FurtherTraining(network=network, recipe=recipe), trial)
    return network
