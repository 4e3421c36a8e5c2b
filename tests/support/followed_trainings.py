"""A training with all that a state can have, followed in what tests take for a new process."""

from typing import NamedTuple

import torch
from torch import Tensor, nn

from jobs.spec.augment import MixupSpec, TransformSpec
from jobs.spec.distillation import DistillSpec, FeatureSpec
from jobs.spec.training import Recipe
from workers.data import ImageData, Split
from workers.distillation import Teacher
from workers.execution import running_teacher
from workers.objectives.classification import objective
from workers.training import Trained, TrainingLog, train

CLASSIFICATION = objective()

# 22 images in batches of 4: six batches, of which the last holds two; validation is one batch.
RECIPE = Recipe(epochs=3, batch_size=4, learning_rate=0.05, schedule="cosine", augment="crop-flip", nesterov=True)
NUM_STEPS = 6

EVERYTHING = {
    "precision": "bfloat16",
    "channels_last": True,
    "optimizer": "adamw",
    "decay_norms_and_biases": False,
    "accumulate": 4,
    "clip_gradients": 0.5,
    "schedule": "one-cycle",
    "ema": 0.8,
    "patience": 2,
    "label_smoothing": 0.1,
    "augment": ("crop-flip", TransformSpec(mixup=MixupSpec(alpha=0.4))),
    "distill": DistillSpec(weight=0.5, temperature=4.0, features=FeatureSpec(layers=("conv",))),
}
MUON = {"optimizer": "muon", "fused": True, "accumulate": 3, "ema": 0.5, "keep": "ema"}


def images(count, seed):
    generator = torch.Generator().manual_seed(seed)
    labels = torch.randint(3, (count,), generator=generator)
    return Split(images=torch.rand(count, 1, 6, 6, generator=generator), targets=labels)


DATA = ImageData(train=images(22, 0), validation=images(9, 1), test=images(2, 2), num_classes=3, input_shape=(1, 6, 6))


class Network(nn.Module):
    """Dropout, batch norm, tied weights, a frozen bias and a buffer that its state leaves out."""

    def __init__(self, width=5):
        super().__init__()
        torch.manual_seed(0)
        self.conv = nn.Conv2d(1, width, 3)
        self.norm = nn.BatchNorm2d(width)
        self.dropout = nn.Dropout(0.3)
        self.first, self.second = nn.Linear(width, width), nn.Linear(width, width)
        self.second.weight = self.first.weight
        self.first.bias.requires_grad_(False)
        self.head = nn.Linear(width, 3)
        self.register_buffer("mean", torch.zeros(width), persistent=False)

    def forward(self, batch):
        features = self.norm(self.conv(batch)).relu().mean((2, 3))
        if self.training:
            self.mean.mul_(0.9).add_(features.detach().mean(0), alpha=0.1)
        features = self.dropout(features - self.mean)
        return self.head(self.second(self.first(features).relu()))


class Followed(NamedTuple):
    """What is left of a training: its log, all tensors by name, and what it returned."""

    log: TrainingLog
    tensors: dict[str, Tensor]
    trained: Trained


def follow(checkpoint, *, should_stop=lambda: False, recipe=RECIPE, model=None, data=DATA, until=None, start=None):
    """A new process: a new network, a new generator, other global draws before it."""
    model = model or Network()
    teacher = teacher_of(model, recipe)
    torch.manual_seed(torch.seed())
    trained = train(
        model,
        data,
        recipe,
        CLASSIFICATION,
        generator=torch.Generator().manual_seed(5),
        device="cpu",
        should_stop=should_stop,
        report=lambda epoch, metrics: None,
        evaluation_batch_size=256,
        checkpoint=checkpoint,
        teacher=teacher,
        until=until,
        start=start,
    )
    best = {f"best {name}": tensor for name, tensor in trained.best.items()}
    average = {f"average {name}": tensor for name, tensor in (trained.average or {}).items()}
    return Followed(trained.log, {**model.state_dict(), "mean": model.mean, **best, **average}, trained)


def teacher_of(model, recipe):
    """A wider network, if the recipe distils from one."""
    if recipe.distill is None:
        return None
    dense = Network(width=7)
    return Teacher(recipe.distill, dense, model, CLASSIFICATION, runner=running_teacher(dense, recipe))


def assert_same(found, expected):
    assert found.log == expected.log
    for name, tensor in expected.tensors.items():
        assert torch.equal(found.tensors[name], tensor), name
