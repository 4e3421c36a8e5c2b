"""A training on images that are read by processes gives the weights that it gives without them."""

import pytest
import torch
from torch import nn

from jobs.spec.training import Recipe
from workers.checkpoints import Checkpoint
from workers.data import ImageData, Split
from workers.objectives.classification import objective
from workers.training import train

RECIPE = Recipe.model_validate(
    {"epochs": 2, "batch_size": 4, "learning_rate": 0.05, "augment": ["flip", {"randaugment": {}}, {"mixup": {}}]}
)


class Pictures:
    def __len__(self):
        return 10

    def __getitem__(self, index):
        return torch.rand(1, 6, 6)  # of this sample in this epoch, whoever reads it


def follow(checkpoint, *, workers, should_stop=lambda: False):
    split = Split(images=Pictures(), targets=torch.arange(10) % 3, workers=workers)
    still = Split(
        images=torch.rand(4, 1, 6, 6, generator=torch.Generator().manual_seed(0)), targets=torch.arange(4) % 3
    )
    data = ImageData(train=split, validation=still, test=still, num_classes=3, input_shape=(1, 6, 6))
    torch.manual_seed(0)
    model = nn.Sequential(nn.Flatten(), nn.Linear(36, 8), nn.Dropout(0.5), nn.Linear(8, 3))
    train(
        model,
        data,
        RECIPE,
        objective(),
        generator=torch.Generator().manual_seed(5),
        device="cpu",
        should_stop=should_stop,
        report=lambda epoch, metrics: None,
        evaluation_batch_size=256,
        checkpoint=checkpoint,
    )
    return model.state_dict()


@pytest.fixture(scope="module")
def alone():
    return follow(Checkpoint(load=lambda: None, save=lambda content: None), workers=0)


@pytest.mark.parametrize(("before", "after"), [(0, 2), (2, 0), (1, 2)])
def test_lost_within_an_epoch_and_resumed_with_other_processes_it_ends_with_the_same_bits(
    slot, lost, lost_at, alone, before, after
):
    with pytest.raises(lost):
        follow(slot.checkpoint(), workers=before, should_stop=lost_at(6))  # in the second epoch
    found = follow(slot.checkpoint(), workers=after)
    assert all(torch.equal(found[name], tensor) for name, tensor in alone.items())
