"""Stage `repair`: refits every layer of a pruned network to the dense one's outputs, without labels."""

from dataclasses import asdict

from safetensors.torch import load

from jobs.measured import counts
from jobs.stages.finishing import RepairParams
from workers.artifacts import KEPT_FILE, MIXTURE_FILE
from workers.network import network_files
from workers.reconstruction import repair, selection
from workers.stages._base import Context, Product
from workers.stages._finite import check_finite
from workers.stages._mixing import mixture
from workers.stages._reference import REFIT, read_reference


def run(context: Context[RepairParams]) -> Product:
    """Repair a network whose channels were removed or mixed.

    Measures what the network's own task measured, and `refits`, as `reconstruct` does.

    Raises:
        BadNumericsError: A refitted weight is not finite.
    """
    network, dense = context.network(context.params.network), context.network(context.params.dense)
    smaller, name = network.module(context.device), KEPT_FILE if network.has(KEPT_FILE) else MIXTURE_FILE
    content = network.read(name)
    if name == KEPT_FILE:
        restriction = selection(dense.channel_map, load(content))
    else:
        restriction = mixture(content, dense.channel_map, counts(network.measured, "widths"))
    reference = read_reference(context, dense.module(context.device), dense)
    refits = repair(smaller, reference, restriction)
    state = smaller.state_dict()
    check_finite(state, what=REFIT, advice="look for NaN in the images and in the weights")
    return Product(
        measurements={**network.measured, "refits": [asdict(each) for each in refits]},
        files={**network_files(network.recipe, state), name: content},
    )
