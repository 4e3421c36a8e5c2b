"""Parameters of the stages that find channel groups and order their channels.

These are analyse, convert, order, permute and choose.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, ClassVar, Literal

from pydantic import Field

from jobs.identity import Json
from jobs.measured import count, records, text
from jobs.spec.base import Record
from jobs.spec.effort import SolverLimits
from jobs.spec.inputs import NetworkInputs
from jobs.stages.base import AppearingTask, ArtifactKey, JoiningParams, StageParams
from jobs.stages.common import (
    CalibrationParams,
    DatasetParams,
    ObjectiveParams,
    PartitionName,
    QuadratureName,
    RepairName,
    WidthParams,
)

_PLACEHOLDER_GROUPS = 16
_NARROW, _BATCH = 128, 256  # channels: groups narrower than the first share tasks of at most the second


@dataclass(frozen=True, slots=True, kw_only=True)
class Architecture:
    """A network without its weights: what its structure depends on.

    Attributes:
        network: As the sweep file names it.
        source: Fingerprint of the user's own module, or the version of the library.
        arguments: Keyword arguments of the network.
        inputs: What it takes; None: what the data shows.
        arguments_of: What identifies weights whose arguments the network has, too (`jobs.weights.brings_arguments`).
        backbone: Of the network that it is built around; None for a network by itself.
    """

    network: str
    source: str | None = None
    arguments: dict[str, Any] = field(default_factory=dict)
    inputs: NetworkInputs | None = None
    arguments_of: str | None = None
    backbone: "Architecture | None" = None


@dataclass(frozen=True, slots=True, kw_only=True)
class AnalyseParams(StageParams):
    """Parameters of `analyse`, which looks at no weights: one analysis serves all networks of an architecture.

    Attributes:
        data: The data set, only where it shows what the network takes.
        fold_batchnorm: Whether batch norms are folded where possible.
        parts: The parts whose channels may go; None for a network that is traced whole.
    """

    architecture: Architecture
    data: DatasetParams | None = None
    fold_batchnorm: bool
    parts: tuple[str, ...] | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class ConvertParams(StageParams):
    """Parameters of `convert`.

    Attributes:
        network: The network with its weights, at its full widths.
        analysis: Of its architecture.
    """

    network: ArtifactKey
    analysis: ArtifactKey


@dataclass(frozen=True, slots=True, kw_only=True)
class OrderingParams:
    """What the order of a group's channels depends on besides the network.

    Attributes:
        limits: Of the solvers that find the order and its bound.
        pool: Orders to keep, where there will be a choice.
        ortools: Version of the solvers.
    """

    method: Literal["tsp", "identity", "random", "norm", "spectral"]
    metric: Literal["l1", "l2", "cosine"]
    normalize: Literal["none", "tensor"]
    limits: SolverLimits
    pool: int | None = None
    ortools: str


@dataclass(frozen=True, slots=True, kw_only=True)
class OrderParams(StageParams):
    """Parameters of `order`.

    Attributes:
        groups: Names of the channel groups to order.
    """

    network: ArtifactKey
    groups: tuple[str, ...]
    ordering: OrderingParams


@dataclass(frozen=True, slots=True, kw_only=True)
class PermuteParams(JoiningParams):
    """Parameters of `permute`, which joins the `order` tasks of the groups that `convert` found.

    Attributes:
        coefficients: Of the channels' functions, per channel; None: as many as channels, which changes no function.
    """

    adds: ClassVar[type[StageParams]] = OrderParams
    network: ArtifactKey
    ordering: OrderingParams
    coefficients: float | None = None

    @property
    def source(self) -> ArtifactKey:
        """The converted network, which lists its channel groups."""
        return self.network

    def placeholder_measurements(self) -> Mapping[str, Json]:
        """A few channel groups of medium width."""
        return {"groups": [{"name": f"group{number}", "width": 64} for number in range(_PLACEHOLDER_GROUPS)]}

    def branches(self, measured: Mapping[str, Json]) -> Sequence[AppearingTask]:
        """The `order` tasks; every channel group is in exactly one of them.

        A wide group has a task of its own. Narrow ones share tasks, because reading the network and committing takes as
        long as ordering several of them.
        """
        return [
            AppearingTask(
                params=OrderParams(
                    network=self.network,
                    groups=tuple(group.name for group in batch),
                    ordering=self.ordering,
                    seed=self.seed,
                ),
                name=batch[0].name + (f" and {len(batch) - 1} more" if len(batch) > 1 else ""),
                work=sum(float(group.width) ** 2 for group in batch),
            )
            for batch in _batches([_group_size(group) for group in records({"groups": measured["groups"]}, "groups")])
        ]


class OrderCertificate(Record):
    """The quality of a group's channel order; `order`, `permute` and `choose` measure it for every group."""

    group: str
    width: int
    length: float = Field(description="Total variation along the order.")
    identity_length: float = Field(description="Total variation of the original order.")
    lower_bound: float = Field(description="Proven lower bound on the length of any order.")
    gap: float = Field(description="Optimality gap: (length - lower_bound) / length.")
    status: Literal["optimal", "feasible"]


@dataclass(frozen=True, slots=True, kw_only=True)
class GroupSize:
    """A channel group as the planning of orders sees it."""

    name: str
    width: int


def _group_size(group: Mapping[str, Json]) -> GroupSize:
    return GroupSize(name=text(group, "name"), width=count(group, "width"))


def _batches(groups: Sequence[GroupSize]) -> list[list[GroupSize]]:
    """Wide groups alone; narrow ones in order, as many per batch as fit."""
    batches = [[group] for group in groups if group.width >= _NARROW]
    shared: list[GroupSize] = []
    for group in groups:
        if group.width >= _NARROW:
            continue
        if shared and sum(each.width for each in shared) + group.width > _BATCH:
            batches.append(shared)
            shared = []
        shared.append(group)
    return [*batches, shared] if shared else batches


@dataclass(frozen=True, slots=True, kw_only=True)
class ChooseParams(StageParams):
    """Parameters of `choose`.

    Attributes:
        images: For `output`.
        objective: For `output`; None for classification.
        repair: For `output`: of the resampled networks that are compared; None: they are not repaired.
    """

    network: ArtifactKey
    widths: WidthParams
    choice: Literal["reconstruction", "output"]
    partition: PartitionName
    quadrature: QuadratureName = "product"
    images: CalibrationParams | None = None
    objective: ObjectiveParams | None = None
    repair: RepairName | None = None

    @property
    def revision(self) -> int | None:
        """That of the widths."""
        return self.widths.revision
