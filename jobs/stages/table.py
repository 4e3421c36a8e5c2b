"""The table of stages: one row each, from which everything that depends on the stage is derived.

To add a stage, write its parameters beside the others, its module in `workers.stages`, and a row here.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Self

from jobs.resources import Resources
from jobs.stages.base import StageParams
from jobs.stages.channels import AnalyseParams, ChooseParams, ConvertParams, OrderParams, PermuteParams
from jobs.stages.finishing import (
    ApplyParams,
    AttackParams,
    EvaluateParams,
    ExportParams,
    QuantizeParams,
    RecalibrateParams,
    RepairParams,
    TimeParams,
)
from jobs.stages.pruning import PruneParams, ReconstructParams, TuneParams
from jobs.stages.scoring import ObserveParams, ProfileParams, ScoreParams, SenseParams
from jobs.stages.training import RaceParams, TrainParams

_CPU = Resources()
_GPU = Resources(num_gpus=1.0)
_SHARED_GPU = Resources(num_gpus=0.25, adaptive=True)


@dataclass(frozen=True, slots=True, kw_only=True)
class StageRow:
    """The properties of a stage.

    Attributes:
        params: The type of its parameters.
        version: Raise it when the stage's results change: old results are then no longer used.
        resources: Default request of a task. With GPUs, the stage runs on a GPU where the sweep has some; without, it
            always runs on CPUs.
        assumed_s: Assumed duration in seconds until one was observed. Only ratios matter, for the critical path.
        parallel: Whether a task may compute in several processes.
        lenient: Whether it does without inputs that cannot be made, as long as there is one (`Task.absent`).
    """

    params: type[StageParams]
    version: int
    resources: Resources
    assumed_s: float
    parallel: bool = False
    lenient: bool = False

    @property
    def accelerated(self) -> bool:
        """Whether it runs on a GPU where the sweep has one."""
        return self.resources.num_gpus > 0


class StageKind(StrEnum):
    """The stages, in the order in which a network passes through them. Members are strings, each with its `row`."""

    row: StageRow

    def __new__(cls, name: str, row: StageRow | None = None) -> Self:
        """Create a member from its name and row; `StageKind(name)` looks one up."""
        if row is None:
            raise TypeError(f"stage '{name}' has no row; give it one in the table")
        member = str.__new__(cls, name)
        member._value_ = name
        member.row = row
        return member

    TRAIN = "train", StageRow(params=TrainParams, version=7, resources=_GPU, assumed_s=600.0, parallel=True)
    ANALYSE = "analyse", StageRow(params=AnalyseParams, version=4, resources=_CPU, assumed_s=5.0)
    CONVERT = "convert", StageRow(params=ConvertParams, version=3, resources=_CPU, assumed_s=2.0)
    ORDER = "order", StageRow(params=OrderParams, version=4, resources=_CPU, assumed_s=10.0)
    PERMUTE = "permute", StageRow(params=PermuteParams, version=4, resources=_CPU, assumed_s=2.0)
    CHOOSE = "choose", StageRow(params=ChooseParams, version=2, resources=_SHARED_GPU, assumed_s=60.0)
    OBSERVE = "observe", StageRow(params=ObserveParams, version=2, resources=_SHARED_GPU, assumed_s=60.0)
    SCORE = "score", StageRow(params=ScoreParams, version=2, resources=_CPU, assumed_s=5.0)
    SENSE = "sense", StageRow(params=SenseParams, version=4, resources=_SHARED_GPU, assumed_s=120.0)
    PROFILE = "profile", StageRow(params=ProfileParams, version=3, resources=_SHARED_GPU, assumed_s=30.0)
    TUNE = "tune", StageRow(params=TuneParams, version=6, resources=_SHARED_GPU, assumed_s=60.0)
    PRUNE = "prune", StageRow(params=PruneParams, version=7, resources=_CPU, assumed_s=2.0)
    RECONSTRUCT = "reconstruct", StageRow(params=ReconstructParams, version=4, resources=_SHARED_GPU, assumed_s=60.0)
    RECALIBRATE = "recalibrate", StageRow(params=RecalibrateParams, version=2, resources=_SHARED_GPU, assumed_s=5.0)
    REPAIR = "repair", StageRow(params=RepairParams, version=3, resources=_SHARED_GPU, assumed_s=60.0)
    APPLY = "apply", StageRow(params=ApplyParams, version=2, resources=_SHARED_GPU, assumed_s=60.0)
    RACE = "race", StageRow(params=RaceParams, version=1, resources=_CPU, assumed_s=2.0, lenient=True)
    EVALUATE = "evaluate", StageRow(params=EvaluateParams, version=6, resources=_SHARED_GPU, assumed_s=10.0)
    ATTACK = "attack", StageRow(params=AttackParams, version=1, resources=_SHARED_GPU, assumed_s=60.0)
    EXPORT = "export", StageRow(params=ExportParams, version=2, resources=_CPU, assumed_s=10.0)
    QUANTIZE = "quantize", StageRow(params=QuantizeParams, version=2, resources=_CPU, assumed_s=60.0)
    TIME = "time", StageRow(params=TimeParams, version=3, resources=_GPU, assumed_s=20.0)


_KIND_OF: Mapping[type[StageParams], StageKind] = {kind.row.params: kind for kind in StageKind}


def stage_for(record: type[StageParams]) -> StageKind:
    """The stage with parameters of this type.

    Raises:
        KeyError: No row of the table has this type.
    """
    return _KIND_OF[record]


def stage_of(params: StageParams) -> StageKind:
    """The stage of these parameters; raises as `stage_for` does."""
    return stage_for(type(params))
