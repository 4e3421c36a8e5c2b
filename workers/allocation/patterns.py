"""Which channel groups a pattern of a sweep file means, and what to say of one that means none. Pure."""

from collections.abc import Iterable
from difflib import get_close_matches
from fnmatch import fnmatchcase

from jobs.errors import BadInputError
from jobs.stages.common import WidthLimits
from workers.channels import ChannelGroup, ChannelMap

_SHOWN = 8


def matches(pattern: str, name: str) -> bool:
    """Whether a pattern is one of a dotted name, or of a module that holds it."""
    parts = name.split(".")
    return any(fnmatchcase(".".join(parts[:length]), pattern) for length in range(1, len(parts) + 1))


def touches(pattern: str, group: ChannelGroup) -> bool:
    """Whether a pattern matches a group, or any layer that makes its channels."""
    return any(matches(pattern, name) for name in (group.name, *group.layers))


def covers(patterns: Iterable[str], group: ChannelGroup) -> bool:
    """Whether patterns name a group in full, or match all layers that make its channels."""
    patterns = tuple(patterns)
    return group.name in patterns or all(any(matches(each, layer) for each in patterns) for layer in group.layers)


def check_patterns(channel_map: ChannelMap, limits: WidthLimits) -> None:
    """Reject patterns that match nothing.

    Raises:
        BadInputError: Some do; it names all of them, with the nearest names.
    """
    prunable = {name for group in channel_map.groups for name in (group.name, *group.layers)}
    every = prunable | {name.rpartition(".")[0] or name for name in channel_map.shapes}
    faults = [
        f"prune.{setting}: '{pattern}' {_no_match(pattern, channel_map, every if setting == 'keep' else prunable)}"
        for setting, patterns in limits.patterns.items()
        for pattern in patterns
        if not any(matches(pattern, name) for name in (every if setting == "keep" else prunable))
    ]
    if faults:
        raise BadInputError(
            "; ".join(faults) + ". `orchard groups` shows all groups; what holds for one model is said in its `prune`"
        )


def _no_match(pattern: str, channel_map: ChannelMap, known: Iterable[str]) -> str:
    refused = next((each for each in channel_map.refused if any(matches(pattern, name) for name in each.layers)), None)
    if refused is not None:
        return f"matches only layers that stay whole ({refused.operator}: {refused.reason})"
    return f"matches nothing that can be pruned; {nearest_names(pattern, known)}"


def nearest_names(pattern: str, names: Iterable[str]) -> str:
    """The last part of an error: the names that are nearest to a pattern, those of modules included."""
    known = sorted({".".join(name.split(".")[:length]) for name in names for length in range(1, name.count(".") + 2)})
    close = get_close_matches(pattern.strip("*."), known, n=3, cutoff=0.5) or known[:_SHOWN]
    return f"nearest: {', '.join(close)}" if close else "the network has no such layers"
