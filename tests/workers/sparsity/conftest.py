"""A training in a few lines, and a network small enough to count by hand."""

from collections.abc import Callable

import pytest
import torch
from torch import nn

from jobs.spec.training import Recipe
from workers.channels import ChannelMap, find_groups
from workers.checkpoints import Checkpoint
from workers.data import ImageData, Split
from workers.objectives.classification import objective
from workers.training import TrainingLog, train

CLASSIFICATION = objective()

# Two cores are shared, and sums come out the same in the same order.
torch.set_num_threads(1)

SHAPE = (1, 4, 4)


def images(count: int, seed: int) -> Split:
    generator = torch.Generator().manual_seed(seed)
    labels = torch.randint(3, (count,), generator=generator)
    return Split(images=torch.rand(count, *SHAPE, generator=generator) + labels.view(-1, 1, 1, 1), targets=labels)


DATA = ImageData(train=images(24, 0), validation=images(9, 1), test=images(2, 2), num_classes=3, input_shape=SHAPE)


class Small(nn.Module):
    """Two convolutions with batch norms around a ReLU, then a linear layer: two channel groups, of three and four."""

    def __init__(self):
        super().__init__()
        torch.manual_seed(0)
        self.first, self.norm1 = nn.Conv2d(1, 3, 3, padding=1, bias=False), nn.BatchNorm2d(3)
        self.second, self.norm2 = nn.Conv2d(3, 4, 1, bias=False), nn.BatchNorm2d(4)
        self.head = nn.Linear(4, 3)

    def forward(self, batch):
        batch = self.norm1(self.first(batch)).relu()
        return self.head(self.norm2(self.second(batch)).relu().mean((2, 3)))


RECIPE = Recipe(epochs=2, batch_size=8, learning_rate=0.1, weight_decay=1e-2, schedule="constant")


@pytest.fixture
def small() -> nn.Module:
    return Small()


@pytest.fixture
def shape() -> tuple[int, ...]:
    return SHAPE


@pytest.fixture(scope="session")
def map_of() -> Callable[..., ChannelMap]:
    """The channel groups of a model, found once for all that have its tensors."""
    known: dict[tuple[object, ...], ChannelMap] = {}

    def map_of(model, shape=SHAPE):
        key = (shape, *((name, each.shape) for name, each in model.state_dict().items()))
        return known[key] if key in known else known.setdefault(key, find_groups(model, shape))

    return map_of


@pytest.fixture
def follow() -> Callable[..., TrainingLog]:
    """Trains a model with a regulariser; the same seed every time."""

    def follow(model, regulariser, *, recipe=RECIPE, checkpoint=None, should_stop=lambda: False, data=DATA):
        return train(
            model,
            data,
            recipe,
            CLASSIFICATION,
            generator=torch.Generator().manual_seed(5),
            device="cpu",
            should_stop=should_stop,
            report=lambda epoch, metrics: None,
            evaluation_batch_size=256,
            checkpoint=checkpoint or Checkpoint(load=lambda: None, save=lambda content: None),
            regulariser=regulariser,
        ).log

    return follow
