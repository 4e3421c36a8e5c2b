"""A DCGAN whose generator is an integral network, trained at all sizes by Algorithm 1, beside one that is not.

Radford et al. 2016 (arXiv:1511.06434) on scikit-learn's digits, 8 x 8 pixels: the same networks, steps and draws,
several seeds. Only the generator's passes differ: at sizes drawn anew for every step (INN, algorithm 1), or always at
full size. Quality is the Frechet distance (Heusel et al. 2017, arXiv:1706.08500, equation 6) between real and generated
digits in the features of a classifier that is trained here. Run it from the repository's root:

    .venv/bin/python docs/examples/train_gan.py [--out PICTURE] [--steps 3000] [--seeds 3]

It shows how to train an integral network with a loop and a loss of one's own: see train_gan.md.
"""

import argparse
from dataclasses import dataclass, field
from pathlib import Path
from statistics import fmean, stdev

import torch
from jaxtyping import Float
from sklearn.datasets import load_digits
from torch import Tensor, nn
from torch.nn import functional

from workers.channels import find_groups
from workers.integral.algorithm1 import DrawnSizes
from workers.integral.network import IntegralNetwork

NOISE = 32
BATCH = 64
LEARNING_RATE = 5e-4
SMALLEST = 0.5
"""Of Algorithm 1: no group is drawn smaller than this fraction of its width."""
SIZES = (1.0, 0.75, 0.5)
"""Fractions of the generator's widths at which its digits are judged."""
SMOOTHED = 50
"""Steps that a point of the loss curves is the mean of."""
WAYS = {"at full size": False, "by Algorithm 1": True}


def digits() -> tuple[Float[Tensor, "n 1 8 8"], Tensor]:
    """All 1,797 digits in [-1, 1], and their classes."""
    found = load_digits()
    return torch.tensor(found.images, dtype=torch.float32)[:, None] / 8 - 1, torch.tensor(found.target)


def make_generator() -> nn.Module:
    """From noise to a digit, by transposed convolutions with batch norms."""
    return nn.Sequential(
        nn.Linear(NOISE, 64 * 4, bias=False),
        nn.Unflatten(1, (64, 2, 2)),
        nn.BatchNorm2d(64),
        nn.ReLU(),
        nn.ConvTranspose2d(64, 48, 4, stride=2, padding=1, bias=False),
        nn.BatchNorm2d(48),
        nn.ReLU(),
        nn.ConvTranspose2d(48, 32, 4, stride=2, padding=1, bias=False),
        nn.BatchNorm2d(32),
        nn.ReLU(),
        nn.Conv2d(32, 1, 3, padding=1),
        nn.Tanh(),
    )


def make_discriminator() -> nn.Module:
    """From a digit to the logit of its being real."""
    return nn.Sequential(
        nn.Conv2d(1, 32, 3, padding=1),
        nn.LeakyReLU(0.2),
        nn.Conv2d(32, 48, 4, stride=2, padding=1, bias=False),
        nn.BatchNorm2d(48),
        nn.LeakyReLU(0.2),
        nn.Conv2d(48, 64, 4, stride=2, padding=1, bias=False),
        nn.BatchNorm2d(64),
        nn.LeakyReLU(0.2),
        nn.Flatten(),
        nn.Linear(64 * 4, 1),
    )


@dataclass(kw_only=True)
class Trained:
    """A generator after its training, and how that went.

    Attributes:
        network: The integral network; at full size it is an ordinary generator.
        generator_losses: One per step.
        discriminator_losses: One per step.
    """

    network: IntegralNetwork
    generator_losses: list[float] = field(default_factory=list)
    discriminator_losses: list[float] = field(default_factory=list)


def train(real: Float[Tensor, "n 1 8 8"], steps: int, *, by_algorithm_1: bool, seed: int) -> Trained:
    """Train both networks in turn by Adam, as Radford et al. do.

    Args:
        real: The real images.
        steps: Updates of each network.
        by_algorithm_1: Whether the generator's sizes are drawn anew for every pass.
        seed: Of weights, batches, noise and sizes.
    """
    torch.manual_seed(seed)
    generator, discriminator = make_generator(), make_discriminator()
    network = IntegralNetwork(generator.train(), find_groups(generator.eval(), (NOISE,)))
    network.train()
    made = DrawnSizes(network, seed=seed, smallest=SMALLEST) if by_algorithm_1 else network
    optimizers = [
        torch.optim.Adam(each.parameters(), LEARNING_RATE, betas=(0.5, 0.999)) for each in (network, discriminator)
    ]
    trained = Trained(network=network)
    ones, zeros = torch.ones(BATCH, 1), torch.zeros(BATCH, 1)
    for _ in range(steps):
        batch = real[torch.randint(len(real), (BATCH,))]
        fake = made(torch.randn(BATCH, NOISE))
        judged = discriminator(batch), discriminator(fake.detach())
        loss = sum(map(functional.binary_cross_entropy_with_logits, judged, (ones, zeros)), torch.zeros(()))
        trained.discriminator_losses.append(_step(optimizers[1], loss))
        loss = functional.binary_cross_entropy_with_logits(discriminator(fake), ones)
        trained.generator_losses.append(_step(optimizers[0], loss))
    return trained


def _step(optimizer: torch.optim.Optimizer, loss: Tensor) -> float:
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
    return loss.item()


