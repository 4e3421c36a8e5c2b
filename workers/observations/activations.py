"""Statistics of the feature maps of every unit, streamed over the images: one pass for all criteria that read them.

Where maps are seen: `watching`. A unit of several channels, or of several layers that are added up, has the sum of
their statistics, as its `l1` is the sum of their norms. Memory does not grow with the number of images.
"""

import torch
from jaxtyping import Float
from torch import Tensor, nn

from workers.channels import ChannelMap
from workers.observations._base import Batches, Observed, observation
from workers.observations.watching import Point, find_points, sum_per_unit, watching

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
    sums: dict[Point, Tensor] = {}

    def see(point: Point, maps: Tensor) -> Tensor:
        batch = _statistics(maps)
        sums[point] = sums[point] + batch if point in sums else batch
        return maps

    with torch.inference_mode():
        for images, _ in batches:
            with watching(points, see):
                module(images)
        means = [(point, _over_images(total / len(batches))) for point, total in sums.items()]
        units = sum_per_unit(channel_map, means)
    return {
        statistic: {name: values[row].clone() for name, values in units.items()}
        for row, statistic in enumerate(STATISTICS)
    }


def _statistics(maps: Float[Tensor, "n c *space"]) -> Float[Tensor, "statistics c"]:
    """Sums over the images of a batch, rows as in `STATISTICS`, but with the square of the norm for its variance.

    The variance over positions is taken of the differences from the first one (shifted data; Chan, Golub and LeVeque
    1983, section 2), so that nothing cancels where a map is nearly constant.
    """
    flat = maps.reshape(*maps.shape[:2], -1)
    positions = flat.shape[2]
    shifted = flat - flat[..., :1]
    mean_square = torch.linalg.vector_norm(shifted, dim=2).double().square() / positions
    variance = (mean_square - shifted.mean(2).double().square()).clamp_min(0)
    l1 = flat.abs().sum(2).double()
    l2 = torch.linalg.vector_norm(flat, dim=2).double()
    rows = [
        flat.mean(2).double(),
        variance.sqrt(),
        l1,
        l2,
        l2.square(),
        l1 / positions,
        (flat != 0).to(flat.dtype).mean(2).double(),
    ]
    return torch.stack([row.sum(0) for row in rows])


def _over_images(means: Float[Tensor, "statistics c"]) -> Float[Tensor, "statistics c"]:
    """The same with the variance of the norm in the place of its mean square."""
    result = means.cpu().clone()
    norm, square = STATISTICS.index("l2"), STATISTICS.index("l2_variance")
    result[square] = (result[square] - result[norm].square()).clamp_min(0)
    return result
