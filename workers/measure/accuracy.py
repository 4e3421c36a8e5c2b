"""How well a classifier does on a split: the share of right answers and the mean cross-entropy.

It refuses to know which split is which: choosing on validation and reporting on test is the caller's business.
"""

from collections.abc import Callable
from dataclasses import dataclass

import torch
from jaxtyping import Int64
from torch import Tensor, nn
from torch.nn import functional

from jobs.errors import BadInputError, BadNumericsError, CancelledError
from workers.data.images import Split, batches
from workers.models.modes import in_mode


@dataclass(frozen=True, slots=True, kw_only=True)
class Scores:
    """A classifier's results on one split.

    Attributes:
        accuracy: Fraction of samples whose largest logit is at their label, in [0, 1].
        loss: Mean cross-entropy in nats.
        num_samples: How many samples were seen.
    """

    accuracy: float
    loss: float
    num_samples: int


def evaluate(
    model: nn.Module,
    split: Split,
    *,
    batch_size: int = 256,
    device: torch.device | str,
    should_stop: Callable[[], bool],
) -> Scores:
    """Run a classifier over a split in evaluation mode.

    Args:
        model: From images to logits; it is moved to `device` and stays there, its train/eval flags are restored.
        split: At least one sample.
        batch_size: Samples per forward pass.
        device: Where to compute.
        should_stop: Asked before every batch.

    Raises:
        BadInputError: The split is empty, or the outputs are no logits for its labels.
        BadNumericsError: A logit is NaN or infinite.
        CancelledError: `should_stop` said so.
    """
    num_samples = len(split)
    if not num_samples:
        raise BadInputError("evaluate: the split is empty; at least one sample is needed")
    model.to(device)
    num_right, loss, seen = 0, 0.0, 0
    with in_mode(model, training=False), torch.inference_mode():
        for images, labels in batches(split, batch_size, device=device):
            if should_stop():
                raise CancelledError(f"evaluation stopped on request after {seen} of {num_samples} samples")
            logits = model(images)
            check_logits(logits, labels)
            if not bool(torch.isfinite(logits).all()):
                raise BadNumericsError(
                    f"evaluate: a logit is NaN or infinite, in samples {seen} to {seen + len(labels) - 1}"
                )
            num_right += int((logits.argmax(dim=1) == labels).sum())
            loss += float(functional.cross_entropy(logits.float(), labels, reduction="sum"))
            seen += len(labels)
    return Scores(accuracy=num_right / num_samples, loss=loss / num_samples, num_samples=num_samples)


def check_logits(logits: object, labels: Int64[Tensor, " n"]) -> None:
    """Raise BadInputError unless `logits` is a tensor (n, num_classes) with an output for every label."""
    if not isinstance(logits, Tensor):
        raise BadInputError(
            f"the network returned {type(logits).__name__}; a classifier must return one tensor of logits"
        )
    if logits.ndim != 2 or len(logits) != len(labels):
        raise BadInputError(
            f"the network returned shape {tuple(logits.shape)} for {len(labels)} images; "
            f"({len(labels)}, num_classes) is needed: is it a classifier?"
        )
    if int(labels.max()) >= logits.shape[1]:
        raise BadInputError(
            f"the network has {logits.shape[1]} outputs, but the data has label {int(labels.max())}; "
            "build it with the data set's num_classes"
        )
