"""What data a method and its protocol need beyond the dense network, by their kinds and settings.

The one place that says it; how the dense network itself was trained does not count.
"""

from enum import StrEnum

from jobs import names
from jobs.spec.allocation import AllocationSpec, GuidedAllocation
from jobs.spec.criterion import CriterionMethod
from jobs.spec.fold import FoldMethod
from jobs.spec.integral import IntegralMethod
from jobs.spec.methods import BicubicMethod, DenseMethod, MethodSpec
from jobs.spec.protocols import NO_PROTOCOL, OwnProtocol, ProtocolSpec, RecalibrateProtocol, RepairProtocol
from jobs.spec.reconstruction import ReconstructionMethod
from jobs.spec.sweep import SweepSpec
from jobs.spec.unstructured import UnstructuredMethod


class DataNeed(StrEnum):
    """The data that something needs, from least to most."""

    NONE = "none"
    UNLABELLED = "unlabelled"
    """Images without labels."""
    LABELLED = "labelled"
    """Images with labels, but no training of the weights."""
    TRAINING = "training"
    """The weights are trained."""


def data_needed(spec: SweepSpec, method: str, protocol: str = NO_PROTOCOL) -> DataNeed:
    """The most that a method of a sweep, its allocation, and the protocols after it need."""
    after = (_of_protocol(spec.protocols[step]) for step in spec.steps_of(protocol))
    return _most(_of_method(spec, spec.methods[method]), *after)


def _most(*needs: DataNeed) -> DataNeed:
    return max(needs, key=tuple(DataNeed).index)


def _of_method(spec: SweepSpec, method: MethodSpec) -> DataNeed:
    match method:
        case DenseMethod() | BicubicMethod():
            return DataNeed.NONE
        case UnstructuredMethod():
            return DataNeed.TRAINING if method.trains else DataNeed.NONE
        case CriterionMethod():
            own = DataNeed.TRAINING if method.sparsify or method.rounds > 1 else _of_observation(method.reads)
        case ReconstructionMethod():
            own = DataNeed.TRAINING if method.rounds > 1 else DataNeed.UNLABELLED
        case FoldMethod():
            own = DataNeed.UNLABELLED if method.repair == "data" else DataNeed.NONE
        case IntegralMethod():
            own = _of_integral(method)
    return _most(own, _of_allocation(spec, method.allocation))


def _of_observation(name: str | None) -> DataNeed:
    """One of the user's own, of which a sweep does not say it, is taken to need labels."""
    if name is None:
        return DataNeed.NONE
    return DataNeed.UNLABELLED if names.OBSERVATION_NEEDS.get(name) == "images" else DataNeed.LABELLED


def _of_integral(method: IntegralMethod) -> DataNeed:
    if method.train is not None:
        return DataNeed.TRAINING
    if method.tune is not None and method.tune.target == "labels":
        return DataNeed.LABELLED
    looks = method.tune is not None or method.repair == "statistics" or method.ordering.choice == "output"
    return DataNeed.UNLABELLED if looks else DataNeed.NONE


def _of_allocation(spec: SweepSpec, allocation: AllocationSpec) -> DataNeed:
    if isinstance(allocation, GuidedAllocation):  # the other method chooses its widths by itself
        return _of_method(spec, spec.methods[allocation.method])
    return DataNeed.LABELLED if "losses" in allocation.wants else DataNeed.NONE


def _of_protocol(protocol: ProtocolSpec) -> DataNeed:
    match protocol:
        case RecalibrateProtocol() | RepairProtocol():
            return DataNeed.UNLABELLED
        case OwnProtocol(needs=needs):  # whether it trains on what it gets, a sweep does not say
            return DataNeed.TRAINING if {"images", "labels"} & set(needs) else DataNeed.NONE
        case _:
            return DataNeed.TRAINING
