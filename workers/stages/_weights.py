"""Unstructured pruning: zeroes single weights of a network, and keeps masks of the rest."""

from jobs.errors import BadInputError
from jobs.stages.pruning import PruneParams, WeightPruning
from workers.measure import num_parameters
from workers.network import network_files, rebuild, sizes
from workers.sparsity import magnitude_masks, masked, prunable_weights, removed_after
from workers.stages._base import Context, Product
from workers.stages._learning import spent


def remove_weights(context: Context[PruneParams], procedure: WeightPruning) -> Product:
    """Zero the smallest weights of the network.

    With a network to rewind to, the remaining weights get its values.

    Measures the `compression` reached, `params` and `macs` of the remaining weights, the theoretical `speedup` if no
    zero were multiplied, the number of remaining `weights` of each prunable parameter (if any was pruned) and, as pairs
    in the order of the forward pass, `full_weights`; `size_bytes` with zeros, `size_bytes_sparse` with a bit for each
    prunable weight and no zeros, and the training cost.

    Raises:
        BadInputError: The network has fewer prunable weights.
    """
    network = context.network(procedure.network)
    recipe, state, module = network.recipe, network.state, network.module()
    weights = {name: state[name] for name in prunable_weights(module, linear=procedure.linear)}
    total, parameters = sum(each.numel() for each in weights.values()), num_parameters(module)
    wanted, most = round(procedure.compression * parameters), total - len(weights)
    if wanted > most:
        raise BadInputError(
            f"compression {procedure.compression:.0%}: of the network's {parameters} parameters {most} can be removed: "
            f"ask for {most / parameters:.1%} at most" + ("" if procedure.linear else ", or set `linear: true`")
        )
    schedule = procedure.schedule or "geometric"
    removed = removed_after(procedure.round, procedure.rounds, removed=wanted, total=total or 1, schedule=schedule)
    masks = magnitude_masks(weights, removed=removed, scope=procedure.scope, present=network.masks)
    values = state if procedure.rewound is None else context.network(procedure.rewound).state
    module = rebuild(recipe, masked(values, masks))
    measured = sizes(module, recipe, masks)
    dense_bytes = sum(weights[name].numel() * weights[name].element_size() for name in masks)
    kept_bytes = sum(int(mask.sum()) * weights[name].element_size() for name, mask in masks.items())
    return Product(
        measurements={
            "compression": 1 - measured["params"] / parameters,
            "note": "",
            **spent(network.measured),
            "speedup": sizes(module, recipe)["macs"] / measured["macs"],
            **measured,
            "weights": {name: int(mask.sum()) for name, mask in masks.items()},
            "full_weights": [[name, each.numel()] for name, each in weights.items() if name in masks],
            "size_bytes_sparse": measured["size_bytes"] - dense_bytes + kept_bytes + (total + 7) // 8,
        },
        files=network_files(recipe, module.state_dict(), masks),
    )
