"""Parts that the parameters of several stages share: data set, images, objective, and how widths are chosen."""

from dataclasses import dataclass, field
from typing import Annotated, Any, Literal

from pydantic import Field

from jobs import names
from jobs.rounds import Schedule, gone_after
from jobs.spec.allocation import (
    BestScoreAllocation,
    GlobalAllocation,
    IsomorphicAllocation,
    LeastErrorAllocation,
    OwnAllocation,
    PredefinedAllocation,
    SensitivityAllocation,
    SpectrumAllocation,
    TemplateAllocation,
    UniformAllocation,
)
from jobs.spec.data import NormalizeSpec
from jobs.spec.prune import ALL
from jobs.stages.base import ArtifactKey

PartitionName = Literal["adaptive", "curvature", "refined", "uniform"]
QuadratureName = Literal["product", "midpoint", "trapezoid", "simpson", "means"]
RepairName = Literal["variance"]
ClusteringName = Literal["kmeans", "ward", "cosine"]
SlicesName = Literal["incoming", "all"]
CostTarget = Literal["parameters", "macs", "latency"]
CountedTarget = Literal["parameters", "macs"]
"""What follows from widths alone."""


@dataclass(frozen=True, slots=True, kw_only=True)
class DatasetParams:
    """Which data set; where it lies is no part of it.

    Attributes:
        dataset: A data set of ours, or the user's own `package.module:callable`.
        source: Fingerprint of the user's own module.
        arguments: Keyword arguments of the data set.
        fingerprint: Names the content of its files.
    """

    dataset: str
    source: str | None = None
    arguments: dict[str, Any] = field(default_factory=dict)
    normalize: NormalizeSpec | None = None
    fingerprint: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ObjectiveParams:
    """What a network is for.

    Attributes:
        name: One of ours, or the user's own `package.module:callable`.
        source: Fingerprint of the user's own module.
        settings: Keyword arguments of what makes it; None where it takes none.
    """

    name: str = "classification"
    source: str | None = None
    settings: dict[str, Any] | None = None


CLASSIFICATION = ObjectiveParams()


@dataclass(frozen=True, slots=True, kw_only=True)
class CalibrationParams:
    """Images of the training split that a stage looks at; its seed chooses them.

    Attributes:
        num_images: How many; None: all.
    """

    data: DatasetParams
    num_images: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class DesignInput:
    """A smaller network that another method found.

    Attributes:
        channels: The network that it was made from, with its channel groups.
    """

    network: ArtifactKey
    channels: ArtifactKey


@dataclass(frozen=True, slots=True, kw_only=True)
class FollowedDesigns:
    """In the proportions of designs that another method found: what a guided allocation of a sweep file becomes."""

    kind: Literal["guided"] = "guided"
    designs: tuple[DesignInput, ...]

    @property
    def wants(self) -> tuple[str, ...]:
        """What it needs to look at."""
        return names.ALLOCATIONS[self.kind]

    @property
    def settings(self) -> dict[str, Any]:
        """None: the designs are artifacts."""
        return {}


PlannedAllocation = Annotated[
    UniformAllocation
    | LeastErrorAllocation
    | GlobalAllocation
    | IsomorphicAllocation
    | SensitivityAllocation
    | SpectrumAllocation
    | PredefinedAllocation
    | FollowedDesigns
    | TemplateAllocation
    | BestScoreAllocation
    | OwnAllocation,
    Field(discriminator="kind"),
]


@dataclass(frozen=True, slots=True, kw_only=True)
class WidthLimits:
    """What a sweep file's `prune` says of single layers; each field is None where it says nothing.

    Patterns with values are pairs in the file's order, which counts: of several that match, the last one holds.
    """

    keep: tuple[str, ...] | None = None
    only: tuple[str, ...] | None = None
    ratios: tuple[tuple[str, float], ...] | None = None
    multiple: tuple[tuple[str, int], ...] | None = None
    floor: tuple[tuple[str, int | float], ...] | None = None

    @property
    def patterns(self) -> dict[str, tuple[str, ...]]:
        """The patterns of each setting."""
        pairs = {"ratios": self.ratios, "multiple": self.multiple, "floor": self.floor}
        listed = {"keep": self.keep or (), "only": self.only or ()}
        return listed | {setting: tuple(pattern for pattern, _ in given or ()) for setting, given in pairs.items()}

    @property
    def has_patterns(self) -> bool:
        """Whether any layer is named, rather than all."""
        return any(pattern != ALL for patterns in self.patterns.values() for pattern in patterns)


@dataclass(frozen=True, slots=True, kw_only=True)
class PruningRound:
    """One of several rounds of pruning, with training between them.

    Attributes:
        number: From 1.
        rounds: How many there are.
        dense: The network before the first one; compressions, ratios and floors are fractions of it.
    """

    number: int
    rounds: int
    schedule: Schedule
    dense: ArtifactKey

    def gone(self, total: float) -> float:
        """The fraction that is gone after it, of a whole that loses `total` in all rounds."""
        return gone_after(self.number, self.rounds, total=total, schedule=self.schedule)


@dataclass(frozen=True, slots=True, kw_only=True)
class WidthParams:
    """How many channels of which group stay: the allocation, its target, and what it looks at.

    Attributes:
        compression: Fraction of the target's cost to remove; in rounds, after the last one.
        multiple: Widths are multiples of it, or full; None: any.
        limits: Of single layers; None: there are none.
        round: Which round it is, where there are several.
        losses: By how much the loss grows with each group cut.
        profile: Times of the layers.
        memory_batch_size: Images of a pass whose memory is limited.
        source: Fingerprint of the user's own module.
        ortools: Version of the solver, where one is asked.
    """

    allocation: PlannedAllocation
    compression: float
    target: CostTarget = "parameters"
    multiple: int | None = None
    limits: WidthLimits | None = None
    round: PruningRound | None = None
    losses: ArtifactKey | None = None
    profile: ArtifactKey | None = None
    memory_batch_size: int | None = None
    source: str | None = None
    ortools: str | None = None

    @property
    def revision(self) -> int | None:
        """2 where `multiple` moved widths off the allocation's own limits, and where what has no score went too far."""
        if isinstance(self.allocation, BestScoreAllocation):
            return 2
        moved = self.multiple is not None and self.limits is None and self.round is None
        return 2 if moved and {"floor", "multiple"} & self.allocation.settings.keys() else None


@dataclass(frozen=True, slots=True, kw_only=True)
class Removal:
    """Channels are removed: the ones of the lowest scores."""

    kind: Literal["remove"] = "remove"
    scores: ArtifactKey


@dataclass(frozen=True, slots=True, kw_only=True)
class Resampling:
    """Channels are samples of functions: they are sampled anew.

    Attributes:
        repair: Of the outputs' variance, from weights and norms; None: they keep what they have.
    """

    kind: Literal["resample"] = "resample"
    partition: PartitionName
    quadrature: QuadratureName
    repair: RepairName | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Folding:
    """Channels that are alike become their mean.

    Attributes:
        slices: What is compared of each channel: the weights that write it, or all that it owns.
        repair: Of the outputs' variance, from weights and norms; None: they keep what they have.
    """

    kind: Literal["fold"] = "fold"
    clustering: ClusteringName
    slices: SlicesName
    repair: RepairName | None = None


Shrinking = Annotated[Removal | Resampling | Folding, Field(discriminator="kind")]
"""How a network is brought to given widths."""
