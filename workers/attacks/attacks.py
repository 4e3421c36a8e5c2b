"""The attacks: from images and their classes to images near them that deceive a network."""

import torch
from jaxtyping import Float, Int64
from torch import Tensor, nn
from torch.nn import functional

from jobs.errors import BadInputError
from jobs.libraries import missing
from jobs.spec.attack import Attack, AutoAttack, FgsmAttack, PgdAttack

_FEWEST_CLASSES = 4
"""The targeted loss of AutoAttack compares the logits of four classes."""


def attack(
    classifier: nn.Module,
    pixels: Float[Tensor, "n c h w"],
    classes: Int64[Tensor, " n"],
    how: Attack,
    *,
    generator: torch.Generator,
) -> Float[Tensor, "n c h w"]:
    """Images that differ by at most epsilon in every pixel, made to be taken for another class.

    Args:
        classifier: From pixels to logits, in evaluation mode.
        pixels: In [0, 1]; so are those that are returned.
        classes: Their true classes.
        how: The attack.
        generator: Of random starts, on the CPU.

    Raises:
        BadInputError: The attack's package is missing, or there are too few classes for it.
    """
    epsilon = how.epsilon / 255
    match how:
        case FgsmAttack():
            return _step(classifier, pixels, pixels, classes, size=epsilon, epsilon=epsilon)
        case PgdAttack():
            size = 2.5 * epsilon / how.steps if how.step_size is None else how.step_size / 255
            shift = torch.rand(pixels.shape, generator=generator).to(pixels) * 2 - 1
            found = (pixels + epsilon * shift).clamp(0, 1)
            for _ in range(how.steps):
                found = _step(classifier, pixels, found, classes, size=size, epsilon=epsilon)
            return found
        case AutoAttack():
            return _by_ensemble(classifier, pixels, classes, epsilon, generator)


def _step(
    classifier: nn.Module, pixels: Tensor, start: Tensor, classes: Tensor, *, size: float, epsilon: float
) -> Tensor:
    """A step up the loss, back into the ball of radius epsilon around the pixels and into [0, 1]."""
    with torch.enable_grad():
        moving = start.detach().requires_grad_()
        loss = functional.cross_entropy(classifier(moving), classes, reduction="sum")
        (slope,) = torch.autograd.grad(loss, moving)
    moved = start + size * slope.sign()
    return torch.minimum(torch.maximum(moved, pixels - epsilon), pixels + epsilon).clamp(0, 1)


def _by_ensemble(
    classifier: nn.Module, pixels: Tensor, classes: Tensor, epsilon: float, generator: torch.Generator
) -> Tensor:
    if said := missing("pyautoattack"):
        raise BadInputError(f"the attack autoattack: {said}")
    import pyautoattack

    with torch.no_grad():
        num_classes = classifier(pixels[:1]).shape[1]
    if num_classes < _FEWEST_CLASSES:
        raise BadInputError(
            f"autoattack needs {_FEWEST_CLASSES} classes, and the network has {num_classes}; attack it by pgd"
        )
    seed = int(torch.randint(2**31, (), generator=generator))
    ensemble = pyautoattack.AutoAttack(classifier, device=pixels.device, eps=epsilon, seed=seed)
    for part in (ensemble.apgd_targeted, ensemble.fab):  # 9 where there are as many other classes
        part.n_target_classes = min(part.n_target_classes, num_classes - 1)
    with torch.random.fork_rng([pixels.device] if pixels.is_cuda else []):
        found: Tensor
        found, _ = ensemble.run_standard_evaluation(pixels, classes, batch_size=len(pixels))
    return found
