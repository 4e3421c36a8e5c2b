"""Stage `evaluate`: whether a network may count, what it is worth and what it costs."""

from dataclasses import asdict

import torch

from workers.gates import check_export, check_layers, check_reload
from workers.gates.fresh import FILES
from workers.measure import evaluate, measure_latency, peak_memory_bytes
from workers.network import WEIGHTS_FILE, Recipe, read_network
from workers.stages._base import Context, Product
from workers.stages._data import read_data


def run(context: Context) -> Product:
    """Measure a network on one split of the data.

    Params: `data`, `split`, `num_images` (the first so many; None for all), `batch_size`, `measure` (`latency`: how
    forward passes are timed, or None; gates: `reload`, `export`). Measures `accuracy`, `loss`, `peak_memory_bytes`
    (of one image), the `digest` of its weights, and what the network's own task measured: `compression`, `params`,
    `macs`, `size_bytes`, `speedup`, `note`, `widths`, `full_widths`. Times `latency_*_s` and `energy_j`, where asked
    and known.

    Raises:
        BadNetworkError: The network fails a gate.
    """
    module, recipe = read_network(context)
    check_layers(module)
    if context.params["measure"]["reload"]:
        check_reload({name: context.read("network", name) for name in FILES})
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
    timings = _time(context, module, recipe) if context.params["measure"]["latency"] else {}
    if context.params["measure"]["export"]:
        check_export(module.cpu(), torch.rand(2, *recipe.input_shape, generator=context.generator("images")))
    size = context.measured("network")
    return Product(
        measurements={
            "accuracy": scores.accuracy,
            "loss": scores.loss,
            "num_samples": scores.num_samples,
            "compression": size.get("compression", 0.0),
            "compression_ratio": 1 / (1 - size.get("compression", 0.0)),
            **{name: size[name] for name in ("params", "macs", "size_bytes")},
            "peak_memory_bytes": peak_memory_bytes(module, recipe.input_shape),
            "note": size.get("note", ""),
            "speedup": size.get("speedup", 1.0),
            **{name: size.get(name, {}) for name in ("widths", "full_widths")},
            "digest": context.manifest(context.task.inputs["network"]).files[WEIGHTS_FILE].sha256,
        },
        timings=timings,
    )


def _time(context: Context, module: torch.nn.Module, recipe: Recipe) -> dict[str, float]:
    latency = measure_latency(
        module,
        recipe.input_shape,
        **context.params["measure"]["latency"],
        device=context.device,
        should_stop=context.should_stop,
    )
    known = {f"latency_{name}" if name != "energy_j" else name: value for name, value in asdict(latency).items()}
    return {name: value for name, value in known.items() if value is not None}
