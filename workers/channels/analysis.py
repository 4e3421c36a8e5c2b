"""Finds the channel groups of a network.

Trace, label, gather. Then the proof: the network is pruned on the meta device and traced again, and the result must be
the predicted map. That catches what a static trace misses, such as fixed sizes in `x[:, :64]` or `view(n, 64, -1)`.
Where a view splits channels and its first interpretation fails the proof, the other one is tried.

Of a network that cannot be traced whole, parts are analysed by themselves (see `parts`), and their maps are joined.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial

from torch import nn

from workers.channels.atoms import Obstacle
from workers.channels.attributes import ConstantBuffer, constants_of
from workers.channels.gathering import ChannelFindings, gather
from workers.channels.joining import check_whole, join_parts
from workers.channels.labelling import Labelling, aliases_of, kernels_of, label, new_labelling, sizes_in, unread_tensors
from workers.channels.layout import ChannelMap
from workers.channels.parts import Traceable, dissect
from workers.channels.reading import Reading
from workers.channels.trace import WAYS, Example, TracedGraph, Way, trace
from workers.channels.trials import Trials
from workers.channels.verification import verified
from workers.inputs import InputsLike


def find_groups(
    model: nn.Module, inputs: InputsLike, *, exclude: Sequence[str] = (), parts: Sequence[str] = ()
) -> ChannelMap:
    """Finds which channels of which tensors of a network are coupled.

    The network is not changed, and is run only to find the inputs of its parts. An operator without a rule, and code
    that needs a fixed number of channels, make the groups that they touch `refused`; the rest stays prunable.

    Args:
        model: the network.
        inputs: what it takes; of one floating-point tensor the shape of a sample is enough, such as (3, 32, 32).
        exclude: dotted names of layers, or of modules with all layers in them, whose channels have to stay.
        parts: dotted names of the parts whose channels may go, where the network cannot be traced whole. Each is traced
            by itself; the channels that cross its border stay, and so does everything outside.

    Returns:
        The map; its groups are numbered in order of execution.

    Raises:
        BadInputError: a part is unknown, lies within another one, or is not called exactly once.
        ValueError: the network or a part cannot be traced, or an excluded name owns no channels.
    """
    dissection = dissect(model, inputs, parts)
    aliases, constants = aliases_of(model), constants_of(model)
    maps = [_find(piece, exclude, aliases, constants) for piece in dissection.pieces]
    _check_excluded(exclude, maps)
    if not parts:
        return maps[0]
    groups = [list(each.widths()) for each in maps]
    return check_whole(model, inputs, join_parts(model, dissection, maps), groups)


_PROOFS = 8
"""How many readings of a graph are tried at most; with the last one, groups that fail are refused."""


def _no_other(_: Mapping[str, str]) -> None:
    """No other reading."""


def _find(
    piece: Traceable,
    exclude: Sequence[str],
    aliases: Mapping[str, list[str]],
    constants: Mapping[str, ConstantBuffer],
) -> ChannelMap:
    """The channel groups of a network that can be traced."""
    network, example = piece.network, piece.example

    graphs = _trace(network, example, constants)
    ways = (graphs.evaluation.way,)

    def retrace(reading: Reading, network: nn.Module) -> _Again:
        again = _trace(network, example, constants, ways)
        return _Again(graphs=again, read=lambda: _analyse(again, piece.border, exclude, aliases, reading))

    reading, proofs = Reading(), 0
    while True:
        found = _analyse(graphs, piece.border, exclude, aliases, reading)
        reading = reading.with_choices(found.choices)
        if stuck := found.changed(found.stuck):
            reading = reading.with_choices(stuck)
            continue
        proofs += 1
        after = partial(reading.after, found) if proofs < _PROOFS else _no_other
        verdict = verified(Trials(network, example, found, ways), partial(retrace, reading), after)
        if verdict.further is None:
            return verdict.channel_map
        reading = verdict.further


@dataclass(frozen=True, slots=True, kw_only=True)
class _Graphs:
    """The graphs of a network and the names and shapes of its tensors.

    Attributes:
        shapes: shapes of all parameters and buffers.
        parameters: names of the parameters, of a shared one the first.
        kernels: names of the weights of torch's convolutions.
        constants: buffers that are no part of the state, with their shapes.
        evaluation: the graph of the evaluation pass.
        training: that of the training pass, where it reads parameters that the other one does not.
    """

    shapes: Mapping[str, tuple[int, ...]]
    parameters: frozenset[str]
    kernels: frozenset[str]
    constants: Mapping[str, tuple[ConstantBuffer, tuple[int, ...]]]
    evaluation: TracedGraph
    training: TracedGraph | None


@dataclass(frozen=True, slots=True, kw_only=True)
class _Again:
    """A cut network that was traced.

    Attributes:
        graphs: its graphs.
        read: computes the findings of the rules in them.
    """

    graphs: _Graphs
    read: Callable[[], ChannelFindings]

    def sizes(self) -> dict[str, tuple[int, ...]]:
        """Sizes of the axes of the results of a call, by its site."""
        sizes = sizes_in(self.graphs.evaluation)
        return sizes | (sizes_in(self.graphs.training, _TRAINING) if self.graphs.training is not None else {})

    def findings(self) -> ChannelFindings:
        """The findings of the rules."""
        return self.read()


_TRAINING = "training:"
"""Distinguishes the calls of the training pass."""


def _trace(
    meta_model: nn.Module, example: Example, constants: Mapping[str, ConstantBuffer], ways: Sequence[Way] = WAYS
) -> _Graphs:
    parameters = frozenset(name for name, _ in meta_model.named_parameters())
    evaluation = trace(meta_model, example, ways=ways)
    unread = unread_tensors(evaluation) & parameters  # layers of the training pass alone, such as auxiliary classifiers
    return _Graphs(
        shapes={name: tuple(tensor.shape) for name, tensor in meta_model.state_dict().items()},
        parameters=parameters,
        kernels=kernels_of(meta_model),
        constants={
            name: (constants[name], tuple(buffer.shape))
            for name, buffer in meta_model.named_buffers()
            if name in constants
        },
        evaluation=evaluation,
        training=trace(meta_model, example, training=True) if unread else None,
    )


def _analyse(
    graphs: _Graphs,
    border: Obstacle,
    exclude: Sequence[str],
    aliases: Mapping[str, list[str]],
    reading: Reading,
) -> ChannelFindings:
    """The findings of the rules, where the graph is read in a certain way.

    Where something divides by a stored tensor, a mask has to put ones there; then the rules are read again, knowing so.
    """
    divisors: set[str] = set()
    while True:
        labelling = new_labelling(graphs.shapes, aliases, graphs.kernels, graphs.constants)
        labelling.book.choices.update(reading.choices)
        labelling.book.divisors.update(divisors)
        label(labelling, graphs.evaluation, outputs=border)
        applications = {name: round(times) for name, times in labelling.book.applications.items()}
        if graphs.training is not None:
            label(labelling, graphs.training, prefix=_TRAINING, outputs=border)
        if labelling.book.divisors == divisors:
            break
        divisors = set(labelling.book.divisors)
    reading.couple(labelling)
    _exclude(labelling, exclude)
    return gather(labelling, graphs.shapes, graphs.parameters, applications)


def _exclude(labelling: Labelling, exclude: Sequence[str]) -> None:
    for layer in exclude:
        obstacle = Obstacle(operator="exclude", where=layer, reason="excluded")
        for name in (name for name in labelling.tensors if _within(name, layer)):
            for axis, labels in enumerate(labelling.tensors[name]):
                if (labelling.first.get(name, name), axis) not in labelling.book.contracted:
                    labelling.book.atoms.fix(labels, obstacle)


def _check_excluded(exclude: Sequence[str], maps: Sequence[ChannelMap]) -> None:
    tensors = [name for each in maps for name in each.shapes]
    unknown = [layer for layer in exclude if not any(_within(name, layer) for name in tensors)]
    if unknown:
        layers = dict.fromkeys(layer for each in maps for group in each.groups for layer in group.layers)
        raise ValueError(
            f"exclude: {', '.join(unknown)}: no such layers; layers that make channels: {', '.join(layers)}"
        )


def _within(tensor: str, layer: str) -> bool:
    return tensor == layer or tensor.startswith(f"{layer}.")
