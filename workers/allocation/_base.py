"""What an allocation is: from a target compression to a width per channel group.

Knows widths, parameter counts and errors; knows neither where errors come from nor what a channel is.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Protocol, TypeAlias, runtime_checkable

from jaxtyping import Float
from torch import Tensor

from workers.channels import ChannelMap

Errors: TypeAlias = Mapping[str, Float[Tensor, " _"]]
"""Group name -> what it costs to take k of its n channels, for k = 0 .. n-1; starts with 0 and never falls."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Allocation:
    """Widths and what they reach.

    Attributes:
        widths: Group name -> channels that stay, at least 1.
        compression: Fraction of all parameters removed.
        note: Why `compression` is more than one percentage point from the target; else empty.
    """

    widths: Mapping[str, int]
    compression: float
    note: str = ""


@runtime_checkable
class Allocator(Protocol):
    """Chooses widths."""

    def __call__(self, channel_map: ChannelMap, target: float, errors: Callable[[], Errors]) -> Allocation:
        """Widths at which `target` of all parameters are gone, as near as whole channels allow.

        Args:
            channel_map: The network's channel groups.
            target: Fraction of all parameters to remove, in [0, 1).
            errors: Asked by those allocations that need to know what taking channels costs.
        """


def note_on(channel_map: ChannelMap, widths: Mapping[str, int], target: float, reached: float, reason: str) -> str:
    """The note of an allocation that reached so much; empty within one percentage point.

    Args:
        channel_map: The network's channel groups.
        widths: What was chosen.
        target: What was asked.
        reached: What it gives.
        reason: Why nothing nearer was found, if neither the groups are missing nor all channels are gone.
    """
    if abs(reached - target) <= 0.01:
        return ""
    if not widths:
        reason = "the network has no channel group that can be pruned"
    elif all(width == 1 for width in widths.values()):
        reason = "every group that can be pruned is down to one channel"
    refused = "; ".join(
        f"{', '.join(group.layers)} ({group.operator}): {group.reason}" for group in channel_map.refused
    )
    kept = f"; kept whole: {refused}" if refused else ""
    return f"asked {target:.0%}, reached {reached:.1%}: {reason}{kept}"
