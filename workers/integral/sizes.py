"""Draws the sizes of one training step of Algorithm 1."""

import math
from collections.abc import Mapping

from jobs.identity import content_key


def sample_sizes(seed: int, step: int, widths: Mapping[str, int], low_fraction: float) -> dict[str, int]:
    """A size for every group, uniform from `low_fraction` of its width, rounded up, to the width (INN, algorithm 1).

    Drawn from (seed, step, group) alone, so that a resumed run draws the same ones and a group's sizes do not depend on
    which others there are.

    Args:
        seed: Seed of the run.
        step: Number of the training step.
        widths: Group name -> largest size.
        low_fraction: Smallest size as a fraction of the width, in [0, 1]; at least one sample is left.

    Raises:
        ValueError: `low_fraction` is outside [0, 1].
    """
    if not 0 <= low_fraction <= 1:
        raise ValueError(f"low_fraction is {low_fraction}; a fraction in [0, 1] is needed")
    sizes = {}
    for name, width in widths.items():
        low = max(1, math.ceil(low_fraction * width))
        drawn = int(content_key({"purpose": "sizes", "seed": seed, "step": step, "group": name}), 16)
        sizes[name] = low + drawn % (width - low + 1)  # of 128 bits: the modulo bias is negligible
    return sizes
