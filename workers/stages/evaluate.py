"""Stage `evaluate`: accuracy and cost of a network."""

import torch
from safetensors.torch import load

from workers.measure import Scores, evaluate
from workers.network import BEST_FILE, WEIGHTS_FILE, read_recipe, rebuild
from workers.stages._base import Context, Product
from workers.stages._data import read_data
from workers.stages._learning import COST


def run(context: Context) -> Product:
    """Measure a network on one split of the data.

    Params: `data`, `split`, `num_images` (the first so many; None for all), `batch_size`. Measures `accuracy`, `loss`,
    `accuracy_best` (with the weights of the epoch that was best on the validation split; `accuracy` again for a
    network that keeps no such weights), what the network's own task measured of its size: `compression`, `params`,
    `macs`, `size_bytes`, `note`, and what was spent on it: `training_epochs`, `training_macs`.
    """
    scores = _scores(context, WEIGHTS_FILE)
    files = context.manifest(context.task.inputs["network"]).files
    chosen = BEST_FILE in files and files[BEST_FILE].sha256 != files[WEIGHTS_FILE].sha256
    measured = context.measured("network")
    return Product(
        measurements={
            "accuracy": scores.accuracy,
            "accuracy_best": _scores(context, BEST_FILE).accuracy if chosen else scores.accuracy,
            "loss": scores.loss,
            "num_samples": scores.num_samples,
            "compression": measured.get("compression", 0.0),
            **{name: measured[name] for name in ("params", "macs", "size_bytes")},
            **{name: measured.get(name, 0) for name in COST},
            "note": measured.get("note", ""),
        }
    )


def _scores(context: Context, weights: str) -> Scores:
    """Of the input network with the tensors in one of its files."""
    module = rebuild(read_recipe(context), load(context.read("network", weights)))
    split = getattr(read_data(context), context.params["split"])
    if context.params["num_images"] is not None:
        split = split.select(torch.arange(min(context.params["num_images"], len(split))))
    return evaluate(
        module,
        split,
        batch_size=context.params["batch_size"],
        device=context.device,
        should_stop=context.should_stop,
    )
