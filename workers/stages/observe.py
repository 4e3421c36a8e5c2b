"""Stage `observe`: one pass over training images, for every criterion that reads it."""

import torch
from safetensors.torch import load, save

from jobs.errors import BadNumericsError
from workers.criteria import Scores
from workers.network import read_network
from workers.observations import Batches, find_observation
from workers.stages._base import Context, Product
from workers.stages._channels import read_channels
from workers.stages._data import read_data

OBSERVATION_FILE = "observation.safetensors"


def run(context: Context) -> Product:
    """Observe every unit of every group.

    Params: `observation`, `num_images` (chosen by `seed`; None for all training images), `batch_size`, `data`, `seed`.

    Raises:
        BadNumericsError: A statistic is not finite.
    """
    observation = find_observation(context.params["observation"])
    module, _ = read_network(context)
    train, num_images = read_data(context).train, context.params["num_images"]
    if num_images is not None:
        train = train.select(torch.randperm(len(train), generator=context.generator("images"))[:num_images])
    batches = Batches(
        train,
        context.params["batch_size"],
        device=context.device,
        labelled=observation.needs == "labels",
        should_stop=context.should_stop,
    )
    observed = observation(module, read_channels(context), batches)
    # A colon is in no statistic's name.
    tensors = {f"{statistic}:{name}": each for statistic, by in observed.items() for name, each in by.items()}
    broken = [name for name, values in tensors.items() if not values.isfinite().all()]
    if broken:
        raise BadNumericsError(
            f"{', '.join(broken)} are not finite; look for NaN in the images and in the network's weights"
        )
    return Product(
        measurements={"num_images": len(train), "statistics": list(observed)}, files={OBSERVATION_FILE: save(tensors)}
    )


def read_observed(context: Context) -> dict[str, Scores]:
    """What the task's observation saw: statistic -> group name -> its value for each unit."""
    observed: dict[str, Scores] = {}
    for name, values in load(context.read("observation", OBSERVATION_FILE)).items():
        statistic, _, group = name.partition(":")
        observed.setdefault(statistic, {})[group] = values
    return observed
