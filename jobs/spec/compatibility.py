"""Which protocols can be combined with which methods and models, and which objectives with which data and training."""

from jobs import names
from jobs.errors import nearest
from jobs.spec.augment import TRANSFORMS, TransformSpec, steps_of
from jobs.spec.criterion import CriterionMethod
from jobs.spec.data import DataSpec
from jobs.spec.distillation import DistillSpec, features_conflict
from jobs.spec.fold import FoldMethod
from jobs.spec.integral import IntegralMethod
from jobs.spec.measure import MeasureSpec
from jobs.spec.method import RoundsMethod
from jobs.spec.methods import BicubicMethod, DenseMethod, MethodSpec
from jobs.spec.models import ModelSpec
from jobs.spec.objective import (
    ClassificationObjective,
    DetectionObjective,
    ObjectiveSpec,
    OwnObjective,
    SuperResolutionObjective,
)
from jobs.spec.protocols import (
    FineTuneProtocol,
    ProtocolSpec,
    RecalibrateProtocol,
    RepairProtocol,
    RewindProtocol,
    ScratchProtocol,
    TransferProtocol,
)
from jobs.spec.reconstruction import ReconstructionMethod
from jobs.spec.training import TrainSpec
from jobs.spec.unstructured import UnstructuredMethod
from jobs.weights import OWN

NO_RANDOM_WEIGHTS = (
    f"has `weights: {OWN}`, so that its callable gives no random weights to start from; name a callable that loads "
    "none, and give the file as `weights`"
)


def starts_from_random_weights(method: MethodSpec) -> bool:
    """Whether a method trains the model's network from random weights."""
    match method:
        case CriterionMethod(sparsify=training) | IntegralMethod(train=training):
            return training is not None and training.start == "scratch"
        case _:
            return False


def method_conflict(protocol: ProtocolSpec, method: MethodSpec, *, trained: bool = False) -> str | None:
    """Why a protocol cannot be applied to a method's networks, and what to do; None where it can.

    Args:
        protocol: The protocol.
        method: The method.
        trained: Whether a protocol before it trains, which brings batch norms back that were folded.
    """
    if isinstance(method, BicubicMethod):
        return "is applied to pruned networks, and bicubic enlargement is none; leave its protocols out"
    mixes = isinstance(method, IntegralMethod | FoldMethod)
    if isinstance(protocol, RecalibrateProtocol) and isinstance(method, IntegralMethod | FoldMethod):
        folded = "recalibrates batch norms that are folded away; set its batchnorm: keep"
        return None if method.keeps_batchnorm or trained else folded
    if isinstance(protocol, RepairProtocol) and isinstance(method, DenseMethod | UnstructuredMethod):
        return (
            "takes no channels away, so there is nothing to refit to; repair methods of the kinds criterion, "
            "reconstruction, integral or fold"
        )
    if isinstance(protocol, RepairProtocol) and isinstance(method, IntegralMethod) and method.coefficients < 1:
        return "would be refitted to the network of fewer coefficients, not to the dense one; remove `coefficients`"
    if isinstance(protocol, RewindProtocol) and mixes:
        return "has no weights of the model's training to rewind; fine-tune instead"
    if isinstance(protocol, RewindProtocol) and protocol.what == "weights" and isinstance(method, UnstructuredMethod):
        return "rewinds single weights itself; set its `rewind`"
    if isinstance(protocol, TransferProtocol) and isinstance(method, UnstructuredMethod):
        return "builds another network around this one, in which single weights would not stay removed; prune channels"
    sparse = isinstance(method, CriterionMethod) and method.sparsify is not None
    if isinstance(protocol, RewindProtocol) and protocol.what == "weights" and sparse:
        return "prunes a network that it trained itself, which has no earlier weights; rewind the learning-rate"
    if isinstance(protocol, RewindProtocol) and protocol.what == "weights" and isinstance(method, ReconstructionMethod):
        return "refits weights, which rewinding would undo; rewind the networks of a criterion method"
    iterative = isinstance(method, RoundsMethod) and method.rounds > 1
    if isinstance(protocol, RewindProtocol) and protocol.what == "weights" and iterative:
        return "trains between its rounds, which rewinding would undo; rewind the learning-rate"
    if isinstance(protocol, RewindProtocol) and isinstance(method, DenseMethod):
        return "removes nothing, so rewinding would only repeat its training; use fine-tune or scratch as its control"
    return None


