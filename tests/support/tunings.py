"""Tunings of tiny networks: what they are tuned for, and how."""

import torch
from timm.models.levit import Attention
from torch import nn

from jobs.spec.integral import TuneSpec
from workers.channels import attach, find_groups
from workers.checkpoints import Checkpoint
from workers.data import ImageData, Split
from workers.integral import PARTITIONS, QUADRATURES, choose_cells
from workers.integral.tuning import tune_partition
from workers.objectives.classification import objective

CLASSIFICATION = objective()

QUADRATURE = QUADRATURES["midpoint"]
RECIPE = TuneSpec(steps=12, batch_size=16, learning_rate=0.01, samples=64, holdout=40)


def never():
    return False


def pose(module, channel_map):
    """A network, its map, and images labelled by the network itself."""
    images = torch.rand(104, 1, 8, 8, generator=torch.Generator().manual_seed(2))
    with torch.no_grad():
        logits = module(images)
        labels = (logits - logits.mean(0)).argmax(1)
    train = Split(images=images[:64], targets=labels[:64])
    validation = Split(images=images[64:], targets=labels[64:])
    data = ImageData(train=train, validation=validation, test=validation, num_classes=10, input_shape=(1, 8, 8))
    return module, channel_map, data


def start_of(module, channel_map):
    widths = {name: width // 2 for name, width in channel_map.widths().items()}
    return choose_cells(module.state_dict(), channel_map, widths, PARTITIONS["uniform"])


def no_checkpoint():
    return Checkpoint(load=lambda: None, save=lambda content: None)


def tune(problem, *, seed=0, should_stop=never, checkpoint=None, **changes):
    module, channel_map, data = problem
    return tune_partition(
        module,
        channel_map,
        start_of(module, channel_map),
        QUADRATURE,
        data,
        RECIPE.model_copy(update=changes),
        CLASSIFICATION,
        generator=torch.Generator().manual_seed(seed),
        device=torch.device("cpu"),
        evaluation_batch_size=256,
        should_stop=should_stop,
        checkpoint=checkpoint or no_checkpoint(),
    )


def same(left, right):
    return left.keys() == right.keys() and all(torch.equal(left[name], right[name]) for name in left)


class LookedUp(nn.Module):
    """Attention that looks up its biases once, in evaluation mode."""

    def __init__(self):
        super().__init__()
        self.before, self.attention = nn.Conv2d(1, 8, 4, 4), Attention(8, 4, num_heads=4, resolution=(2, 2))
        self.after = nn.Linear(8, 4)
        nn.init.normal_(self.attention.attention_biases)
        nn.init.ones_(self.attention.proj.ln.bn.weight)

    def forward(self, x):
        x = self.before(x).flatten(2).transpose(1, 2)
        return self.after((x + self.attention(x)).mean(1))


def looked_up():
    torch.manual_seed(0)
    module = LookedUp().eval()
    channel_map = find_groups(module, (1, 8, 8))
    attach(module, channel_map.attributes)
    return pose(module, channel_map)
