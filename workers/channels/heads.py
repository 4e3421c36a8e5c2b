"""Finds the views that split channels into heads."""

from __future__ import annotations

import operator

import torch
from torch import fx

_VIEWS = frozenset({"view", "reshape", "_unsafe_view", "unflatten"})

_ON_THE_WAY = _VIEWS | {
    *("permute", "transpose", "movedim", "unsqueeze", "squeeze", "expand", "flip", "roll", "repeat_interleave"),
    *("unbind", "select", "slice", "split", "split_with_sizes", "chunk", "cat", "getitem"),
    *("mul", "div", "add", "sub", "neg", "layer_norm", "rms_norm", "dropout", "contiguous", "clone", "to", "_to_copy"),
}
"""Operators that keep heads apart: other shapes and orders, rotations, norms."""

_PRODUCTS = frozenset({"scaled_dot_product_attention", "matmul", "bmm", "baddbmm", "einsum"})


def attention_views(graph: fx.Graph) -> set[fx.Node]:
    """Views whose results meet in a product of two activations, with nothing on the way that mixes heads."""
    lead_there: set[fx.Node] = set()
    for node in reversed(graph.nodes):
        if _name(node) in _ON_THE_WAY and any(user in lead_there or _is_product(user) for user in node.users):
            lead_there.add(node)
    return {node for node in lead_there if _name(node) in _VIEWS}


def _is_product(node: fx.Node) -> bool:
    return _name(node) in _PRODUCTS and all(source.op != "placeholder" for source in node.all_input_nodes)


def _name(node: fx.Node) -> str:
    if node.target is operator.getitem:
        return "getitem"
    return str(node.target).split(".")[1] if isinstance(node.target, torch._ops.OpOverload) else ""
