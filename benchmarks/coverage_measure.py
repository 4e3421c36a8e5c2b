"""What one network of benchmark `coverage` gives: the share of its parameters in groups, proof, the peer's share."""

from __future__ import annotations

import copy
import importlib.util
import math
import resource
import time
import warnings
from collections.abc import Iterator
from typing import Any

import torch
import torch_pruning
from torch import Tensor, fx, nn
from torch.nn.modules.conv import _ConvNd
from torch.utils._pytree import tree_leaves

from benchmarks.coverage_networks import Subject, make
from workers.channels import (
    ChannelMap,
    InDouble,
    attach,
    example_inputs,
    find_groups,
    largest_difference,
    leaving_out,
    outputs_of,
    select,
    without,
)
from workers.channels.labelling import unread_tensors
from workers.channels.proof import prove
from workers.channels.rebuild import load_resized
from workers.channels.trace import Example, meta_copy, trace

RATIO = 0.3
TOLERANCE = 1e-5
MEMORY = 12 * 2**30
"""Bytes that a process may take."""

Row = dict[str, Any]


def prepare() -> None:
    """One thread, silence, and imports of what the processes of the networks would import each."""
    torch.set_num_threads(1)
    warnings.filterwarnings("ignore")
    for library in ("torchvision", "timm", "segmentation_models_pytorch", "transformers"):
        if importlib.util.find_spec(library):
            importlib.import_module(library)
    find_groups(nn.Sequential(nn.Conv2d(3, 4, 1), nn.BatchNorm2d(4), nn.Conv2d(4, 2, 1)), (3, 4, 4))


def limit_memory() -> None:
    """Makes taking more than `MEMORY` an error of the process."""
    resource.setrlimit(resource.RLIMIT_DATA, (MEMORY, MEMORY))


def measure(name: str) -> Iterator[Row]:
    """What the analysis gives, as a row that grows: before the proof and with it."""
    subject = make(name)
    total = sum(parameter.numel() for parameter in subject.network.parameters())
    before, started = time.process_time(), time.perf_counter()
    row: Row = {"name": name, "parameters": total, "share": 0.0, "groups": 0, "refused": [], "silent": [], "proof": ""}
    try:
        found = find_groups(subject.network, subject.shape, parts=subject.parts)
    except ValueError as error:
        yield row | {"error": str(error)[:300]}
        return
    row |= {
        "seconds": round(time.process_time() - before, 2),
        "wall_s": round(time.perf_counter() - started, 2),
        "peak_gb": round(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20, 2),
        "groups": len(found.groups),
        "share": round(share_owned(subject, found), 4),
        "refused": [
            f"{each.operator} | {each.where} | {each.reason} | {', '.join(each.layers)}" for each in found.refused
        ],
        "proof": "not reached",
    }
    yield row
    row["silent"] = silent_layers(subject, found)
    yield row
    yield row | {"proof": _proof(subject, found)}


def share_owned(subject: Subject, found: ChannelMap) -> float:
    """The share of the parameters that are read with a position, on any axis, that a group owns."""
    sizes = {name: math.prod(found.shapes[name]) for name in found.parameters - _never_read(subject, found)}
    return sum(size for name, size in sizes.items() if name in found.tensors) / max(1, sum(sizes.values()))


def _never_read(subject: Subject, found: ChannelMap) -> frozenset[str]:
    """Parameters outside of groups that no operator reads, in evaluation or training: layers built in vain."""
    open_ones = found.parameters - found.tensors.keys()
    for training in (False, True) if open_ones and not subject.parts else ():
        example = Example.of_inputs(subject.network, subject.shape)
        open_ones &= unread_tensors(trace(meta_copy(subject.network), example, training=training))
    return frozenset() if subject.parts else open_ones


def silent_layers(subject: Subject, found: ChannelMap) -> list[str]:
    """Convolutions and linear layers of the parts that are in no group, are not refused by name and make no output.

    Depthwise convolutions hand on the channels of other layers.
    A network without a group and without a refusal is one whole silence: its name is empty.
    """
    named = {layer for group in found.refused for layer in group.layers}
    layers = {
        path: [f"{path}.{name}" for name, _ in module.named_parameters(recurse=True)]
        for path, module in subject.network.named_modules()
        if isinstance(module, _ConvNd | nn.Linear)
        and not _depthwise(module)
        and (not subject.parts or path.startswith(subject.parts))
    }
    open_ones = [
        path
        for path, tensors in layers.items()
        if path not in named and tensors and not any(tensor in found.tensors for tensor in tensors)
    ]
    if open_ones and not subject.parts:
        explained = _output_or_unread(subject)
        open_ones = [path for path in open_ones if not any(tensor in explained for tensor in layers[path])]
    return open_ones if found.groups or found.refused else ["", *open_ones]


def _depthwise(module: nn.Module) -> bool:
    return isinstance(module, _ConvNd) and module.groups == module.in_channels > 1


