"""Which protocols can be combined with which methods and models."""

from jobs.spec.criterion import CriterionMethod
from jobs.spec.integral import IntegralMethod
from jobs.spec.methods import DenseMethod, MethodSpec
from jobs.spec.models import ModelSpec
from jobs.spec.protocols import ProtocolSpec, RecalibrateProtocol, RepairProtocol, RewindProtocol, ScratchProtocol
from jobs.spec.reconstruction import ReconstructionMethod
from jobs.spec.unstructured import UnstructuredMethod


def method_conflict(protocol: ProtocolSpec, method: MethodSpec) -> str | None:
    """Why a protocol cannot be applied to a method's networks, and what to do; None where it can."""
    integral = isinstance(method, IntegralMethod)
    if isinstance(protocol, RecalibrateProtocol) and isinstance(method, IntegralMethod) and not method.keeps_batchnorm:
        return "recalibrates batch norms that are folded away; set its batchnorm: keep"
    if isinstance(protocol, RepairProtocol) and not isinstance(method, CriterionMethod | ReconstructionMethod):
        return "removes no channels, so there are no targets to refit to; repair kinds criterion or reconstruction"
    if isinstance(protocol, RewindProtocol) and integral:
        return "has no weights of the model's training to rewind; fine-tune instead"
    if isinstance(protocol, RewindProtocol) and protocol.what == "weights" and isinstance(method, UnstructuredMethod):
        return "rewinds single weights itself; set its `rewind`"
    sparse = isinstance(method, CriterionMethod) and method.sparsify is not None
    if isinstance(protocol, RewindProtocol) and protocol.what == "weights" and sparse:
        return "prunes a network that it trained itself, which has no earlier weights; rewind the learning-rate"
    if isinstance(protocol, RewindProtocol) and protocol.what == "weights" and isinstance(method, ReconstructionMethod):
        return "refits weights, which rewinding would undo; rewind the networks of a criterion method"
    if isinstance(protocol, RewindProtocol) and isinstance(method, DenseMethod):
        return "removes nothing, so rewinding would only repeat its training; use fine-tune or scratch as its control"
    return None


def model_conflict(protocol: ProtocolSpec, model: ModelSpec) -> str | None:
    """Why a protocol cannot be applied to a model, and what to do; None where it can."""
    if isinstance(protocol, ScratchProtocol) and protocol.train is None and model.train is None:
        return "comes from a checkpoint, so the protocol has to say how to train; give it a `train` block"
    if not isinstance(protocol, RewindProtocol):
        return None
    if model.train is None:
        return "comes from a checkpoint, and its training cannot be rewound; give it a `train` block instead"
    if protocol.begin(model.train.epochs) >= model.train.epochs:
        return f"is trained for {model.train.epochs} epochs; rewind to an earlier one than {protocol.epoch}"
    return None
