"""Finds the channel groups of a network.

Trace, label, gather. Then the proof: the network is pruned on the meta device and traced again, and the result must be
the predicted map. That catches what a static trace misses, such as fixed sizes in `x[:, :64]` or `view(n, 64, -1)`.
Where a view splits channels and its first interpretation fails the proof, the other one is tried.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial

from torch import nn

from workers.channels.atoms import Obstacle
from workers.channels.gathering import ChannelFindings, gather
from workers.channels.labelling import Labelling, fix_aliases, label, new_labelling, unread_tensors
from workers.channels.layout import ChannelMap
from workers.channels.trace import TracedGraph, meta_copy, trace
from workers.channels.verification import verified


def find_groups(model: nn.Module, input_shape: Sequence[int], *, exclude: Sequence[str] = ()) -> ChannelMap:
    """Finds which channels of which tensors of a network are coupled.

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
    graphs = _trace(meta_copy(model), shape)
    choices: dict[str, int] = {}
    while True:
        found = _analyse(graphs, exclude, choices)
        if stuck := found.changed(found.stuck):
            choices = {**found.choices, **stuck}
            continue
        proved, failed = verified(meta_copy(model), shape, found, partial(_analyse_cut, shape, exclude, found.choices))
        untried = found.untried(failed)
        if not untried:
            return proved
        choices = {**found.choices, **untried}


def _analyse_cut(
    input_shape: tuple[int, ...], exclude: Sequence[str], choices: Mapping[str, int], cut: nn.Module
) -> ChannelFindings:
    return _analyse(_trace(cut, input_shape), exclude, choices)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Graphs:
    """The graphs of a network and the names and shapes of its tensors.

    Attributes:
        shapes: shapes of all parameters and buffers.
        parameters: names of the parameters, of a shared one the first.
        aliases: further names of parameters and buffers, by first name.
        evaluation: the graph of the evaluation pass.
        training: that of the training pass, where it reads parameters that the other one does not.
    """

    shapes: Mapping[str, tuple[int, ...]]
    parameters: frozenset[str]
    aliases: Mapping[str, list[str]]
    evaluation: TracedGraph
    training: TracedGraph | None


def _trace(meta_model: nn.Module, input_shape: tuple[int, ...]) -> _Graphs:
    parameters = frozenset(name for name, _ in meta_model.named_parameters())
    evaluation = trace(meta_model, input_shape)
    unread = unread_tensors(evaluation) & parameters  # layers of the training pass alone, such as auxiliary classifiers
    return _Graphs(
        shapes={name: tuple(tensor.shape) for name, tensor in meta_model.state_dict().items()},
        parameters=parameters,
        aliases=_aliases(meta_model),
        evaluation=evaluation,
        training=trace(meta_model, input_shape, training=True) if unread else None,
    )


def _analyse(graphs: _Graphs, exclude: Sequence[str], choices: Mapping[str, int]) -> ChannelFindings:
    """The findings of the rules, with these interpretations of views that split channels."""
    labelling = new_labelling(graphs.shapes)
    labelling.book.choices.update(choices)
    label(labelling, graphs.evaluation)
    applications = dict(labelling.book.applications)
    if graphs.training is not None:
        label(labelling, graphs.training, prefix="training:")
    fix_aliases(labelling, graphs.aliases)
    _exclude(labelling, exclude)
    return gather(labelling, graphs.shapes, graphs.parameters, applications)


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
