"""Stage `profile`: measures the times of a network's layers on the present machine.

Its artifact is one measurement on one machine, shared by everything in the sweep that uses latency.
"""

import json
from dataclasses import asdict

import torch

from jobs.stages.scoring import ProfileParams
from workers.artifacts import PROFILE_FILE
from workers.measure.layers import time_layers
from workers.measure.runtimes import threads_of
from workers.stages._base import Context, Product


def run(context: Context[ProfileParams]) -> Product:
    """Measure the layers of a network.

    Times the whole network (`network_s`). The times, the device and the number of threads, which
    differ between runs, are in its file.
    """
    network, params = context.network(context.params.network), context.params
    with threads_of(params.threads) as threads:
        found = time_layers(
            network.module(context.device),
            network.recipe.inputs,
            batch_size=params.batch_size,
            runtime=params.runtime,
            device=context.device,
            should_stop=context.should_stop,
        )
    if params.runtime == "compile":
        torch.compiler.reset()
    on_gpu = context.device.type == "cuda"
    record = {
        "layers": {name: asdict(layer) for name, layer in found.layers.items()},
        "network_s": found.network_s,
        "overhead_s": found.overhead_s,
        "device": torch.cuda.get_device_name(context.device) if on_gpu else "cpu",
        "threads": threads,
    }
    return Product(
        measurements={"layers": len(found.layers)},
        files={PROFILE_FILE: json.dumps(record).encode()},
        timings={"network_s": found.network_s},
    )