def train_features(images: Float[Tensor, "n 1 8 8"], classes: Tensor, epochs: int = 20) -> nn.Module:
    """The features of a classifier of the digits: all but its last layer, in evaluation mode."""
    torch.manual_seed(0)
    features = nn.Sequential(
        nn.Conv2d(1, 16, 3, padding=1),
        nn.ReLU(),
        nn.Conv2d(16, 32, 3, stride=2, padding=1),
        nn.ReLU(),
        nn.Flatten(),
        nn.Linear(32 * 16, 32),
        nn.ReLU(),
    )
    classifier = nn.Sequential(features, nn.Linear(32, 10))
    optimizer = torch.optim.Adam(classifier.parameters(), 2e-3)
    for _ in range(epochs):
        for chosen in torch.randperm(len(images)).split(BATCH):
            _step(optimizer, functional.cross_entropy(classifier(images[chosen]), classes[chosen]))
    return features.eval()


def frechet_distance(first: Float[Tensor, "n d"], second: Float[Tensor, "m d"]) -> float:
    """Distance between the normal distributions of two sets of features, squared.

    The norm of the difference of the means, squared, plus tr(A + B - 2 (AB)^(1/2)) of the covariances A and B. The
    trace of the root is the sum of the roots of the eigenvalues of A^(1/2) B A^(1/2), which are those of AB.
    """
    means = [each.double().mean(0) for each in (first, second)]
    covariances = [torch.cov(each.double().T) for each in (first, second)]
    values, vectors = torch.linalg.eigh(covariances[0])
    root = vectors * values.clamp_min(0).sqrt() @ vectors.T
    mixed = torch.linalg.eigvalsh(root @ covariances[1] @ root).clamp_min(0).sqrt().sum()
    return float((means[0] - means[1]).square().sum() + sum(map(torch.trace, covariances)) - 2 * mixed)


@torch.no_grad()
def generate(network: IntegralNetwork, size: float, count: int) -> Float[Tensor, "count 1 8 8"]:
    """Digits of a generator at a fraction of its widths, from always the same noise.

    Batch norms take the statistics of the batch, as in training: running ones belong to sizes that are gone.
    """
    network.resize({name: max(1, round(size * width)) for name, width in network.channel_map.widths().items()})
    noise = torch.randn(count, NOISE, generator=torch.Generator().manual_seed(0))
    made: Tensor = network.export().train()(noise)
    return made


def judge(network: IntegralNetwork, features: nn.Module, real: Float[Tensor, "n 1 8 8"]) -> dict[float, float]:
    """The Frechet distance at every size of `SIZES`."""
    with torch.no_grad():
        wanted = features(real)
        return {size: frechet_distance(wanted, features(generate(network, size, len(real)))) for size in SIZES}


def draw(runs: dict[str, list[Trained]], out: Path) -> None:
    """Write loss curves (mean over the seeds) and digits at full and half size into a file."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(9, 5.4), dpi=100, layout="constrained")
    grid = figure.add_gridspec(2, 4)
    panels = [figure.add_subplot(grid[0, :2]), figure.add_subplot(grid[0, 2:])]
    for axes, title in zip(panels, ("generator_losses", "discriminator_losses"), strict=True):
        for way, several in runs.items():
            mean = torch.tensor([getattr(each, title) for each in several]).mean(0)
            smooth = mean[: len(mean) // SMOOTHED * SMOOTHED].view(-1, SMOOTHED).mean(1)
            axes.plot(torch.arange(len(smooth)) * SMOOTHED, smooth, label=way)
        axes.set_title(title.replace("_", " "), fontsize=9)
        axes.set_xlabel("step", fontsize=8)
        axes.legend(fontsize=8)
    places = [(way, size) for way in runs for size in (SIZES[0], SIZES[-1])]
    for column, (way, size) in enumerate(places):
        axes = figure.add_subplot(grid[1, column])
        framed = functional.pad(generate(runs[way][0].network, size, 25), (1, 1, 1, 1), value=1.0)
        axes.imshow(framed.view(5, 5, 10, 10).transpose(1, 2).reshape(50, 50).numpy(), cmap="gray", vmin=-1, vmax=1)
        axes.set_title(f"{way},\nsampled at {100 * size:.0f} %", fontsize=9)
        axes.axis("off")
    figure.savefig(out, bbox_inches="tight")


def main(arguments: list[str] | None = None) -> None:
    """Train all generators, print their distances and draw them."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", type=Path, default=Path("train_gan.png"), help="where the picture goes")
    parser.add_argument("--steps", type=int, default=3000, help="updates of each network")
    parser.add_argument("--seeds", type=int, default=3, help="how many")
    options = parser.parse_args(arguments)
    if options.seeds < 1 or options.steps < 1:
        parser.error("--seeds and --steps are 1 or more")
    real, classes = digits()
    features = train_features(real, classes)
    runs: dict[str, list[Trained]] = {}
    for way, by_algorithm_1 in WAYS.items():
        runs[way] = [
            train(real, options.steps, by_algorithm_1=by_algorithm_1, seed=seed) for seed in range(options.seeds)
        ]
        found = [judge(each.network, features, real) for each in runs[way]]
        for size in SIZES:
            values = [each[size] for each in found]
            spread = f" +- {stdev(values):.2f}" if len(values) > 1 else ""
            print(f"{way}, sampled at {100 * size:.0f} %: distance {fmean(values):.2f}{spread}", flush=True)
    draw(runs, options.out)


if __name__ == "__main__":
    main()
