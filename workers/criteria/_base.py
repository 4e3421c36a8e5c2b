"""The interface of criteria, and their inputs.

A criterion maps weights, and the activation statistics of a calibration pass, to a score per unit. The calibration pass
is made by `observations`; how many units are removed is up to `allocation`.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import TypeAlias

import torch
from jaxtyping import Float
from torch import Tensor, nn

from jobs.errors import BadInputError
from workers.channels import ChannelMap
from workers.inputs import InputSpec

Scores: TypeAlias = dict[str, Float[Tensor, " _"]]
"""Group name -> score of each of its units, in double precision on the CPU; the lowest go first."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Evidence:
    """The inputs of a criterion.

    Attributes:
        state: Tensors of the network, on the CPU; not to be written to.
        channel_map: Its channel groups.
        generator: Source of randomness, on the CPU.
        network: Makes the network itself, for criteria that run it: a module in evaluation mode, which they may change,
            and what it takes.
        observed: Statistic -> group name -> its value for each unit; of the observation that the criterion reads.
    """

    state: Mapping[str, Tensor]
    channel_map: ChannelMap
    generator: torch.Generator
    network: Callable[[], tuple[nn.Module, InputSpec]]
    observed: Mapping[str, Mapping[str, Float[Tensor, " _"]]] = field(default_factory=dict)

    def statistic(self, name: str) -> Scores:
        """One statistic of the observation: group name -> its value for each unit.

        Raises:
            BadInputError: The observation has no such statistic.
        """
        if name not in self.observed:
            known = ", ".join(self.observed) or "none: the criterion declares no observation in `reads`"
            raise BadInputError(f"a criterion asks for the statistic '{name}'; its observation has {known}")
        return dict(self.observed[name])


@dataclass(frozen=True, slots=True, kw_only=True)
class Criterion:
    """A measure of channel importance.

    Attributes:
        judge: The function that scores every unit of every group.
        reads: The observation whose statistics it needs; None if it uses weights alone.
    """

    judge: Callable[[Evidence], Scores]
    reads: str | None = None

    def __call__(self, evidence: Evidence) -> Scores:
        """Score every unit of every group.

        Raises:
            BadInputError: The function gives something else than tensors by the names of groups.
        """
        scores: object = self.judge(evidence)
        if not isinstance(scores, Mapping):
            raise BadInputError(
                f"a criterion returns a {type(scores).__name__}; return a dictionary from each group to a tensor of "
                "one score per unit"
            )
        for group, values in scores.items():
            if not isinstance(values, Tensor):
                raise BadInputError(
                    f"a criterion gives a {type(values).__name__} for {group}; give a tensor of one score per unit: "
                    "torch.from_numpy(...) of an array, torch.tensor(...) of a list"
                )
        return dict(scores)


def criterion(*, reads: str | None = None) -> Callable[[Callable[[Evidence], Scores]], Criterion]:
    """Declares a function to be a criterion.

    Args:
        reads: The observation whose statistics it needs.
    """
    return lambda judge: Criterion(judge=judge, reads=reads)
