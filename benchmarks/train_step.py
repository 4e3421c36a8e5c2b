"""The cost of a training step: half precision against single, and our loop against a bare one in PyTorch.

Random images of 3 x 32 x 32 in batches of 128, an epoch of a few batches, no augmentation, SGD with momentum.

- `bf16_speedup.NETWORK`: seconds of an epoch in float32, as trained by default, over those with `precision: bfloat16`
  and `channels_last: true`; for ResNet-18, NIN and VGG-11 with batch norm, all for small images.
- `ratio_to_plain_loop`: seconds of an epoch of our loop (checks of losses and outputs and offers to the checkpoint
  included) over those of a loop that does nothing but read a batch, call, differentiate and step, with the same
  settings and weights: of `plain`, a network of three convolutions, where what a loop costs shows more than in a large
  one.

Epochs of the two kinds alternate within one run, and which begins does, too; ratios are medians over pairs. Further
figures: `bf16_images_per_s.NETWORK`, `plain_loop_step_ms`, threads, device.

    python -m benchmarks.train_step [--quick]
"""

import argparse
import copy
import json
from collections.abc import Callable

import torch
from torch import nn
from torch.nn import functional

from benchmarks.timing import paired
from jobs.spec.training import Recipe
from workers.checkpoints import Checkpoint
from workers.data import ImageData, Split
from workers.data.feed import Feed
from workers.execution import compute_in_full, running
from workers.models import build
from workers.objectives.classification import objective
from workers.speed import Stopwatch
from workers.training import Regulariser, TrainingState
from workers.training.loop import train_epoch
from workers.training.optimizers import make_optimizer
from workers.training.step import GradientSteps

NETWORKS = {
    "resnet18": ("resnet", {"widths": [64, 128, 256, 512], "blocks": 2}),
    "nin": ("nin", {}),
    "vgg11": ("cifar_vgg11_bn", {}),
}
BATCH = 128
SINGLE = Recipe(epochs=1, batch_size=BATCH, learning_rate=1e-3, schedule="constant")
HALF = SINGLE.model_copy(update={"precision": "bfloat16", "channels_last": True})
CLASSIFICATION = objective()


def images(batches: int) -> Split:
    generator = torch.Generator().manual_seed(0)
    count = batches * BATCH
    targets = torch.randint(10, (count,), generator=generator)
    return Split(images=torch.rand(count, 3, 32, 32, generator=generator), targets=targets)


def our_epoch(module: nn.Module, split: Split, recipe: Recipe, device: torch.device) -> Callable[[], None]:
    """An epoch of our loop, over and over the same one."""
    model = copy.deepcopy(module).to(device)
    if recipe.channels_last:
        model.to(memory_format=torch.channels_last)
    generators = {"batches": torch.Generator().manual_seed(0)}
    state = TrainingState(
        model,
        make_optimizer(model, recipe),
        recipe,
        generators,
        len(split),
        Regulariser(),
        CLASSIFICATION.primary,
        device,
    )
    steps = GradientSteps(state, running(model, recipe), CLASSIFICATION)
    checkpoint = Checkpoint(load=lambda: None, save=lambda content: None)
    data = ImageData(train=split, validation=split, test=split)
    feed = Feed(split, CLASSIFICATION.pipeline(recipe.augment, data), device=device)

    def epoch() -> None:
        state.step = 0
        train_epoch(steps, feed, should_stop=lambda: False, checkpoint=checkpoint, watch=Stopwatch())

    return epoch


def plain_epoch(module: nn.Module, split: Split, recipe: Recipe, device: torch.device) -> Callable[[], None]:
    """The same in as few lines as can be."""
    model = copy.deepcopy(module).to(device).train()
    optimizer = torch.optim.SGD(
        model.parameters(), lr=recipe.learning_rate, momentum=recipe.momentum, weight_decay=recipe.weight_decay
    )
    assert isinstance(split.images, torch.Tensor)
    assert isinstance(split.targets, torch.Tensor)
    inputs, targets = split.images, split.targets
    order = torch.randperm(len(split), generator=torch.Generator().manual_seed(0))

    def epoch() -> None:
        for indices in order.split(recipe.batch_size):
            batch, labels = inputs[indices].to(device), targets[indices].to(device)
            optimizer.zero_grad()
            torch.autograd.backward(functional.cross_entropy(model(batch), labels))
            optimizer.step()

    return epoch


def measure(batches: int, repetitions: int) -> dict[str, float | int | str]:
    """All figures."""
    compute_in_full()
    device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
    split, found = images(batches), dict[str, float | int | str]()
    for name, (network, arguments) in NETWORKS.items():
        torch.manual_seed(0)
        module = build(network, arguments)
        single, half = (our_epoch(module, split, recipe, device) for recipe in (SINGLE, HALF))
        for warm_up in (single, half):
            warm_up()
        speedup, half_s = paired(single, half, repetitions)
        found[f"bf16_speedup.{name}"] = round(speedup, 2)
        found[f"bf16_images_per_s.{name}"] = round(len(split) / half_s)
    torch.manual_seed(0)
    module, longer = build("plain", {}), images(4 * batches)
    ours, plain = our_epoch(module, longer, SINGLE, device), plain_epoch(module, longer, SINGLE, device)
    for warm_up in (ours, plain):
        warm_up()
    ratio, plain_s = paired(ours, plain, 4 * repetitions)
    return {
        **found,
        "ratio_to_plain_loop": round(ratio, 3),
        "plain_loop_step_ms": round(plain_s / (4 * batches) * 1e3, 1),
        "threads": torch.get_num_threads(),
        "device": device.type,
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true", help="Epochs of 2 batches and 3 pairs in place of 4 and 7.")
    quick = parser.parse_args().quick
    print(json.dumps(measure(batches=2 if quick else 4, repetitions=3 if quick else 7)))


if __name__ == "__main__":
    main()
