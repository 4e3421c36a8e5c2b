"""Plans sparsity-inducing training, before a criterion scores the network."""

from jobs.spec.sparsity import SparsifySpec
from jobs.spec.training import Recipe
from jobs.stages.base import ArtifactKey
from jobs.stages.training import SparseTraining
from orchestrator.planning.allocation import limits_of, multiple_of
from orchestrator.planning.architecture import add_analyse_task
from orchestrator.planning.collector import TaskCollector
from orchestrator.planning.networks import add_retrain_task, add_train_task, add_untrained_task, recipe_of
from orchestrator.planning.trial import Trial


def add_sparse_train_task(tasks: TaskCollector, spec: SparsifySpec, trial: Trial) -> ArtifactKey:
    """The model's network after sparsity-inducing training, shared by all compressions unless it depends on them."""
    start = add_untrained_task if spec.start == "scratch" else add_train_task
    widths_known = spec.per_compression
    prune = tasks.spec.prune_of(trial.model, trial.method)
    procedure = SparseTraining(
        network=start(tasks, trial.model, trial.seed),
        analysis=add_analyse_task(tasks, trial.model, fold=False),
        recipe=Recipe.of(recipe_of(tasks, trial.model, spec.train)),
        sparsify=spec.model_copy(update={"train": None}),
        compression=trial.compression if widths_known else None,
        target="macs" if widths_known and tasks.spec.target == "macs" else None,
        limits=limits_of(prune) if widths_known else None,
        multiple=multiple_of(prune) if widths_known else None,
    )
    return add_retrain_task(tasks, procedure, trial, label=f"{trial.model}/{spec.kind}/seed{trial.seed}")
