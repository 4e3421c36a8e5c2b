"""Isomorphic pruning: channels are ranked within classes of groups of one structure.

Source: Fang et al. 2024, arXiv:2407.04616.

Scores of unlike structures, such as a block's inner channels and a residual stream's, are not comparable. So every
class has a ranking of its own, and each loses the same fraction.
"""

from collections import Counter, defaultdict
from collections.abc import Hashable

import torch
from torch import Tensor

from workers.allocation._base import AllocationProblem, allocator
from workers.allocation.ranking import lowest_first, removable
from workers.channels import ChannelMap


def isomorphic_classes(channel_map: ChannelMap) -> list[list[str]]:
    """The groups in classes: those that own the same kinds of axes of the same kinds of tensors.

    A tensor's kind is its own name in its layer, its number of axes and its kernel; of an axis, its place, its role and
    how often it holds each unit. How many channels there are plays no part, nor does how large the feature maps are.
    """
    structures: dict[str, Counter[Hashable]] = {group.name: Counter() for group in channel_map.groups}
    for owned in channel_map.owned_axes():
        shape = channel_map.shapes[owned.tensor]
        kind = (owned.tensor.rpartition(".")[2], len(shape), shape[2:])
        occurrences = owned.layout.positions(owned.group_index).shape[1]
        structures[owned.group.name][kind, owned.axis, owned.layout.role, occurrences] += 1
    classes: dict[Hashable, list[str]] = defaultdict(list)
    for name, structure in structures.items():
        classes[frozenset(structure.items())].append(name)
    return list(classes.values())


@allocator(needs=["scores"])
def isomorphic(problem: AllocationProblem, *, floor: float = 0.1) -> dict[str, int]:
    """Take the channels that rank lowest in their class; every class loses the same fraction of its channels.

    Args:
        problem: The target and the scores.
        floor: Fraction of each group's width that stays, and at least one channel. A class whose groups are all at
            their floors loses no more.
    """
    largest = problem.largest()
    candidates = removable(problem.scores(), problem.smallest(floor), largest)
    keys: dict[str, Tensor] = {}
    for names in isomorphic_classes(problem.channel_map):
        values = torch.cat([candidates[name] for name in names])
        ranks = torch.empty(len(values), dtype=torch.float64)
        ranks[values.argsort(stable=True)] = torch.arange(1, len(values) + 1, dtype=torch.float64)
        free = sum(largest[name] for name in names if not problem.fixed(name))
        fractions = ranks / max(1, free)  # of the class, gone once this channel is
        keys.update(zip(names, fractions.split([len(candidates[name]) for name in names]), strict=True))
    return lowest_first(problem, keys)
