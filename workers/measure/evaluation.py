"""Evaluates a network on a split: the metrics of its objective, and the mean loss.

The caller selects on the validation split and reports on the test split.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import torch
from torch import nn

from jobs.errors import BadInputError, BadNumericsError, CancelledError
from workers.data.images import Split, batches
from workers.models.modes import in_mode
from workers.objectives import Objective


@dataclass(frozen=True, slots=True, kw_only=True)
class Evaluation:
    """A network's results on one split.

    Attributes:
        metrics: Name -> value, as the objective stores it.
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
    batch_size: int = 256,
    device: torch.device | str,
    should_stop: Callable[[], bool],
) -> Evaluation:
    """Run a network over a split in evaluation mode.

    Args:
        model: From images to outputs; it is moved to `device` and stays there, its train/eval flags are restored.
        split: At least one sample.
        objective: The metrics and the loss.
        batch_size: Samples per forward pass.
        device: Where to compute.
        should_stop: Asked before every batch.

    Raises:
        BadInputError: The split is empty, or the outputs do not fit its targets.
        BadNumericsError: An output is NaN or infinite.
        CancelledError: `should_stop` returned true.
    """
    num_samples = len(split)
    if not num_samples:
        raise BadInputError("evaluate: the split is empty; at least one sample is needed")
    model.to(device)
    meters = {metric.name: make().to(device) for metric, make in objective.metrics.items()}
    loss, seen = 0.0, 0
    with in_mode(model, training=False), torch.inference_mode():
        for images, targets in batches(split, batch_size, device=device):
            if should_stop():
                raise CancelledError(f"evaluation stopped on request after {seen} of {num_samples} samples")
            outputs = model(images)
            objective.check(outputs, targets)
            if not bool(torch.isfinite(outputs).all()):
                raise BadNumericsError(
                    f"evaluate: an output is NaN or infinite, in samples {seen} to {seen + len(targets) - 1}"
                )
            for meter in meters.values():
                meter.update(outputs, targets)
            loss += float(objective.total_loss(outputs.float(), targets))
            seen += len(targets)
        metrics = {name: float(meter.compute()) for name, meter in meters.items()}
    return Evaluation(metrics=metrics, loss=loss / num_samples, num_samples=num_samples)
