"""The residual branches of a network, from its channel map: what a block computes besides its shortcut."""

from dataclasses import dataclass

from workers.channels import ChannelMap


@dataclass(frozen=True, slots=True, kw_only=True)
class ResidualBranch:
    """A branch whose output is added to a shortcut.

    Attributes:
        end: Dotted path of the layer whose output is added.
        inner: Indices of the groups inside the branch, from its end to its beginning.
    """

    end: str
    inner: tuple[int, ...]


def residual_branches(channel_map: ChannelMap) -> list[ResidualBranch]:
    """All branches with at least one group inside, in order of execution.

    The end of a branch makes channels together with other layers, and reads a group that nothing else reads. So a
    shortcut's own convolution is no branch: it reads what the branch beside it reads, too.
    """
    readers = _readers(channel_map)
    branches = [
        ResidualBranch(end=layer, inner=tuple(inner))
        for group in channel_map.groups
        if len(group.layers) > 1
        for layer in group.layers
        if (inner := _inner(channel_map, readers, layer))
    ]
    order = [layer for group in channel_map.groups for layer in group.layers]
    return sorted(branches, key=lambda branch: order.index(branch.end))


def _readers(channel_map: ChannelMap) -> list[set[str]]:
    """The layers that read each group."""
    readers: list[set[str]] = [set() for _ in channel_map.groups]
    for owned in channel_map.owned_axes():
        if owned.layout.role == "input":
            readers[owned.group_index].add(owned.tensor.removesuffix(".weight"))
    return readers


def _inner(channel_map: ChannelMap, readers: list[set[str]], layer: str) -> list[int]:
    """The groups that only this layer reads, and those that only their producers read."""
    read = [index for index, each in enumerate(readers) if layer in each]
    if len(read) != 1 or readers[read[0]] != {layer}:
        return []
    makers = channel_map.groups[read[0]].layers
    return [read[0], *(_inner(channel_map, readers, makers[0]) if len(makers) == 1 else [])]
