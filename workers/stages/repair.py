"""Stage `repair`: every layer of a smaller network refitted to the dense one's outputs, without labels."""

from dataclasses import asdict

from safetensors.torch import load

from jobs.stages.finishing import RepairParams
from workers.artifacts import KEPT_FILE
from workers.network import network_files
from workers.reconstruction import repair, selection
from workers.stages._base import Context, Product
from workers.stages._comparison import REFIT, read_comparison
from workers.stages._finite import check_finite


def run(context: Context[RepairParams]) -> Product:
    """Repair a network of which channels were removed.

    Measures what the network's own task measured, and `refits`, as `reconstruct` does.

    Raises:
        BadNumericsError: A refitted weight is not finite.
    """
    network, dense = context.network(context.params.network), context.network(context.params.dense)
    smaller, kept = network.module(context.device), network.read(KEPT_FILE)
    comparison = read_comparison(context, dense.module(context.device), dense.channel_map)
    refits = repair(smaller, comparison, selection(dense.channel_map, load(kept)))
    state = smaller.state_dict()
    check_finite(state, what=REFIT, advice="look for NaN in the images and in the weights")
    return Product(
        measurements={**network.measured, "refits": [asdict(each) for each in refits]},
        files={**network_files(network.recipe, state), KEPT_FILE: kept},
    )
