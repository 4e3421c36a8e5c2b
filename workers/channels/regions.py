"""Regions of a traced graph, such as what runs under `no_grad` or `autocast`, put in their places.

`torch.export` keeps such a region as a graph of its own, which one node of the outer graph calls.
"""

from __future__ import annotations

import operator
from typing import Any

import torch
from torch import fx

_PARAMETERS_BEFORE = {
    torch.ops.higher_order.wrap_with_set_grad_enabled: 1,
    torch.ops.higher_order.wrap_with_autocast: 4,
}
"""The operators that call a region, and the number of their arguments before it."""


def inline_regions(module: fx.GraphModule) -> None:
    """Replaces every call of a region by what the region does; in place.

    Args:
        module: what `torch.export` made.
    """
    for node in list(module.graph.nodes):
        if node.target in _PARAMETERS_BEFORE:
            before = _PARAMETERS_BEFORE[node.target]
            region, *operands = node.args[before:]
            inner = getattr(module, region.target)
            inline_regions(inner)
            _replace(module.graph, node, inner.graph, operands)
            if not region.users:
                module.graph.erase_node(region)


def _replace(graph: fx.Graph, call: fx.Node, region: fx.Graph, operands: list[Any]) -> None:
    inputs = [node for node in region.nodes if node.op == "placeholder"]
    copies: dict[fx.Node, Any] = dict(zip(inputs, operands, strict=True))
    results: Any = ()
    with graph.inserting_before(call):
        for node in region.nodes:
            if node.op == "output":
                results = fx.map_arg(node.args[0], copies.__getitem__)
            elif node.op != "placeholder":
                copies[node] = graph.node_copy(node, copies.__getitem__)
    for user in list(call.users):
        if user.target is operator.getitem:
            user.replace_all_uses_with(results[user.args[1]])
            graph.erase_node(user)
    graph.erase_node(call)
