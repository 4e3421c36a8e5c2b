"""Trainings of a tiny network, in one process or several."""

import torch
from torch import nn

from jobs.spec.training import Recipe
from workers.channels import find_groups
from workers.checkpoints import Checkpoint
from workers.data import ImageData, Split
from workers.integral.algorithm1 import DrawnSizes
from workers.integral.network import IntegralNetwork
from workers.objectives.classification import objective
from workers.sparsity.structure_selection import StructureSelection
from workers.training import train

CPU = torch.device("cpu")


def _images(count, seed):
    generator = torch.Generator().manual_seed(seed)
    labels = torch.randint(3, (count,), generator=generator)
    return Split(images=torch.rand(count, 1, 6, 6, generator=generator), targets=labels)


# 22 images in batches of 7: shares of 3 and 4; the last batch is one image, and left out.
DATA = ImageData(
    train=_images(22, 0), validation=_images(9, 1), test=_images(2, 2), num_classes=3, input_shape=(1, 6, 6)
)
RECIPES = {
    "plain": Recipe(epochs=2, batch_size=7, learning_rate=0.1),
    "norms": Recipe(epochs=2, batch_size=7, learning_rate=0.1, augment="crop-flip", ema=0.9),
    "norms, accumulated": Recipe(epochs=2, batch_size=7, learning_rate=0.1, accumulate=2, clip_gradients=1.0),
    "norms, adam": Recipe(epochs=2, batch_size=3, learning_rate=0.01, optimizer="adam", keep="best"),
    "norms, all sizes": Recipe(epochs=2, batch_size=7, learning_rate=0.1),
    "norms, scales": Recipe(epochs=2, batch_size=7, learning_rate=0.1, accumulate=2),
}
RESUMED = "norms, accumulated"


class Network(nn.Module):
    """A layer that training passes leave out, and batch norm where it is asked for."""

    def __init__(self, norms=True):
        super().__init__()
        torch.manual_seed(0)
        self.conv = nn.Conv2d(1, 5, 3, bias=not norms)  # before norms a bias would get nothing but rounding errors
        self.head, self.unused = nn.Linear(5, 3), nn.Linear(2, 2)
        self.norm = nn.BatchNorm2d(5) if norms else nn.Identity()

    def forward(self, images):
        return self.head(self.norm(self.conv(images)).relu().mean((2, 3)))


def made(name):
    """The network of a training, and its regulariser."""
    network = Network("norms" in name)
    if "sizes" in name:
        return DrawnSizes(IntegralNetwork(network, find_groups(network, (1, 6, 6))), seed=7, smallest=0.4), None
    if "scales" in name:
        channel_map = find_groups(network, (1, 6, 6))
        return network, StructureSelection(network, channel_map, structures="channels", norms={}, strength=0.01)
    return network, None


def data(root):
    """The data as a data set of the user's own."""
    return DATA


def kept_in(memory):
    """Keeps a checkpoint in a dictionary."""
    return Checkpoint(
        load=lambda: memory.get("content"), save=lambda content: memory.update(content=content), interval_s=1e9
    )


def stop_at(number):
    """Stops when it is asked for the n-th time."""
    answers = iter([False] * (number - 1) + [True])
    return lambda: next(answers)


def follow(name, processes, checkpoint=None, should_stop=lambda: False):
    """All that a training leaves, by name."""
    model, regulariser = made(name)
    trained = train(
        model,
        DATA,
        RECIPES[name],
        objective(),
        generator=torch.Generator().manual_seed(5),
        device=CPU,
        should_stop=should_stop,
        report=lambda epoch, metrics: None,
        evaluation_batch_size=256,
        checkpoint=checkpoint or kept_in({}),
        regulariser=regulariser,
        processes=processes,
    )
    losses = [number for each in trained.log.epochs for number in (each.train_loss, each.validation_loss)]
    average = {f"average {key}": value for key, value in (trained.average or {}).items()}
    return {**model.state_dict(), **average, "losses": torch.tensor(losses)}
