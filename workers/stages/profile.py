"""Stage `profile`: how long the layers of a network take on the machine that runs it.

Its artifact is one measurement on one machine, which everything in the sweep that asks for latency shares.
"""

import json
from dataclasses import asdict

import torch

from workers.measure.layers import time_layers
from workers.network import read_network
from workers.stages._base import Context, Product

PROFILE_FILE = "profile.json"


def run(context: Context) -> Product:
    """Measure the layers of a network.

    Params: `batch_size`. Times the whole network (`network_s`). Measures nothing that is the same on every run: the
    times, the device and the number of threads are in its file.
    """
    module, recipe = read_network(context)
    found = time_layers(
        module,
        recipe.input_shape,
        batch_size=context.params["batch_size"],
        device=context.device,
        should_stop=context.should_stop,
    )
    on_gpu = context.device.type == "cuda"
    record = {
        "layers": {name: asdict(layer) for name, layer in found.layers.items()},
        "network_s": found.network_s,
        "device": torch.cuda.get_device_name(context.device) if on_gpu else "cpu",
        "threads": torch.get_num_threads(),
    }
    return Product(
        measurements={"layers": len(found.layers)},
        files={PROFILE_FILE: json.dumps(record).encode()},
        timings={"network_s": found.network_s},
    )
