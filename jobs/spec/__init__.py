"""The sweep file as frozen, validated records.

Types, ranges, known names and what must agree with what; field descriptions are the reference of the sweep file.
Nothing here reads a file.
"""

from jobs.spec.allocation import (
    ALLOCATION_FORMS,
    ALLOCATION_KINDS,
    AllocationSpec,
    BestScoreAllocation,
    GuidedAllocation,
    LeastErrorAllocation,
    OwnAllocation,
    PredefinedAllocation,
    SensitivityAllocation,
    UniformAllocation,
)
from jobs.spec.base import Compressions, Record
from jobs.spec.criterion import CriterionMethod, ScoreSpec
from jobs.spec.data import DataSpec, NormalizeSpec
from jobs.spec.integral import IntegralMethod, IntegralTrainSpec, OrderingSpec, TuneSpec
from jobs.spec.measure import LatencySpec, MeasureSpec
from jobs.spec.methods import METHOD_KINDS, DenseMethod, MethodSpec
from jobs.spec.models import FineTuneSpec, ModelSpec, TrainSpec
from jobs.spec.protocols import (
    NO_PROTOCOL,
    PROTOCOL_KINDS,
    FineTuneProtocol,
    OwnProtocol,
    ProtocolSpec,
    RecalibrateProtocol,
    RepairProtocol,
    RewindProtocol,
    ScratchProtocol,
)
from jobs.spec.reconstruction import ReconstructionMethod
from jobs.spec.resources import BudgetSpec, ResourcesSpec, StagesSpec
from jobs.spec.sparsity import (
    SPARSIFY_KINDS,
    GroupLassoSpec,
    SlimmingSpec,
    SoftFilterSpec,
    SparsifySpec,
    StructureSelectionSpec,
)
from jobs.spec.sweep import SweepSpec
from jobs.spec.unstructured import RewindSpec, UnstructuredMethod

__all__ = [
    "ALLOCATION_FORMS",
    "ALLOCATION_KINDS",
    "METHOD_KINDS",
    "NO_PROTOCOL",
    "PROTOCOL_KINDS",
    "SPARSIFY_KINDS",
    "AllocationSpec",
    "BestScoreAllocation",
    "BudgetSpec",
    "Compressions",
    "CriterionMethod",
    "DataSpec",
    "DenseMethod",
    "FineTuneProtocol",
    "FineTuneSpec",
    "GroupLassoSpec",
    "GuidedAllocation",
    "IntegralMethod",
    "IntegralTrainSpec",
    "LatencySpec",
    "LeastErrorAllocation",
    "MeasureSpec",
    "MethodSpec",
    "ModelSpec",
    "NormalizeSpec",
    "OrderingSpec",
    "OwnAllocation",
    "OwnProtocol",
    "PredefinedAllocation",
    "ProtocolSpec",
    "RecalibrateProtocol",
    "ReconstructionMethod",
    "Record",
    "RepairProtocol",
    "ResourcesSpec",
    "RewindProtocol",
    "RewindSpec",
    "ScoreSpec",
    "ScratchProtocol",
    "SensitivityAllocation",
    "SlimmingSpec",
    "SoftFilterSpec",
    "SparsifySpec",
    "StagesSpec",
    "StructureSelectionSpec",
    "SweepSpec",
    "TrainSpec",
    "TuneSpec",
    "UniformAllocation",
    "UnstructuredMethod",
]
