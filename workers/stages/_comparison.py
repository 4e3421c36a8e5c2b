"""The dense network of a task and the training images on which smaller ones are compared with it."""

from collections.abc import Mapping

import torch
from torch import Tensor, nn

from jobs.errors import BadNumericsError, CancelledError
from workers.channels import ChannelMap
from workers.data import batches
from workers.reconstruction import Comparison
from workers.stages._base import Context
from workers.stages._data import read_data


def read_comparison(context: Context, dense: nn.Module, channel_map: ChannelMap) -> Comparison:
    """The comparison on `num_images` training images, in batches of `batch_size`, as the task's parameters say.

    The seed chooses the images, which stay in memory, on the device. Their labels are not looked at.

    Args:
        context: Of the task.
        dense: The dense network, in evaluation mode on the device.
        channel_map: Its channel groups.
    """

    def poll() -> None:
        if context.should_stop():
            raise CancelledError("reconstruction stopped on request")

    train = read_data(context).train
    chosen = torch.randperm(len(train), generator=context.generator("images"))[: context.params["num_images"]]
    split = train.select(chosen)
    return Comparison(
        dense,
        channel_map,
        [images for images, _ in batches(split, context.params["batch_size"], device=context.device)],
        generator=context.generator("positions"),
        poll=poll,
    )


def check_finite(state: Mapping[str, Tensor]) -> None:
    """Refuse refitted tensors that are of no use.

    Raises:
        BadNumericsError: One of them is not finite.
    """
    broken = [name for name, tensor in state.items() if not tensor.isfinite().all()]
    if broken:
        raise BadNumericsError(
            f"{', '.join(broken)} are not finite after the refit; look for NaN in the images and in the weights"
        )
