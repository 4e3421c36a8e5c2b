"""The spectrum of a group's channels along its axis, and the number of samples that it needs.

A function with no frequency above a limit is determined by samples at twice that limit (Nyquist, Shannon), so the
spectrum of the permuted weights tells how many samples a group needs. Pure: channels are the rows of a matrix.
"""

import math

import torch
from jaxtyping import Float, Float64
from torch import Tensor


def spectrum(channels: Float[Tensor, "n d"]) -> Float64[Tensor, " n"]:
    """Energy at every frequency, summed over columns; by Parseval's theorem they add up to the squares of all entries.

    Uses the orthonormal discrete cosine transform (DCT-II, Ahmed, Natarajan and Rao 1974): the mirrored
    continuation has no jump at the ends. Frequency k is k half periods over the axis; 0 is the mean.

    Args:
        channels: All entries that each channel owns, a row per channel, in order.
    """
    rows = channels.double()
    n = len(rows)
    index = torch.arange(n, dtype=rows.dtype, device=rows.device)
    cosines = torch.cos(math.pi / n * index[:, None] * (index + 0.5)) * math.sqrt(2 / n)
    cosines[0] = math.sqrt(1 / n)
    return (cosines @ rows).square().sum(1)


def nyquist_size(channels: Float[Tensor, "n d"], energy_kept: float) -> int:
    """The least number of samples of some channels that hold a share of the energy; see `samples_for`.

    Args:
        channels: All entries that each channel owns, a row per channel, in order.
        energy_kept: 1 - eps, in (0, 1].
    """
    return samples_for(spectrum(channels), energy_kept)


def samples_for(energies: Float[Tensor, " n"], energy_kept: float) -> int:
    """The least number of samples that hold a share of the energy.

    Args:
        energies: As of `spectrum`.
        energy_kept: 1 - eps, in (0, 1]. The mean is left out: it does not depend on how fast the function varies.

    Returns:
        The smallest m, from 1 to n, such that the frequencies below m, which m samples resolve, hold that share.

    Raises:
        ValueError: The share is outside (0, 1].
    """
    if not 0 < energy_kept <= 1:
        raise ValueError(f"energy_kept is {energy_kept}; a share in (0, 1] is needed, such as 0.99")
    held = energies[1:].cumsum(0)
    if len(held) == 0 or held[-1] <= _NOISE * energies.sum():
        return 1
    enough = held >= energy_kept * held[-1] * (1 - _NOISE)
    return 2 + int(enough.int().argmax())


_NOISE = 1e-12
"""Shares below this are rounding."""
