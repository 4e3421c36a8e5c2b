"""Evaluates a network on a split: the metrics of its objective, and the mean loss.

The caller selects on the validation split and reports on the test split.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

import torch
from torch import nn

from jobs.errors import BadInputError, BadNumericsError, CancelledError
from workers.data.images import ImageData, Split, batches
from workers.deferred import Deferred
from workers.inputs import call
from workers.models.modes import in_mode
from workers.nested import floats_of
from workers.objectives import Objective

if TYPE_CHECKING:
    import torchmetrics


@dataclass(frozen=True, slots=True, kw_only=True)
class Evaluation:
    """A network's results on one split.

    Attributes:
        metrics: Name -> value, as the objective stores it; of a test set by itself `NAME/SET`.
        loss: Mean loss.
        num_samples: Number of samples.
    """

    metrics: Mapping[str, float]
    loss: float
    num_samples: int


def evaluate(
    model: nn.Module,
    split: Split,
    objective: Objective,
    *,
    batch_size: int,
    device: torch.device | str,
    should_stop: Callable[[], bool],
    meters: Mapping[str, "torchmetrics.Metric"] | None = None,
) -> Evaluation:
    """Run a network over a split in evaluation mode.

    Args:
        model: From inputs to outputs; it is moved to `device` and stays there, its train/eval flags are restored.
        split: At least one sample.
        objective: The metrics and the loss.
        batch_size: Samples per forward pass.
        device: Where to compute.
        should_stop: Asked before every batch.
        meters: Updated, too; those of several splits measure them together.

    Raises:
        BadInputError: The split is empty, or the outputs do not fit its targets.
        BadNumericsError: An output is NaN or infinite.
        CancelledError: `should_stop` returned true.
    """
    num_samples = len(split)
    if not num_samples:
        raise BadInputError("evaluate: the split is empty; at least one sample is needed")
    model.to(device)
    own = make_meters(objective, device)
    total, seen = 0.0, 0

    def add(loss: float, _: None) -> None:
        nonlocal total
        total += loss

    losses, finite = Deferred[None](device, add), Deferred[range](device, _refuse_unless)
    with in_mode(model, training=False), torch.inference_mode(), losses, finite:
        for inputs, targets in batches(split, batch_size, device=device):
            if should_stop():
                raise CancelledError(f"evaluation stopped on request after {seen} of {num_samples} samples")
            outputs = objective.predict(model, inputs)
            objective.check(outputs, targets)
            for each in floats_of(outputs):
                finite.add(each.isfinite().all(), range(seen, seen + len(targets)))
            for meter in (*own.values(), *(meters or {}).values()):
                meter.update(outputs, targets)
            if objective.computes_its_loss:
                outputs = call(model, objective.inputs(inputs, targets))
            losses.add(objective.total_loss(outputs, targets), None)
            seen += len(targets)
        finite.read()
        metrics = {name: float(meter.compute()) for name, meter in own.items()}
    return Evaluation(metrics=metrics, loss=total / num_samples, num_samples=num_samples)


def _refuse_unless(finite: float, samples: range) -> None:
    if not finite:
        raise BadNumericsError(f"evaluate: an output is NaN or infinite, in samples {samples[0]} to {samples[-1]}")


def _evaluate_sets(
    model: nn.Module,
    sets: Mapping[str, Split],
    objective: Objective,
    *,
    batch_size: int,
    device: torch.device | str,
    should_stop: Callable[[], bool],
) -> Evaluation:
    """Run a network over several test sets; the metrics of each are `METRIC/SET`, those of all together `METRIC`.

    Arguments and errors as of `evaluate`.
    """
    meters = make_meters(objective, device)
    found = {
        name: evaluate(
            model, split, objective, batch_size=batch_size, device=device, should_stop=should_stop, meters=meters
        )
        for name, split in sets.items()
    }
    num_samples = sum(each.num_samples for each in found.values())
    with torch.inference_mode():
        together = {name: float(meter.compute()) for name, meter in meters.items()}
    apart = {f"{metric}/{name}": value for name, each in found.items() for metric, value in each.metrics.items()}
    return Evaluation(
        metrics={**together, **apart},
        loss=sum(each.loss * each.num_samples for each in found.values()) / num_samples,
        num_samples=num_samples,
    )


def evaluate_data(
    model: nn.Module,
    data: ImageData,
    objective: Objective,
    *,
    split: Literal["validation", "test"] = "test",
    num_images: int | None = None,
    batch_size: int,
    device: torch.device | str,
    should_stop: Callable[[], bool],
) -> Evaluation:
    """Run a network over the validation split, or over the test split, or its sets where these have names.

    Further arguments and errors as of `evaluate`.

    Args:
        model: The network.
        data: The data set.
        objective: The metrics and the loss.
        split: Which split.
        num_images: The first so many, of every named test set; None: all.
        batch_size: Samples per forward pass.
        device: Where to compute.
        should_stop: Asked before every batch.
    """
    if split == "test" and data.test_sets:
        sets = {name: _first(each, num_images) for name, each in data.test_sets.items()}
        return _evaluate_sets(model, sets, objective, batch_size=batch_size, device=device, should_stop=should_stop)
    chosen = _first(data.test if split == "test" else data.validation, num_images)
    return evaluate(model, chosen, objective, batch_size=batch_size, device=device, should_stop=should_stop)


def _first(split: Split, num_images: int | None) -> Split:
    """The first images of a split; None: all."""
    return split if num_images is None else split.select(torch.arange(min(num_images, len(split))))


def make_meters(objective: Objective, device: torch.device | str) -> dict[str, "torchmetrics.Metric"]:
    """New meters of an objective's metrics, by name; they measure in this process alone, whatever group it is in."""
    from torchmetrics import Metric

    meters = {metric.name: make().to(device) for metric, make in objective.metrics.items()}
    for meter in meters.values():
        for each in meter.modules():
            if isinstance(each, Metric):
                each.distributed_available_fn = _never
    return meters


def _never() -> bool:
    return False
