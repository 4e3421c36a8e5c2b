"""Traces a network by `torch.export`, which knows sizes that depend on numbers, such as how many boxes are left."""

from __future__ import annotations

import io
import logging
import warnings
from collections.abc import Mapping
from contextlib import nullcontext, redirect_stderr
from typing import Any

import torch
from torch import fx, nn
from torch.export.graph_signature import InputKind
from torch.fx.experimental.proxy_tensor import get_proxy_mode

from workers.channels.numbers_noted import note_numbers
from workers.channels.origins import NotingOrigins, name_numbers
from workers.channels.regions import inline_regions
from workers.nested import returning_leaves

_NOISY = ("torch._subclasses.fake_tensor", "torch.fx.experimental.symbolic_shapes")
"""Loggers that print stacks and graphs for an error that is raised, too."""

_IGNORED = ("The tensor attribute", "`create_unbacked_symint`")
"""Warnings that do not concern the user: recurrent layers put back their list of weights; torchvision counts boxes."""


def exported(
    network: nn.Module, args: tuple[Any, ...], kwargs: Mapping[str, Any], *, noting: bool
) -> tuple[fx.Graph, dict[str, str]]:
    """As `recording.recorded`, but through `torch.export`.

    Args:
        network: on the meta device, in the mode that is wanted.
        args: its arguments.
        kwargs: its keyword arguments.
        noting: whether calls note where sizes come from (see `origins`).

    Raises:
        Exception: whatever the exporter raises.
    """
    loggers = [logging.getLogger(name) for name in _NOISY]
    silent = [logger.disabled for logger in loggers]
    for logger in loggers:
        logger.disabled = True
    if noting:
        name_numbers(network)
    try:
        with returning_leaves(network), warnings.catch_warnings(), NotingOrigins(_graph) if noting else nullcontext():
            for message in _IGNORED:
                warnings.filterwarnings("ignore", message=message)
            with redirect_stderr(io.StringIO()):  # where it raises an error it prints the graph so far, too
                program = torch.export.export(network, args, dict(kwargs), strict=False)
    finally:
        for logger, before in zip(loggers, silent, strict=True):
            logger.disabled = before
    inline_regions(program.graph_module)
    tensors = {
        spec.arg.name: str(spec.target)
        for spec in program.graph_signature.input_specs
        if spec.kind in (InputKind.PARAMETER, InputKind.BUFFER)
    }
    placeholders = {node.name: node for node in program.graph.find_nodes(op="placeholder")}
    for spec in program.graph_signature.input_specs:
        if spec.kind is InputKind.CONSTANT_TENSOR:
            for user in placeholders[spec.arg.name].users:
                note_numbers(user, [program.constants[str(spec.target)]])
    return program.graph, tensors


def _graph() -> fx.Graph | None:
    mode = get_proxy_mode()
    return None if mode is None else mode.tracer.graph
