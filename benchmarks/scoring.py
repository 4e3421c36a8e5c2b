"""The cost of calibration passes relative to a plain evaluation pass over the same images.

ResNet-18 and VGG-16 with batch norm for small images, and CIFAR ResNet-56, all with random weights, on random images of
32 x 32 pixels. Passes alternate within one run; ratios are medians over pairs. `pass_ratio`: all streamed activation
statistics at once, which seven criteria read, for every compression. `gradient_ratio`: the pass behind taylor, fisher
and snip. `rank_ratio`: the pass behind hrank, a singular value decomposition per map, on a sixteenth of the images; it
is no part of the streamed pass. `units`: how many evaluation passes the pass behind loss-change takes. `evaluation_s`:
seconds of the evaluation pass.
"""

import argparse
import json
import statistics
from collections.abc import Callable

import torch

from benchmarks.timing import paired, timed
from workers.channels import find_groups
from workers.data import Split
from workers.measure import evaluate
from workers.models import build
from workers.objectives.classification import objective
from workers.observations import OBSERVATIONS, Batches

CLASSIFICATION = objective()

SHAPE = (3, 32, 32)
NETWORKS = ("cifar_resnet18", "cifar_resnet56", "cifar_vgg16_bn")
BATCH_SIZE = 64


def measure(network: str, num_images: int, repetitions: int) -> dict[str, float]:
    """All figures of one network."""
    device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
    torch.manual_seed(0)
    module = build(network).eval()
    channel_map = find_groups(module, SHAPE)
    module = module.to(device)
    images = Split(images=torch.rand(num_images, *SHAPE), targets=torch.randint(10, (num_images,)))
    few = images.select(torch.arange(max(1, num_images // 16)))

    def plain(split: Split) -> Callable[[], object]:
        return lambda: evaluate(
            module, split, CLASSIFICATION, batch_size=BATCH_SIZE, device=device, should_stop=lambda: False
        )

    def observing(observation: str, split: Split) -> Callable[[], object]:
        batches = Batches(split, CLASSIFICATION, BATCH_SIZE, device=device, labelled=True)
        return lambda: OBSERVATIONS[observation](module, channel_map, batches)

    plain(few)()
    return {
        "pass_ratio": round(paired(observing("activations", images), plain(images), repetitions)[0], 3),
        "gradient_ratio": round(paired(observing("gradients", images), plain(images), repetitions)[0], 3),
        "rank_ratio": round(paired(observing("ranks", few), plain(few), 1)[0], 3),
        "units": sum(channel_map.widths().values()),
        "evaluation_s": round(statistics.median(timed(plain(images)) for _ in range(2)), 2),
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true", help="128 images and 2 repetitions in place of 256 and 5.")
    num_images, repetitions = (128, 2) if parser.parse_args().quick else (256, 5)
    figures = {network: measure(network, num_images, repetitions) for network in NETWORKS}
    shown = {f"{network}.{name}": value for network, each in figures.items() for name, value in each.items()}
    print(json.dumps({**shown, "batch_size": BATCH_SIZE, "threads": torch.get_num_threads()}))


if __name__ == "__main__":
    main()
