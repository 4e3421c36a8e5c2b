"""The cost of an integral network relative to an ordinary one: a training step, an evaluation, a change of size.

ResNet-18 for small images (stages of 64, 128, 256 and 512 channels, batch norm not folded), 32 x 32 pixels, all channel
groups continuous with a coefficient per channel, and a uniform partition of one sample fewer, so that every weight is
interpolated. The peer is the ordinary network of the same sizes (the exported one). Steps alternate within one run;
ratios are medians over pairs. A training step of the integral network includes a change of the partition, as
Algorithm 1 asks for. Figures: train_ratio, eval_ratio, resize_ms (all groups, until the network is ready to make its
weights), materialise_ms (the weights of a network in evaluation mode), train_step_ms and eval_ms (of the peer),
batch_size, threads.
"""

import argparse
import copy
import json
import statistics
from collections.abc import Callable

import torch
from torch import nn
from torch.nn import functional

from benchmarks.timing import paired, timed
from workers.channels import find_groups
from workers.integral.network import IntegralNetwork
from workers.models import build

SHAPE = (3, 32, 32)


def step_of(network: nn.Module, images: torch.Tensor, labels: torch.Tensor) -> Callable[[], None]:
    """A training step of stochastic gradient descent."""
    optimizer = torch.optim.SGD(network.parameters(), lr=1e-4, momentum=0.9)

    def step() -> None:
        optimizer.zero_grad()
        torch.autograd.backward(functional.cross_entropy(network(images), labels))
        optimizer.step()

    return step


def measure(batch_size: int, repetitions: int) -> dict[str, float | int]:
    """All figures."""
    device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
    torch.manual_seed(0)
    module = build("resnet", {"widths": [64, 128, 256, 512], "blocks": 2})
    integral = IntegralNetwork(module, find_groups(module, SHAPE)).to(device)
    sizes = {name: width - 1 for name, width in integral.sizes.items()}
    integral.resize(sizes)
    discrete = copy.deepcopy(integral.export())
    images, labels = torch.rand(batch_size, *SHAPE, device=device), torch.randint(10, (batch_size,), device=device)

    integral_step, discrete_step = step_of(integral, images, labels), step_of(discrete, images, labels)

    def algorithm_1() -> None:
        integral.resize(sizes)
        integral_step()

    for warm_up in (algorithm_1, discrete_step):
        warm_up()
    train_ratio, train_s = paired(algorithm_1, discrete_step, repetitions)
    integral.eval()
    discrete.eval()

    def resize() -> None:
        integral.resize(sizes)
        integral.prepare()

    with torch.no_grad():
        resize_s = statistics.median(timed(resize) for _ in range(repetitions))
        materialise_s = statistics.median(timed(integral.export) for _ in range(repetitions))
        for network in (integral, discrete):
            network(images)
        eval_ratio, eval_s = paired(lambda: integral(images), lambda: discrete(images), 2 * repetitions)
    return {
        "train_ratio": round(train_ratio, 3),
        "eval_ratio": round(eval_ratio, 3),
        "resize_ms": round(resize_s * 1e3, 1),
        "materialise_ms": round(materialise_s * 1e3, 1),
        "train_step_ms": round(train_s * 1e3, 1),
        "eval_ms": round(eval_s * 1e3, 1),
        "batch_size": batch_size,
        "threads": torch.get_num_threads(),
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true", help="3 repetitions in place of 15.")
    quick = parser.parse_args().quick
    print(json.dumps(measure(batch_size=64, repetitions=3 if quick else 15)))


if __name__ == "__main__":
    main()
