"""Per-channel activation statistics in one calibration pass, for all criteria that read them.

`watching` defines where feature maps are taken. A unit of several channels, or of several layers that are added up, has
the sum of their statistics, as its `l1` is the sum of their norms. Where a detector looks at boxes, the boxes count as
images. Memory does not grow with the number of images.
"""

import torch
from jaxtyping import Float
from torch import Tensor, nn

from workers.channels import ChannelMap
from workers.inputs import call
from workers.observations._base import Batches, Observed, observation
from workers.observations.units import sum_per_unit
from workers.observations.watching import WatchPoint, find_points, watching

STATISTICS = ("mean", "std", "l1", "l2", "l2_variance", "absolute", "active")
"""Averages over the images of a map's mean, standard deviation, sum of absolute values, Euclidean norm, mean absolute
value and fraction of positions that are not zero; and the variance over the images of its Euclidean norm."""


@observation(needs="images")
def activations(module: nn.Module, channel_map: ChannelMap, batches: Batches) -> Observed:
    """Every statistic of `STATISTICS` for every unit. See `Observation` for the arguments.

    Variances are those of the images and positions themselves (divided by their number, not by one less), so that a map
    of one position has the standard deviation 0. Sums over images are kept in double precision.
    """
    points = find_points(module, channel_map, batches.example)
    sums = _Sums()
    with torch.inference_mode():
        for inputs, _ in batches:
            with watching(points, sums.add):
                call(module, inputs)
        units = sum_per_unit(channel_map, sums.over_maps())
    return {
        statistic: {name: values[row].clone() for name, values in units.items()}
        for row, statistic in enumerate(STATISTICS)
    }


class _Sums:
    """Sums over the images of the terms of `STATISTICS`, at every point."""

    def __init__(self) -> None:
        self._sums: dict[WatchPoint, Tensor] = {}
        self._counts: dict[WatchPoint, int] = {}
        self._scratch = torch.empty(0)

    def add(self, point: WatchPoint, maps: Float[Tensor, "n c *space"]) -> Float[Tensor, "n c *space"]:
        """Add the maps of a batch, and return them unchanged."""
        flat = maps.reshape(*maps.shape[:2], -1)
        batch = _statistics(flat, self._scratch_for(flat))
        self._sums[point] = self._sums[point] + batch if point in self._sums else batch
        self._counts[point] = self._counts.get(point, 0) + len(maps)
        return maps

    def over_maps(self) -> list[tuple[WatchPoint, Float[Tensor, "statistics _channels"]]]:
        """The statistics of every channel of every point; rows as in `STATISTICS`."""
        found = []
        norm, variance = STATISTICS.index("l2"), STATISTICS.index("l2_variance")
        for point, total in self._sums.items():
            means = total.cpu() / self._counts[point]
            means[variance] = (means[variance] - means[norm].square()).clamp_min(0)
            found.append((point, means))
        return found

    def _scratch_for(self, flat: Float[Tensor, "n c positions"]) -> Float[Tensor, "n c positions"]:
        """A reused buffer for one map-sized result: allocating costs more than the arithmetic."""
        if self._scratch.numel() < flat.numel():
            self._scratch = torch.empty(flat.numel(), dtype=flat.dtype, device=flat.device)
        return self._scratch[: flat.numel()].view(flat.shape)


def _statistics(
    flat: Float[Tensor, "n c positions"], scratch: Float[Tensor, "n c positions"]
) -> Float[Tensor, "statistics c"]:
    """Sums over the images of a batch, rows as in `STATISTICS`, but the square of the norm instead of its variance.

    The variance over positions is that of differences from the first one (shifted data; Chan, Golub and LeVeque
    1983, section 2), so that nothing cancels where a map is nearly constant.
    """
    positions = flat.shape[2]
    torch.sub(flat, flat[..., :1], out=scratch)
    shifted_mean, shifted_norm = scratch.mean(2).double(), torch.linalg.vector_norm(scratch, dim=2).double()
    variance = (shifted_norm.square() / positions - shifted_mean.square()).clamp_min(0)
    l1 = torch.abs(flat, out=scratch).sum(2).double()
    l2 = torch.linalg.vector_norm(flat, dim=2).double()
    active = torch.ne(flat, 0, out=scratch).mean(2).double()
    rows = [flat.mean(2).double(), variance.sqrt(), l1, l2, l2.square(), l1 / positions, active]
    return torch.stack(rows).sum(1)
