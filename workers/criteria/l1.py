"""Norm of the filters: sum of |W| (Rethinking, section 4.1; Li et al. 2017)."""

from collections.abc import Mapping

import torch
from jaxtyping import Float
from torch import Tensor

from workers.channels import ChannelMap, unit_slices


def l1(
    state: Mapping[str, Tensor], channel_map: ChannelMap, generator: torch.Generator
) -> dict[str, Float[Tensor, " n"]]:
    """Sum of the absolute weights that produce a unit, over all layers of its group.

    Biases, norms and the layers that read the unit do not count. See `Criterion` for the arguments.
    """
    scores = {group.name: torch.zeros(group.width, dtype=torch.float64) for group in channel_map.groups}
    for name, layouts in channel_map.tensors.items():
        if name not in channel_map.parameters or len(layouts) < 2:
            continue
        for axis, layout in enumerate(layouts):  # of a transposed convolution the output axis is the second one
            for index in layout.present() if layout.role == "output" else []:
                rows = unit_slices(state[name], layouts, axis, index)
                scores[channel_map.groups[index].name] += rows.double().abs().sum(1)
    return scores
