"""The training images on which smaller networks are compared with the dense one."""

from torch import nn

from jobs.stages.finishing import RepairParams
from jobs.stages.pruning import ReconstructParams
from workers.data import batches
from workers.network import StoredNetwork
from workers.reconstruction import DenseReference
from workers.stages._base import Context
from workers.stages._images import draw_images

REFIT = "after the refit,"
"""Prefix of the message about refitted tensors that are not finite."""


def read_reference(
    context: Context[ReconstructParams] | Context[RepairParams], dense: nn.Module, network: StoredNetwork
) -> DenseReference:
    """The dense network's outputs on the task's images, which stay in memory, on the device. Labels are not used.

    Args:
        context: Context of the task.
        dense: The dense network, in evaluation mode on the device.
        network: The same, as it is stored.
    """
    split = draw_images(context, context.params.images)
    return DenseReference(
        dense,
        network.channel_map,
        [inputs for inputs, _ in batches(split, context.params.batch_size, device=context.device)],
        on_images=bool(network.recipe.parts),
        generator=context.generator("positions"),
        poll=context.poll,
    )
