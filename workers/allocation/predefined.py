"""Predefined widths: those of published configurations, by name, or the user's own.

The papers' are the A and B configurations of Li et al. 2017 (arXiv:1608.08710, tables 1 and 2) as Rethinking (Liu et
al. 2019, section 4.1) has them. Layers are counted from 1, along the main path, projections left out: the first
convolution of a block has an even number. Ignores the target.
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from jobs.errors import BadInputError, nearest
from workers.allocation._base import AllocationProblem, allocator


@dataclass(frozen=True, slots=True, kw_only=True)
class Configuration:
    """Widths for one network.

    Attributes:
        layers: Pattern of the names of the groups that it covers; all others stay whole.
        full: Group name -> width in the network that it is for.
        kept: Group name -> width that stays.
    """

    layers: re.Pattern[str]
    full: Mapping[str, int]
    kept: Mapping[str, int]


def _vgg16(kept: Sequence[int]) -> Configuration:
    """All thirteen convolutions of VGG-16 with batch norm, as torchvision numbers them."""
    stages, full, number = (2, 2, 3, 3, 3), {}, 0
    for convolutions, width in zip(stages, (64, 128, 256, 512, 512), strict=True):
        for _ in range(convolutions):
            full[f"features.{number}"] = width
            number += 3  # convolution, norm, activation
        number += 1  # pooling
    return Configuration(layers=re.compile(r"features\.\d+"), full=full, kept=dict(zip(full, kept, strict=True)))


def _basic_blocks(
    blocks: Sequence[int], widths: Sequence[int], percent: Sequence[int], skipped: Sequence[int]
) -> Configuration:
    """The first convolutions of the basic blocks of a residual network.

    Args:
        blocks: How many each stage has.
        widths: Channels of each stage.
        percent: How many of the channels go, per stage; what stays is rounded down.
        skipped: Numbers of the layers that stay whole.
    """
    full, kept, layer = {}, {}, 2
    for stage, (count, width, gone) in enumerate(zip(blocks, widths, percent, strict=True), start=1):
        for block in range(count):
            name = f"layer{stage}.{block}.conv1"
            full[name] = width
            kept[name] = width if layer in skipped else width * (100 - gone) // 100
            layer += 2
    return Configuration(layers=re.compile(r"layer\d+\.\d+\.conv1"), full=full, kept=kept)


_CIFAR = (16, 32, 64)
_SKIPPED_34 = (2, 8, 14, 16, 26, 28, 30, 32)
CONFIGURATIONS: Mapping[str, Configuration] = {
    "resnet110-a": _basic_blocks((18, 18, 18), _CIFAR, (50, 0, 0), (36,)),
    "resnet110-b": _basic_blocks((18, 18, 18), _CIFAR, (50, 40, 30), (36, 38, 74)),
    "resnet34-a": _basic_blocks((3, 4, 6, 3), (64, 128, 256, 512), (30, 30, 30, 0), _SKIPPED_34),
    "resnet34-b": _basic_blocks((3, 4, 6, 3), (64, 128, 256, 512), (50, 60, 40, 0), _SKIPPED_34),
    "resnet56-a": _basic_blocks((9, 9, 9), _CIFAR, (10, 10, 10), (16, 20, 38, 54)),
    "resnet56-b": _basic_blocks((9, 9, 9), _CIFAR, (60, 30, 10), (16, 18, 20, 34, 38, 54)),
    "vgg16-a": _vgg16((32, 64, 128, 128, *[256] * 9)),
}
"""Configurations by their name in the sweep file."""


@allocator(reason="the widths were given")
def predefined(
    problem: AllocationProblem, *, name: str | None = None, widths: Mapping[str, int] | None = None
) -> dict[str, int]:
    """The widths of a configuration.

    Args:
        problem: The groups.
        name: One of the papers' configurations; or
        widths: Group name -> channels that stay; groups that are not named stay whole.

    Raises:
        BadInputError: The network is not the one that the configuration is for, or has no such group, or fewer channels
            in it; or another width is fixed, by `prune` of the sweep file or since the channels cannot be mixed.
    """
    full = problem.channel_map.widths()
    given = named(name, full) if name is not None else dict(widths or {})
    unknown = [group for group in given if group not in full]
    if unknown:
        raise BadInputError(f"the network has no channel group '{unknown[0]}'; {nearest(unknown[0], full)}")
    too_wide = [f"{each} of {full[group]} channels of '{group}'" for group, each in given.items() if each > full[group]]
    if too_wide:
        raise BadInputError(f"the predefined widths keep {', '.join(too_wide)}; give at most what a group has")
    widths = {**full, **given}
    wrong = [name for name, each in problem.ranges.items() if each.why and widths[name] != each.largest]
    if wrong:
        name, fixed = wrong[0], problem.ranges[wrong[0]]
        unmixable = fixed.why in {group.unmixable for group in problem.channel_map.groups}
        who = "merging channels" if unmixable else "`prune`"
        raise BadInputError(
            f"the predefined widths leave {widths[name]} of {full[name]} channels of '{name}', and {who} "
            f"({fixed.why}) {fixed.largest}; change {'the widths' if unmixable else 'one of them'}"
        )
    return widths


def named(name: str, full: Mapping[str, int]) -> Mapping[str, int]:
    """The widths of a configuration, by the names that the groups of a network have.

    Args:
        name: The configuration.
        full: Group name -> width of the network.

    Raises:
        BadInputError: The configuration is for another network.
    """
    configuration = CONFIGURATIONS[name]
    # Within a detector the groups have the names of the classifier's behind that of a part: backbone.layer1.0.conv1.
    within = re.compile(rf"(?:.*\.)?({configuration.layers.pattern})")
    groups = {match[1]: group for group in full if (match := within.fullmatch(group))}
    found = {layer: full[group] for layer, group in groups.items()}
    if found != configuration.full:
        raise BadInputError(
            f"configuration '{name}' is for a network with the channel groups {_listed(configuration.full)}; this one "
            f"has {_listed(found) or 'none of them'}; name another configuration, or give `widths`"
        )
    return {groups[layer]: kept for layer, kept in configuration.kept.items()}


def _listed(widths: Mapping[str, int]) -> str:
    return ", ".join(f"{name}: {width}" for name, width in widths.items())