def model_conflict(protocol: ProtocolSpec, model: ModelSpec, training: TrainSpec | None) -> str | None:
    """Why a protocol cannot be applied to a model, and what to do; None where it can.

    Args:
        protocol: The protocol.
        model: The model.
        training: How the model's own network is trained; None where it comes from a checkpoint.
    """
    if isinstance(protocol, ScratchProtocol) and protocol.train is None and training is None:
        return "comes from a checkpoint, so the protocol has to say how to train; give it a `train` block"
    if isinstance(protocol, ScratchProtocol) and model.weights == OWN:
        return NO_RANDOM_WEIGHTS
    if isinstance(protocol, TransferProtocol) and model.transfer:
        return "is the transfer of another model; transfer that one, or fine-tune this one"
    if not isinstance(protocol, RewindProtocol):
        return None
    if model.transfer:
        return "is the transfer of another model, whose training cannot be rewound; use fine-tune or scratch"
    if training is None:
        return "comes from a checkpoint, and its training cannot be rewound; give it a `train` block instead"
    if protocol.begin(training.epochs) >= training.epochs:
        return f"is trained for {training.epochs} epochs; rewind to an earlier one than {protocol.epoch}"
    unread = features_conflict(protocol.distill, training)
    return unread and f"is trained once more as it was: {unread}"


def training_of(protocol: ProtocolSpec) -> TrainSpec | None:
    """The training settings of a protocol; None where it has none of its own."""
    return protocol.train if isinstance(protocol, FineTuneProtocol | ScratchProtocol) else None


def objective_conflict(objective: ObjectiveSpec, data: DataSpec) -> str | None:
    """Why a data set of ours does not suit an objective, and what to do; None where it does, or where it is unknown."""
    suited = names.DATASETS.get(data.dataset)
    if suited and objective.kind not in (suited, "own"):
        return f"has the data set {data.dataset}, which is for {suited}; set objective: {suited}, or other data"
    scale = data.arguments.get("scale")
    if isinstance(objective, SuperResolutionObjective) and scale not in (None, objective.scale):
        return f"has the scale {objective.scale}, its data {scale}; give both the same"
    return None


def measure_conflict(objective: ObjectiveSpec, measure: MeasureSpec) -> str | None:
    """Why a measurement cannot be made of networks for an objective, and what to do; None where it can."""
    if measure.attack is not None and not isinstance(objective, ClassificationObjective | OwnObjective):
        return "has no classes that `measure.attack` could make it confuse; leave that out"
    if not isinstance(objective, DetectionObjective):
        return None
    latency = measure.latency
    asked = {
        "measure.export": measure.export,
        "measure.quantize": bool(measure.quantize),
        "measure.latency.runtime": latency is not None and latency.runtime != ("eager",),
    }
    found = [name for name, wanted in asked.items() if wanted]
    if not found:
        return None
    return (
        f"has boxes whose number depends on the image, so that its networks cannot be written as graphs, which "
        f"{' and '.join(found)} asks for; leave it out, or time them with the runtime eager"
    )


def graph_conflict(model: ModelSpec, measure: MeasureSpec) -> str | None:
    """Why a model's networks cannot be written as the graphs that a measurement runs; None where they can."""
    latency = measure.latency
    runs_graphs = bool(measure.quantize) or (latency is not None and "onnxruntime" in latency.runtime)
    if not runs_graphs or not isinstance(model.inputs, dict):
        return None
    return (
        "takes its inputs by name, and ONNX graphs of such networks are not written, which measure.quantize and the "
        "runtime onnxruntime run; leave them out, or let the network take positional arguments"
    )


def augmentation_conflict(objective: ObjectiveSpec, recipe: TrainSpec) -> str | None:
    """Why an augmentation does not suit an objective, and what to do; None where it does, or where it is unknown."""
    if isinstance(objective, OwnObjective):
        return None
    transforms = TRANSFORMS if isinstance(objective, ClassificationObjective) else ()
    known = ("none", *names.AUGMENTATIONS[objective.kind], *transforms)
    for step in steps_of(recipe.augment):
        name = step.name if isinstance(step, TransformSpec) else step
        if name not in known:
            return f"augment: {name} is none of the objective {objective.kind}; {nearest(name, known)}"
    return None


def distillations_of(record: MethodSpec | ProtocolSpec) -> tuple[DistillSpec, ...]:
    """The distillations in the trainings of a method or a protocol."""
    trainings = [getattr(record, name, None) for name in ("train", "tune")]
    asked = [getattr(record, "distill", None), *(each.distill for each in trainings if each is not None)]
    return tuple(each for each in asked if each is not None)


def distillation_conflict(objective: ObjectiveSpec, distill: DistillSpec) -> str | None:
    """Why networks for an objective cannot be distilled so, and what to do; None where they can, or it is unknown."""
    if isinstance(objective, DetectionObjective) and distill.weight > 0:
        return (
            "distill: the outputs of two detectors are different numbers of boxes, which cannot be compared; "
            "set weight: 0, and name layers as `features`, those of the backbone, say"
        )
    if isinstance(objective, DetectionObjective | SuperResolutionObjective) and distill.temperature != 1:
        return f"distill: a temperature is for logits, and networks for {objective.kind} have none; remove it"
    return None
