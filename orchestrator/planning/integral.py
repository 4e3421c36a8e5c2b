"""The tasks of integral methods: permute, train at all sizes, tune, resample."""

from jobs import names
from jobs.identity import Json
from jobs.spec import IntegralMethod, IntegralTrainSpec, OrderingSpec
from jobs.task import StageKind
from orchestrator.planning import networks
from orchestrator.planning.collector import Collector


def pruned(tasks: Collector, spec: IntegralMethod, model: str, seed: int, compression: float, label: str) -> str:
    """The integral network, resampled to the wanted size."""
    sampling: dict[str, Json] = {
        "allocation": spec.allocation,
        "compression": compression,
        "partition": spec.partition,
        "quadrature": spec.quadrature,
    }
    ordered = _chosen(tasks, _integral(tasks, model, spec, seed), spec.ordering, sampling, seed, label)
    inputs = {"network": ordered}
    if spec.tune:
        tuning = {**sampling, "tune": spec.tune.model_dump(mode="json"), "data": tasks.data_params, "seed": seed}
        tuned = tasks.add(StageKind.TUNE, tuning, {"network": ordered}, label, tasks.data_location)
        inputs = {"network": ordered, "partition": tuned}
    return tasks.add(StageKind.PRUNE, {"how": "resample", **sampling}, inputs, label)


def _integral(tasks: Collector, model: str, spec: IntegralMethod, seed: int) -> str:
    """The network with its channels in the order in which they are functions, trained as such where asked."""
    label = f"{model}/seed{seed}"
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


def _chosen(
    tasks: Collector, permuted: str, spec: OrderingSpec, sampling: dict[str, Json], seed: int, label: str
) -> str:
    """The network in the orders that suit one size best, where there is a choice."""
    if spec.choice == "shortest":
        return permuted
    if spec.choice == "reconstruction":
        read = {name: each for name, each in sampling.items() if name != "quadrature"}
        return tasks.add(StageKind.CHOOSE, {"choice": spec.choice, **read}, {"network": permuted}, label)
    data = {"num_images": spec.images, "data": tasks.data_params, "seed": seed}
    params = {"choice": spec.choice, **sampling, **data}
    return tasks.add(StageKind.CHOOSE, params, {"network": permuted}, label, tasks.data_location)


def _trained_at_all_sizes(tasks: Collector, permuted: str, spec: IntegralTrainSpec, seed: int, label: str) -> str:
    params: dict[str, Json] = {
        "how": "functions",
        "train": spec.model_dump(mode="json", exclude={"smallest", "start"}),
        "smallest": spec.smallest,
        "data": tasks.data_params,
        "seed": seed,
    }
    return tasks.add(StageKind.TRAIN, params, {"network": permuted}, label, tasks.data_location)
