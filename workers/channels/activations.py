"""The live activations at every step of a forward pass, as functions of the widths of the groups.

A simple model of memory: every call makes its whole result anew unless the operator's signature says that it returns a
view or writes in place; a result lives until the last call that reads it or a view of it; input and output live to the
end. Workspace inside an operator and rounding of the memory allocator are ignored.

Counts numbers; independent of dtypes and devices.
"""

from __future__ import annotations

import operator
from collections.abc import Mapping, Sequence

import torch
from torch import fx, nn

from workers.channels.cost import Cost, CostTerm, Length, product_term
from workers.channels.gathering import ChannelFindings, gather
from workers.channels.labelling import aliases_of, kernels_of, label, new_labelling
from workers.channels.layout import ChannelMap
from workers.channels.parts import Traceable, dissect
from workers.channels.trace import BATCH, TracedGraph, trace
from workers.inputs import InputsLike


def live_activations(
    model: nn.Module, inputs: InputsLike, channel_map: ChannelMap, *, weight: float = 1.0
) -> list[Cost]:
    """Live activations per sample at the steps of a forward pass.

    Steps that never need more memory than another one, at any widths, are left out.

    Args:
        model: the network; neither run nor changed.
        inputs: what it takes.
        channel_map: its channel groups. Channels that a second trace groups otherwise count whole.
        weight: cost of one number.

    Raises:
        ValueError: the network cannot be traced.
    """
    (whole,) = dissect(model, inputs, ()).pieces
    return live_in(whole, channel_map, weight=weight)


def live_in(piece: Traceable, channel_map: ChannelMap, *, weight: float = 1.0) -> list[Cost]:
    """Live activations at the steps of a pass of a part by itself, per sample of the whole network.

    Args:
        piece: the part.
        channel_map: the channel groups of the whole network.
        weight: cost of one number.
    """
    traced = trace(piece.network, piece.example)
    shapes = {name: tuple(tensor.shape) for name, tensor in piece.network.state_dict().items()}
    labelling = new_labelling(shapes, aliases_of(piece.network), kernels_of(piece.network), {})
    label(labelling, traced)
    found = gather(labelling, shapes, channel_map.parameters, {})
    widths = channel_map.widths()
    sizes = {node: _size(node, found, widths, weight / BATCH) for node in _storages(traced)}
    costs = []
    for alive in _largest(_live_sets(traced)):
        parts = [size for node, size in sizes.items() if node in alive]
        costs.append(Cost(widths, sum(constant for constant, _ in parts), [term for _, term in parts if term]))
    return costs


def _storages(traced: TracedGraph) -> dict[fx.Node, list[fx.Node]]:
    """The nodes that allocate storage, each with the nodes that read or return it or a view of it, in order."""
    owner: dict[fx.Node, fx.Node] = {}
    readers: dict[fx.Node, list[fx.Node]] = {}
    for node in traced.graph.nodes:
        read = {owner[each] for each in node.all_input_nodes if each in owner}
        for storage in read:
            readers[storage].append(node)
        if node.op == "output" or (node.op == "placeholder" and node.name in traced.tensors):
            continue
        source = next((owner.get(each) for each in node.all_input_nodes), None) if _shares(node) else node
        if source is not None:  # otherwise a view of a parameter
            owner[node] = source
            readers.setdefault(source, [])
    return readers


def _shares(node: fx.Node) -> bool:
    """Whether a call returns its first argument's storage."""
    if isinstance(node.target, torch._ops.OpOverload):
        return any(each.alias_info is not None for each in node.target._schema.returns)
    return node.target is operator.getitem


def _live_sets(traced: TracedGraph) -> list[frozenset[fx.Node]]:
    """For every call the storages that are live while it runs, its own result among them."""
    place = {node: index for index, node in enumerate(traced.graph.nodes)}
    end = len(place)
    spans = {
        node: (place[node], end if node.op == "placeholder" else max(place[each] for each in [node, *readers]))
        for node, readers in _storages(traced).items()
    }
    return [
        frozenset(storage for storage, (first, last) in spans.items() if first <= place[node] <= last)
        for node in traced.graph.nodes
        if node.op == "call_function"
    ]


def _largest(sets: Sequence[frozenset[fx.Node]]) -> list[frozenset[fx.Node]]:
    """The sets that are a subset of no other one."""
    distinct = list(dict.fromkeys(sets))
    return [each for each in distinct if not any(each < other for other in distinct)]


def _size(
    node: fx.Node, found: ChannelFindings, widths: Mapping[str, int], weight: float
) -> tuple[float, CostTerm | None]:
    """Constant or term of the number of elements of a node's result."""
    value = node.meta["val"]
    if node.name not in found.shapes or not isinstance(value, torch.Tensor):
        tensors = [value] if isinstance(value, torch.Tensor) else value
        return weight * sum(each.numel() for each in tensors), None
    same = {group.name for group in found.channel_map.groups if widths.get(group.name) == group.width}
    lengths = []
    for size, owned in zip(found.shapes[node.name], found.owned[node.name], strict=True):
        known = {name: count for name, count in owned.items() if name in same}
        occurrences = {name: count // widths[name] for name, count in known.items()}
        lengths.append(Length(constant=size - sum(known.values()), occurrences=occurrences))
    return product_term(weight, lengths)
