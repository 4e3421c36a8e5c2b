"""Stage `observe`: one calibration pass over training images, for every criterion that reads it."""

from safetensors.torch import load, save

from jobs.stages.scoring import ObserveParams
from workers.artifacts import OBSERVATION_FILE
from workers.criteria import Scores
from workers.objectives import find_objective
from workers.observations import Batches, find_observation
from workers.stages._base import Context, Product
from workers.stages._finite import check_finite
from workers.stages._images import draw_images


def run(context: Context[ObserveParams]) -> Product:
    """Compute the observation's statistics for every unit of every group.

    Raises:
        BadNumericsError: A statistic is not finite.
    """
    params, network = context.params, context.network(context.params.network)
    observation = find_observation(params.observation)
    images = draw_images(context, params.images)
    batches = Batches(
        images,
        find_objective(params.objective),
        params.batch_size,
        device=context.device,
        labelled=observation.needs == "labels",
        should_stop=context.should_stop,
    )
    observed = observation(network.module(context.device), network.channel_map, batches)
    # No statistic has a colon in its name.
    tensors = {f"{statistic}:{name}": each for statistic, by in observed.items() for name, each in by.items()}
    check_finite(tensors, what="statistics", advice="look for NaN in the images and in the network's weights")
    return Product(
        measurements={"num_images": len(images), "statistics": list(observed)},
        files={OBSERVATION_FILE: save(tensors)},
    )


def parse_observed(content: bytes) -> dict[str, Scores]:
    """The statistics of an observation: statistic -> group name -> its value for each unit."""
    observed: dict[str, Scores] = {}
    for name, values in load(content).items():
        statistic, _, group = name.partition(":")
        observed.setdefault(statistic, {})[group] = values
    return observed
