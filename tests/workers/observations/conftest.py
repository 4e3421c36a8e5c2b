"""Networks and images small enough to be observed by hand."""

from collections.abc import Callable

import pytest
import torch

from workers.channels import find_groups
from workers.data import Split
from workers.objectives.classification import objective
from workers.observations import OBSERVATIONS, Batches

CLASSIFICATION = objective()

# Two cores are shared, and sums come out the same in the same order.
torch.set_num_threads(1)


@pytest.fixture
def batches() -> Callable[..., Batches]:
    def make(images, labels=None, batch_size=2, labelled=True, **more):
        labels = torch.zeros(len(images), dtype=torch.int64) if labels is None else torch.tensor(labels)
        split = Split(images=images, targets=labels)
        return Batches(split, CLASSIFICATION, batch_size, device=torch.device("cpu"), labelled=labelled, **more)

    return make


@pytest.fixture
def observe(batches) -> Callable[..., dict]:
    def observe(name, module, images, labels=None, batch_size=2):
        channel_map = find_groups(module.eval(), tuple(images.shape[1:]))
        return OBSERVATIONS[name](module, channel_map, batches(images, labels, batch_size))

    return observe
