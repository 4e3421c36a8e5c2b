"""The interface of observations: calibration passes that compute statistics per unit. `criteria` score them."""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Literal, TypeAlias

import torch
from jaxtyping import Float, Shaped
from torch import Tensor, nn

from jobs.errors import BadInputError, CancelledError
from workers.channels import ChannelMap
from workers.data import Split, batches, hide
from workers.inputs import Inputs, to_device
from workers.objectives import Objective

Need: TypeAlias = Literal["images", "labels"]
"""Inputs of a calibration pass: images (or what else a network takes) alone, or with their targets."""

Observed: TypeAlias = Mapping[str, Mapping[str, Float[Tensor, " _"]]]
"""Statistic -> group name -> its value for each unit, in double precision on the CPU."""

Batch: TypeAlias = tuple[Inputs, Shaped[Tensor, "_samples ..."]]


class Batches:
    """The images of one calibration pass, in batches; can be iterated more than once.

    Args:
        split: At least one image.
        objective: The objective of the network.
        batch_size: Images per batch; the last one may be smaller.
        device: Where batches are put.
        labelled: Whether targets are given; otherwise they are hidden (`workers.data.hide`).
        should_stop: Asked before every batch.

    Raises:
        BadInputError: The split is empty.
    """

    def __init__(
        self,
        split: Split,
        objective: Objective,
        batch_size: int,
        *,
        device: torch.device,
        labelled: bool,
        should_stop: Callable[[], bool] = lambda: False,
    ) -> None:
        if not len(split):
            raise BadInputError("there are no training images to observe; at least one is needed")
        self._split, self._objective, self._batch_size, self._device = split, objective, batch_size, device
        self._labelled, self._should_stop = labelled, should_stop

    def __len__(self) -> int:
        """Number of images."""
        return len(self._split)

    def __iter__(self) -> Iterator[Batch]:
        """Images and targets, batch by batch."""
        for inputs, targets in batches(self._split, self._batch_size, device=self._device):
            self.poll()
            yield inputs, targets if self._labelled else hide(targets)

    @property
    def computed_by_network(self) -> bool:
        """Whether the network computes its losses itself."""
        return self._objective.computes_its_loss

    def inputs(self, inputs: Inputs, targets: Shaped[Tensor, "n ..."]) -> Inputs:
        """What the network is called with where the loss is asked for: with the targets, too, if it wants them."""
        return self._objective.inputs(inputs, targets)

    def total_loss(self, outputs: Any, targets: Shaped[Tensor, "n ..."]) -> Float[Tensor, ""]:
        """The loss of a batch, summed over its images in double precision.

        Args:
            outputs: What the network returned for `inputs`.
            targets: The targets.

        Raises:
            BadInputError: The outputs do not fit the targets.
        """
        self._objective.check(outputs, targets)
        return self._objective.total_loss(outputs, targets, torch.float64)

    @property
    def example(self) -> Inputs:
        """A batch of the first sample, on the device."""
        return to_device(self._split.read(torch.arange(1)), self._device)

    def poll(self) -> None:
        """To be called in long work between two batches.

        Raises:
            CancelledError: The task was asked to stop.
        """
        if self._should_stop():
            raise CancelledError("stopped on request while observing")


@dataclass(frozen=True, slots=True, kw_only=True)
class Observation:
    """A calibration pass.

    Attributes:
        watch: Runs the network, which is in evaluation mode and must not be changed, over the batches.
        needs: Its inputs.
    """

    watch: Callable[[nn.Module, ChannelMap, Batches], Observed]
    needs: Need

    def __call__(self, module: nn.Module, channel_map: ChannelMap, batches: Batches) -> Observed:
        """The statistics of every unit of every group."""
        return self.watch(module, channel_map, batches)


def observation(*, needs: Need) -> Callable[[Callable[[nn.Module, ChannelMap, Batches], Observed]], Observation]:
    """Declares a function to be an observation.

    Args:
        needs: Its inputs.
    """
    return lambda watch: Observation(watch=watch, needs=needs)
