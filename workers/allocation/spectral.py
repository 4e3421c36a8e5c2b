"""Widths by the spectrum: every group keeps as many samples as hold the same share of what varies along its axis.

A function with no frequency above a limit is determined by samples at twice that limit (Nyquist, Shannon). Needs
channels in an order in which they are samples of functions, so it is for integral networks.
"""

from collections.abc import Mapping

from jaxtyping import Float
from torch import Tensor

from workers.allocation._base import AllocationProblem, allocator
from workers.allocation.bisection import nearest_to_target
from workers.channels import ChannelMap
from workers.integral.slices import relative_slices
from workers.integral.spectrum import samples_for, spectrum


@allocator(needs=["spectra"], reason="channels are whole, and no nearer widths keep one share of every spectrum")
def spectral(problem: AllocationProblem) -> dict[str, int]:
    """Keep the smallest sizes that hold a share 1 - eps of each group's energy, with one eps that meets the target."""
    energies = problem.spectra()

    def widths_at(share: float) -> dict[str, int]:
        return {name: samples_for(each, share) if share > 0 else 1 for name, each in energies.items()}

    return nearest_to_target(problem, widths_at, high=1.0)


def spectra(state: Mapping[str, Tensor], channel_map: ChannelMap) -> dict[str, Float[Tensor, " _"]]:
    """Energy at every frequency of each group's slices, each tensor relative to its norm.

    Args:
        state: Tensors of the network, its channels in the order in which they are samples of functions.
        channel_map: Its channel groups.
    """
    return {
        group.name: spectrum(relative_slices(state, channel_map, index))
        for index, group in enumerate(channel_map.groups)
    }
