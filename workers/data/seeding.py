"""Draws of single samples: seeded by what is drawn for, so that they depend neither on the process nor on the past."""

import random
from collections.abc import Iterator
from contextlib import contextmanager

import numpy as np
import torch

_GOLDEN = 0x9E3779B97F4A7C15
_BITS = 2**64 - 1


def seed_of(seed: int, index: int) -> int:
    """A seed of 64 bits for one of many, by the mixing function of SplitMix64.

    Source: Steele, Lea and Flood 2014, doi:10.1145/2660193.2660195, figure 15.
    """
    mixed = (seed + (index + 1) * _GOLDEN) & _BITS
    mixed = ((mixed ^ (mixed >> 30)) * 0xBF58476D1CE4E5B9) & _BITS
    mixed = ((mixed ^ (mixed >> 27)) * 0x94D049BB133111EB) & _BITS
    return mixed ^ (mixed >> 31)


def seed_global_generators(seed: int) -> None:
    """Seed the global generators of torch (on the CPU), NumPy and Python."""
    torch.default_generator.manual_seed(seed)
    np.random.seed(seed & 0xFFFFFFFF)  # noqa: NPY002 - a user's data set may draw from it
    random.seed(seed)


@contextmanager
def global_generators_kept() -> Iterator[None]:
    """Restore those generators at the end."""
    states = torch.get_rng_state(), np.random.get_state(), random.getstate()  # noqa: NPY002
    try:
        yield
    finally:
        torch.set_rng_state(states[0])
        np.random.set_state(states[1])  # noqa: NPY002
        random.setstate(states[2])


@contextmanager
def drawing_from(generator: torch.Generator) -> Iterator[None]:
    """Torch's global generator of the CPU, seeded by another one, for what cannot be given one; restored at the end."""
    seed = int(torch.randint(2**63 - 1, (), generator=generator))
    with torch.random.fork_rng(devices=[]):
        torch.default_generator.manual_seed(seed)
        yield
