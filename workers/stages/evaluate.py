"""Stage `evaluate`: accuracy and cost of a network."""

import torch

from workers.measure import evaluate
from workers.network import read_network
from workers.stages._base import Context, Product
from workers.stages._data import read_data


def run(context: Context) -> Product:
    """Measure a network on one split of the data.

    Params: `data`, `split`, `num_images` (the first so many; None for all), `batch_size`. Measures `accuracy`, `loss`,
    and what the network's own task measured of its size: `compression`, `params`, `macs`, `size_bytes`, `note`.
    """
    module, _ = read_network(context)
    split = getattr(read_data(context), context.params["split"])
    if context.params["num_images"] is not None:
        split = split.select(torch.arange(min(context.params["num_images"], len(split))))
    scores = evaluate(
        module,
        split,
        batch_size=context.params["batch_size"],
        device=context.device,
        should_stop=context.should_stop,
    )
    size = context.measured("network")
    return Product(
        measurements={
            "accuracy": scores.accuracy,
            "loss": scores.loss,
            "num_samples": scores.num_samples,
            "compression": size.get("compression", 0.0),
            **{name: size[name] for name in ("params", "macs", "size_bytes")},
            "note": size.get("note", ""),
        }
    )
