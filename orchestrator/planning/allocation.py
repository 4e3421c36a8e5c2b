"""What an allocation adds to the tasks that choose widths: their parameters, and the tasks that it looks at.

Refuses to know what is done at these widths.
"""

from collections.abc import Mapping
from dataclasses import dataclass

from jobs.identity import Json
from jobs.spec import (
    AllocationSpec,
    BestScoreAllocation,
    LeastErrorAllocation,
    OwnAllocation,
    SensitivityAllocation,
    UniformAllocation,
)
from jobs.task import StageKind
from orchestrator.planning.collector import Collector
from orchestrator.planning.trial import Trial


@dataclass(frozen=True, slots=True, kw_only=True)
class Cut:
    """What is to be made smaller, and how.

    Attributes:
        network: Key of the task that leaves the network with its channel groups.
        how: The parameters that say how it is made smaller at given widths.
        scores: Key of the task that scored its channels; None where none are scored.
    """

    network: str
    how: Mapping[str, Json]
    scores: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Choice:
    """What a task that chooses widths has in its identity.

    Attributes:
        params: How it chooses.
        inputs: What it looks at, the network included.
    """

    params: Mapping[str, Json]
    inputs: Mapping[str, str]


def chosen(tasks: Collector, spec: AllocationSpec, cut: Cut, trial: Trial, designs: Mapping[str, str]) -> Choice:
    """How a task chooses widths, with the tasks for that added.

    Args:
        tasks: Where tasks are collected.
        spec: The allocation.
        cut: What is made smaller.
        trial: What for.
        designs: Role -> key of what a guided allocation looks at.
    """
    inputs = {"network": cut.network, **({"scores": cut.scores} if cut.scores else {}), **designs}
    if "losses" in spec.wants:
        inputs["losses"] = _sensed(tasks, spec, cut, trial)
    if "latency" in spec.wants or tasks.spec.target == "latency":
        batch_size = tasks.spec.profile.batch_size
        inputs["profile"] = tasks.add(
            StageKind.PROFILE, {"batch_size": batch_size}, {"network": cut.network}, trial.label
        )
    params: dict[str, Json] = {"allocation": _params(tasks, spec), "compression": trial.compression}
    if tasks.spec.target != "parameters":
        params["target"] = tasks.spec.target
    return Choice(params=params, inputs=inputs)


def _params(tasks: Collector, spec: AllocationSpec) -> Json:
    if isinstance(spec, UniformAllocation | LeastErrorAllocation):
        return spec.kind  # without settings
    record: dict[str, Json] = {"kind": spec.kind, "settings": spec.settings}
    if isinstance(spec, OwnAllocation):
        return {**record, "kind": spec.choose, "needs": list(spec.needs), "source": tasks.source_of(spec.choose)}
    if isinstance(spec, BestScoreAllocation):
        record["ortools"] = tasks.surroundings.ortools_version
        if spec.memory is not None:
            record["settings"]["batch_size"] = tasks.spec.profile.batch_size
    return record


def _sensed(tasks: Collector, spec: AllocationSpec, cut: Cut, trial: Trial) -> str:
    """The losses that every compression and target shares."""
    asked = spec if isinstance(spec, SensitivityAllocation) else SensitivityAllocation(kind="sensitivity")
    params: dict[str, Json] = {
        **cut.how,
        "fractions": list(asked.fractions),
        "num_images": asked.images,
        "batch_size": asked.batch_size,
        "data": tasks.data_params,
        "seed": trial.seed,
    }
    inputs = {"network": cut.network, **({"scores": cut.scores} if cut.scores else {})}
    return tasks.add(StageKind.SENSE, params, inputs, trial.label, tasks.data_location)
