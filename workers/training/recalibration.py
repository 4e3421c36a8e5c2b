"""Recalibration: estimates the statistics of a pruned network's batch norms again, on calibration images.

Needs no labels and changes no parameter.
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager

import torch
from torch import nn
from torch.nn.modules.batchnorm import _BatchNorm

from jobs.errors import BadInputError, CancelledError
from workers.data.images import Split, batches
from workers.inputs import call, num_samples
from workers.models.modes import in_mode


@torch.no_grad()
def recalibrate(
    model: nn.Module,
    split: Split,
    *,
    batch_size: int,
    device: torch.device | str,
    should_stop: Callable[[], bool],
) -> None:
    """Replace the running statistics of all batch norms by the mean over the batches of a split. In place.

    All norms are recalibrated in one pass, each on inputs normalised by the batch statistics of those before it.
    Everything else is in evaluation mode. A last batch of one image is left out. Flags and momenta are restored.

    Args:
        model: On any device; it is moved to `device`, where it stays.
        split: At least two images; labels are not read.
        batch_size: Images per batch, at least 2.
        device: Where to compute.
        should_stop: Asked before every batch.

    Raises:
        BadInputError: There is no batch norm with running statistics, or there are fewer than two images.
        CancelledError: `should_stop` returned true; the statistics are then invalid.
    """
    norms = [each for each in model.modules() if isinstance(each, _BatchNorm) and each.running_mean is not None]
    if not norms:
        raise BadInputError("recalibrate: the network has no batch norm with running statistics; leave it out")
    if len(split) < 2 or batch_size < 2:
        raise BadInputError(f"recalibrate: {len(split)} images in batches of {batch_size}; at least two are needed")
    model.to(device)
    with in_mode(model, training=False), _averaging(norms):
        for inputs, _ in batches(split, batch_size, device=device):
            if should_stop():
                raise CancelledError("recalibration stopped on request")
            if num_samples(inputs) > 1:
                call(model, inputs)


@contextmanager
def _averaging(norms: list[_BatchNorm]) -> Iterator[None]:
    """Reset the norms' statistics, and let them average those of all batches."""
    momenta = [each.momentum for each in norms]
    for each in norms:
        each.reset_running_stats()
        each.momentum = None  # the mean over all batches
        each.train()
    try:
        yield
    finally:
        for each, momentum in zip(norms, momenta, strict=True):
            each.momentum = momentum
