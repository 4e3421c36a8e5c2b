"""The tasks of integral methods: permute, train at all sizes, tune, resample."""

from collections.abc import Mapping
from dataclasses import replace

from jobs import names
from jobs.identity import Json
from jobs.spec import IntegralMethod, IntegralTrainSpec, OrderingSpec
from jobs.task import StageKind
from orchestrator.planning import networks
from orchestrator.planning.allocation import Cut, chosen
from orchestrator.planning.collector import Collector
from orchestrator.planning.trial import Trial


def pruned(tasks: Collector, spec: IntegralMethod, trial: Trial, designs: Mapping[str, str]) -> str:
    """The integral network, resampled to the wanted size."""
    permuted = _integral(tasks, spec, trial)
    how: dict[str, Json] = {"how": "resample", "partition": spec.partition, "quadrature": spec.quadrature}
    cut = Cut(network=permuted, how=how)
    if spec.ordering.choice != "shortest":
        cut = replace(cut, network=_reordered(tasks, spec, cut, trial, designs))
    choice = chosen(tasks, spec.allocation, cut, trial, designs)
    params, inputs = {**how, **choice.params}, dict(choice.inputs)
    if spec.tune:
        tuning = {**params, "tune": spec.tune.model_dump(mode="json"), "data": tasks.data_params, "seed": trial.seed}
        del tuning["how"]  # there is but one
        inputs["partition"] = tasks.add(StageKind.TUNE, tuning, choice.inputs, trial.label, tasks.data_location)
    return tasks.add(StageKind.PRUNE, params, inputs, trial.label)


def _integral(tasks: Collector, spec: IntegralMethod, trial: Trial) -> str:
    """The network with its channels in the order in which they are functions, trained as such where asked."""
    model, seed, label = trial.model, trial.seed, trial.shared_label
    scratch = spec.train is not None and spec.train.start == "scratch"
    start = networks.untrained(tasks, model, seed) if scratch else networks.trained(tasks, model, seed)
    converted = networks.converted(tasks, start, fold=not spec.keeps_batchnorm, label=label)
    order = OrderingSpec(method="identity") if scratch else spec.ordering
    ordering: dict[str, Json] = {
        "ordering": order.solved,
        "seed": seed if order.method in names.DRAWN_ORDERINGS else None,
    }
    permuted = tasks.add(StageKind.PERMUTE, ordering, {"network": converted}, label)
    return _trained_at_all_sizes(tasks, permuted, spec.train, seed, label) if spec.train else permuted


def _reordered(tasks: Collector, spec: IntegralMethod, cut: Cut, trial: Trial, designs: Mapping[str, str]) -> str:
    """The network in the orders that suit one size best."""
    choice = chosen(tasks, spec.allocation, cut, trial, designs)
    params: dict[str, Json] = {"choice": spec.ordering.choice, "partition": spec.partition, **choice.params}
    if spec.ordering.choice == "reconstruction":
        return tasks.add(StageKind.CHOOSE, params, choice.inputs, trial.label)
    params |= {"quadrature": spec.quadrature, "num_images": spec.ordering.images}
    params |= {"data": tasks.data_params, "seed": trial.seed}
    return tasks.add(StageKind.CHOOSE, params, choice.inputs, trial.label, tasks.data_location)


def _trained_at_all_sizes(tasks: Collector, permuted: str, spec: IntegralTrainSpec, seed: int, label: str) -> str:
    params: dict[str, Json] = {
        "how": "functions",
        "train": spec.model_dump(mode="json", exclude={"smallest", "start"}),
        "smallest": spec.smallest,
        "data": tasks.data_params,
        "seed": seed,
    }
    return tasks.add(StageKind.TRAIN, params, {"network": permuted}, label, tasks.data_location)
