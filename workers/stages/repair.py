"""Stage `repair`: every layer of a smaller network refitted to the dense one's outputs, without labels."""

from dataclasses import asdict

from safetensors.torch import load

from workers.network import network_files, read_network
from workers.reconstruction import repair, selection
from workers.stages._base import Context, Product
from workers.stages._channels import read_channels
from workers.stages._comparison import check_finite, read_comparison
from workers.stages.prune import KEPT_FILE


def run(context: Context) -> Product:
    """Repair a network of which channels were removed.

    Params: `num_images`, `batch_size`, `data`, `seed` (which chooses images and output positions). Measures what the
    network's own task measured, and `refits`, as `reconstruct` does.

    Raises:
        BadNumericsError: A refitted weight is not finite.
    """
    smaller, recipe = read_network(context)
    dense, _ = read_network(context, "dense")
    channel_map, kept = read_channels(context, "dense"), context.read("network", KEPT_FILE)
    refits = repair(smaller, read_comparison(context, dense, channel_map), selection(channel_map, load(kept)))
    state = smaller.state_dict()
    check_finite(state)
    return Product(
        measurements={**context.measured("network"), "refits": [asdict(each) for each in refits]},
        files={**network_files(recipe, state), KEPT_FILE: kept},
    )
