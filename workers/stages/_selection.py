"""Some of a network's channels: which ones as a file, and the network without the others, proved to be that."""

from collections.abc import Mapping

import torch
from jaxtyping import Float, Int64
from safetensors.torch import load, save
from torch import Tensor

from workers.channels import ChannelMap, mask, select
from workers.network import Recipe, rebuild
from workers.stages._base import Context

KEPT_FILE = "kept.safetensors"

_TOLERANCE = 1e-6


def kept_file(kept: Mapping[str, Int64[Tensor, " _"]]) -> dict[str, bytes]:
    """The file that names the kept units of every group, ascending."""
    return {KEPT_FILE: save({name: units.cpu().contiguous() for name, units in kept.items()})}


def read_kept(context: Context, role: str = "network") -> dict[str, Int64[Tensor, " _"]]:
    """Group name -> the units that the network in a role has kept."""
    return load(context.read(role, KEPT_FILE))


def selected(
    recipe: Recipe,
    state: Mapping[str, Tensor],
    channel_map: ChannelMap,
    kept: Mapping[str, Int64[Tensor, " _"]],
    images: Float[Tensor, "n c h w"],
) -> dict[str, Tensor]:
    """The tensors of the network that has these units only.

    Args:
        recipe: Of the whole network.
        state: Its tensors.
        channel_map: Its channel groups.
        kept: Group name -> units that stay, ascending.
        images: To compare the sliced with the masked network on; in double precision.

    Raises:
        ValueError: The two differ: the channel analysis was wrong.
    """
    sliced = select(state, channel_map, kept)
    with torch.inference_mode():
        expected = rebuild(recipe, mask(state, channel_map, kept)).double()(images)
        found = rebuild(recipe, sliced).double()(images)
    difference = float((found - expected).abs().max() / expected.abs().max().clamp_min(1e-30))
    if not difference <= _TOLERANCE:
        raise ValueError(f"sliced and masked network differ by {difference:.1e} of the largest output")
    return sliced
