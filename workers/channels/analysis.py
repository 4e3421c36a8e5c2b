"""Finds the channel groups of a network.

Trace, label, gather: indices that the rules joined are one unit; units that no operator tells apart are one group.
Then the proof: the network is cut on the meta device and traced again, and what comes out must be the predicted map.
That catches what a static trace cannot see, such as code that says `x[:, :64]` or `view(n, 64, -1)` and means it.
Refuses to know what a channel is worth.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence

import numpy as np
from torch import nn

from workers.channels.labelling import Labelling, fix_aliases, label, new_labelling, unread_tensors
from workers.channels.layout import (
    NOT_A_CHANNEL,
    AxisLayout,
    ChannelGroup,
    ChannelMap,
    Labels,
    RefusedGroup,
)
from workers.channels.trace import meta_copy, trace
from workers.channels.union_find import Obstacle
from workers.channels.verification import verified


def find_groups(model: nn.Module, input_shape: Sequence[int], *, exclude: Sequence[str] = ()) -> ChannelMap:
    """Which channels of which tensors of a network belong together.

    The network is neither run nor changed. An operator without a rule, and code that needs a fixed number of channels,
    make the groups that they touch `refused`; the rest stays prunable.

    Args:
        model: the network; takes one tensor.
        input_shape: shape of one sample without the batch, such as (3, 32, 32).
        exclude: dotted names of layers, or of modules with all layers in them, whose channels have to stay.

    Returns:
        The map; its groups are numbered in order of execution.

    Raises:
        ValueError: the network cannot be traced, or an excluded name owns no channels.
    """
    shape = tuple(input_shape)
    found, sliced = _analyse(meta_copy(model), shape, tuple(exclude))
    return verified(meta_copy(model), found, sliced, lambda cut: _analyse(cut, shape, tuple(exclude))[0])


def _analyse(
    meta_model: nn.Module, input_shape: tuple[int, ...], exclude: Sequence[str]
) -> tuple[ChannelMap, set[str]]:
    """The map as the rules see it, with the names of the groups on axes that are taken apart."""
    shapes = {name: tuple(tensor.shape) for name, tensor in meta_model.state_dict().items()}
    labelling = new_labelling(shapes)
    traced = trace(meta_model, input_shape)
    label(labelling, traced)
    first_names = {name for name, _ in meta_model.named_parameters()}
    if unread_tensors(traced) & first_names:  # layers that only the training pass uses, such as auxiliary classifiers
        label(labelling, trace(meta_model, input_shape, training=True))
    fix_aliases(labelling, _aliases(meta_model))
    _exclude(labelling, exclude)
    return _gather(labelling, shapes, frozenset(first_names))


def _aliases(model: nn.Module) -> dict[str, list[str]]:
    """Further names of parameters and buffers, by first name."""
    first: dict[int, str] = {}
    names: dict[str, list[str]] = defaultdict(list)
    for name, tensor in model.state_dict(keep_vars=True).items():
        known = first.setdefault(id(tensor), name)
        if known != name:
            names[known].append(name)
    return names


def _exclude(labelling: Labelling, exclude: Sequence[str]) -> None:
    unknown = []
    for layer in exclude:
        tensors = [name for name in labelling.tensors if name == layer or name.startswith(f"{layer}.")]
        if not tensors:
            unknown.append(layer)
        obstacle = Obstacle(operator="exclude", where=layer, reason="excluded")
        for name in tensors:
            for axis, labels in enumerate(labelling.tensors[name]):
                if labelling.book.roles.get((name, axis)) != "input":
                    labelling.book.atoms.fix(labels, obstacle)
    if unknown:
        layers = ", ".join(layer for layer, _ in labelling.book.produced)
        raise ValueError(f"exclude: {', '.join(unknown)}: no such layers; layers that make channels: {layers}")


def _gather(
    labelling: Labelling, shapes: Mapping[str, tuple[int, ...]], parameters: frozenset[str]
) -> tuple[ChannelMap, set[str]]:
    book = labelling.book
    roots = book.atoms.roots()
    fixed, obstacles = book.atoms.obstacles(roots)
    made = np.zeros(len(roots), dtype=bool)
    for _, labels in book.produced:
        made[roots[labels]] = True
    live = made & (fixed < 0)
    group_of, unit_of, names = _number_units(labelling, roots, live)
    producers = _producers(labelling, roots, group_of)
    groups = tuple(
        ChannelGroup(name=name, width=int((group_of == index).sum()), layers=tuple(producers[index]))
        for index, name in enumerate(names)
    )
    tensors = {}
    for tensor, axes in labelling.tensors.items():
        layouts = tuple(
            AxisLayout(
                role=book.roles.get((tensor, axis), "output"),
                groups=group_of[roots[labels]],
                units=unit_of[roots[labels]],
            )
            for axis, labels in enumerate(axes)
        )
        if any(layout.labelled for layout in layouts):
            tensors[tensor] = layouts
    sliced = {names[group] for axis in book.sliced for group in group_of[roots[axis[axis >= 0]]] if group >= 0}
    refused = _refused(labelling, roots, fixed, obstacles)
    found = ChannelMap(groups=groups, tensors=tensors, shapes=dict(shapes), parameters=parameters, refused=refused)
    return found, sliced


def _number_units(labelling: Labelling, roots: Labels, live: np.ndarray) -> tuple[Labels, Labels, list[str]]:
    """Group and unit number per root, and the names of the groups.

    Units are told apart by how often they occur on every axis of every tensor and every operator's result.
    """
    kind = np.zeros(len(roots), dtype=np.int64)
    fresh = 1
    for axis in [*(axis for axes in labelling.tensors.values() for axis in axes), *labelling.results]:
        present = roots[axis[axis >= 0]]
        present = present[live[present]]
        if present.size == 0:
            continue
        units, counts = np.unique(present, return_counts=True)
        _, refined = np.unique(np.stack([kind[units], counts]), axis=1, return_inverse=True)
        kind[units] = fresh + refined.reshape(-1)
        fresh += len(units)
    group_of = np.full(len(roots), NOT_A_CHANNEL, dtype=np.int64)
    unit_of = group_of.copy()
    numbers: dict[int, int] = {}
    widths: list[int] = []
    names: list[str] = []
    for layer, labels in labelling.book.produced:
        for root in roots[labels]:
            if not live[root] or group_of[root] >= 0:
                continue
            group = numbers.setdefault(int(kind[root]), len(numbers))
            if group == len(widths):
                same = sum(name.split("#")[0] == layer for name in names)
                names.append(layer if not same else f"{layer}#{same + 1}")
                widths.append(0)
            group_of[root], unit_of[root] = group, widths[group]
            widths[group] += 1
    return group_of, unit_of, names


def _producers(labelling: Labelling, roots: Labels, group_of: Labels) -> dict[int, list[str]]:
    layers: dict[int, list[str]] = defaultdict(list)
    for layer, labels in labelling.book.produced:
        for group in np.unique(group_of[roots[labels]]):
            if group >= 0 and layer not in layers[int(group)]:
                layers[int(group)].append(layer)
    return layers


def _refused(
    labelling: Labelling, roots: Labels, fixed: Labels, obstacles: Sequence[Obstacle]
) -> tuple[RefusedGroup, ...]:
    layers: dict[int, list[str]] = defaultdict(list)
    for layer, labels in labelling.book.produced:
        for number in np.unique(fixed[roots[labels]]):
            if number >= 0 and not obstacles[number].quiet and layer not in layers[int(number)]:
                layers[int(number)].append(layer)
    return tuple(
        RefusedGroup(
            layers=tuple(layers[number]),
            operator=obstacles[number].operator,
            where=obstacles[number].where,
            reason=obstacles[number].reason,
        )
        for number in sorted(layers)
    )
