"""Channel independence: what a feature map adds to the nuclear norm of all maps of its layer.

CHIP (Sui et al. 2021, arXiv:2110.13981, equation 3 and algorithm 1). A separate observation: for every image and layer
it needs the nuclear norms of as many matrices as the layer has channels.
"""

import torch
from jaxtyping import Float
from torch import Tensor, nn

from workers.channels import ChannelMap
from workers.observations._base import Batches, Observed, observation
from workers.observations.map_means import mean_over_maps

_AT_ONCE = 2**24
"""Entries of Gram matrices that are in memory together."""


@observation(needs="images")
def independence(module: nn.Module, channel_map: ChannelMap, batches: Batches) -> Observed:
    """`independence`: the mean over the images of each unit's channel independence. See `Observation`.

    The maps of an image and layer are the rows of a matrix; the independence of a row is the nuclear norm of the matrix
    less that without the row. An image costs about c min(c, positions)^3 operations per layer of c channels.
    """

    def summed(maps: Float[Tensor, "n c *space"]) -> Float[Tensor, " c"]:
        found = []
        for rows in maps.reshape(*maps.shape[:2], -1).double():
            batches.poll()
            found.append(row_independence(rows))
        return torch.stack(found).sum(0)

    return {"independence": mean_over_maps(module, channel_map, batches, summed)}


def row_independence(rows: Float[Tensor, "c positions"]) -> Float[Tensor, " c"]:
    """Nuclear norm of a matrix less that of the matrix with one row set to zero, for every row; never below zero.

    The nuclear norm is the sum of the square roots of the eigenvalues of the smaller Gram matrix: singular values
    below the root of the rounding error of the largest one are lost, which is nothing of the sum.
    """
    channels, positions = rows.shape
    if positions <= channels:
        gram = rows.T @ rows
        without = (gram - torch.einsum("ip,iq->ipq", part, part) for part in rows.split(_fitting(positions)))
    else:
        gram = rows @ rows.T
        kept = 1 - torch.eye(channels, dtype=rows.dtype, device=rows.device)
        without = (gram * part[:, :, None] * part[:, None, :] for part in kept.split(_fitting(channels)))
    norms = torch.cat([_nuclear_norms(part) for part in without])
    return (_nuclear_norms(gram) - norms).clamp_min(0)


def _fitting(size: int) -> int:
    return max(1, _AT_ONCE // size**2)


def _nuclear_norms(grams: Float[Tensor, "*_batch n n"]) -> Float[Tensor, "*_batch"]:
    eigenvalues: Tensor = torch.linalg.eigvalsh(grams)
    return eigenvalues.clamp_min(0).sqrt().sum(-1)