def _output_or_unread(subject: Subject) -> set[str]:
    """Parameters of the layers whose results are the network's outputs, and parameters that no operator reads."""
    graph = trace(meta_copy(subject.network), Example.of_inputs(subject.network, subject.shape))
    explained = {
        graph.tensors[node.name] for node in graph.graph.nodes if node.name in graph.tensors and not node.users
    }
    seen: set[fx.Node] = set()
    open_nodes = [node for node in graph.graph.nodes if node.op == "output"]
    while open_nodes:
        node = open_nodes.pop()
        if node in seen:
            continue
        seen.add(node)
        explained |= {graph.tensors[node.name]} if node.name in graph.tensors else set()
        layer = any(word in str(node.target) for word in ("conv", "linear", "matmul"))
        sources = node.all_input_nodes
        open_nodes += [each for each in sources if each.op == "placeholder"] if layer else sources
    return explained


def _proof(subject: Subject, found: ChannelMap) -> str:
    """`holds`, `WRONG` with the numbers, or why nothing was tried."""
    if not found.groups:
        return "no group"
    if subject.parts:
        difference = _difference_of_parts(subject, found)
        return "holds" if difference <= TOLERANCE else f"WRONG: parts differ by {difference:.1e}"
    generator = torch.Generator().manual_seed(0)
    proof = prove(subject.network, subject.shape, found, ratio=RATIO, generator=generator)
    if math.isnan(proof.permutation_error) and math.isnan(proof.change):
        return "no numbers: the whole network gives NaN"
    return "holds" if proof.holds(TOLERANCE) else f"WRONG: {proof}"


def _difference_of_parts(subject: Subject, found: ChannelMap) -> float:
    """The largest difference between the outputs, the parts' among them, of the cut network and of the masked one."""
    generator = torch.Generator().manual_seed(0)
    trial = copy.deepcopy(subject.network).double()
    state = {name: tensor.clone() for name, tensor in trial.state_dict().items()}
    kept = {
        group.name: torch.randperm(group.width, generator=generator)[: max(1, round((1 - RATIO) * group.width))].sort()[
            0
        ]
        for group in found.groups
    }
    images = example_inputs(trial, subject.shape, 2)
    outputs = []
    attach(trial, found.attributes)
    with torch.no_grad(), InDouble():
        load_resized(trial, without(state, found, kept))
        with leaving_out():
            outputs.append(outputs_of(trial, images, subject.parts))
        load_resized(trial, select(state, found, kept))
        outputs.append(outputs_of(trial, images, subject.parts))
    return largest_difference(*outputs)


def measure_peer(name: str) -> Iterator[Row]:
    """The share of the parameters that Torch-Pruning can prune without an error.

    Each of its groups loses one channel (of every block of a grouped convolution one) and is put back. It counts where
    the network then runs and its outputs have the same shapes, so that the classifier's own outputs never count; a
    parameter counts if a group that counts cuts it. Whether the result is right is not asked.
    """
    subject = make(name)
    sample = torch.rand(2, *subject.shape)
    before = time.process_time()
    try:
        graph = torch_pruning.DependencyGraph().build_dependency(subject.network, example_inputs=sample)
        groups = list(graph.get_all_groups())
    except Exception as error:  # whatever the peer raises
        yield {"name": name, "peer_error": f"{type(error).__name__}: {str(error)[:150]}"}
        return
    seconds = round(time.process_time() - before, 2)
    wanted = _shapes(subject.network, sample)
    cut: set[int] = set()
    refused = 0
    for group in groups:
        touched = _cut_parameters(graph, group, subject.network, sample, wanted)
        refused += touched is None
        cut |= touched or set()
    sizes = {id(parameter): parameter.numel() for parameter in subject.network.parameters()}
    yield {
        "name": name,
        "peer_seconds": seconds,
        "peer_groups": len(groups) - refused,
        "peer_share": round(sum(sizes.get(each, 0) for each in cut) / max(1, sum(sizes.values())), 4),
    }


def _shapes(network: nn.Module, sample: Tensor) -> list[torch.Size]:
    with torch.no_grad():
        return [leaf.shape for leaf in tree_leaves(network(sample)) if isinstance(leaf, Tensor)]


def _cut_parameters(
    graph: Any, group: Any, network: nn.Module, sample: Tensor, wanted: list[torch.Size]
) -> set[int] | None:
    """The parameters that lose something with a channel of a group; None where the network does not run without it."""
    members = [dependency.target.module for dependency, _ in group]
    modules = [module for module in members if isinstance(module, nn.Module)]
    blocks = [
        module.groups for module in modules if isinstance(module, _ConvNd) and 1 < module.groups < module.in_channels
    ]
    root, function = group[0][0].target.module, group[0][0].handler
    width = len(group[0][1])
    count = max(blocks, default=1)
    if width % count or width <= count:
        return None
    before = {module: _state(module) for module in (*network.modules(), *modules)}
    known = _state(graph)
    sizes = {name: (id(parameter), parameter, parameter.shape) for name, parameter in network.named_parameters()}
    try:
        graph.get_pruning_group(root, function, [index * (width // count) for index in range(count)]).prune()
        runs = _shapes(network, sample) == wanted
        after = dict(network.named_parameters())
        touched = {key for name, (key, _, shape) in sizes.items() if name not in after or after[name].shape != shape}
    except Exception:  # whatever the peer or the cut network raises
        runs, touched = False, set()
    for holder, state in (*before.items(), (graph, known)):
        vars(holder).clear()
        vars(holder).update(state)
    return touched if runs else None


def _state(holder: object) -> dict[str, Any]:
    """The attributes of an object, with copies of the lists and dicts, which the peer changes in place."""
    return {name: copy.copy(value) if type(value) in (dict, list) else value for name, value in vars(holder).items()}
