"""Networks as programs that run without their class: of `torch.export`, of TorchScript, as ONNX graphs.

Each takes batches of any size, and those of networks that return images take images of any size that the network does.
Each is read back and compared with the network after it was written.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import nn

from jobs.errors import BadNetworkError
from workers.export.comparison import compare, reason
from workers.export.graph import checked_onnx, dynamic_axes, other_sizes, quiet, returns_images
from workers.inputs import Inputs, InputsLike, InputSpec, as_spec, call_arguments, tensors_of

PROGRAM_FILE = "model.pt2"
"""A program of `torch.export`."""

ONNX_FILE = "model.onnx"
"""An ONNX graph, its weights inside."""

TORCHSCRIPT_FILE = "model.torchscript.pt"
"""A trace by TorchScript."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ExportedFile:
    """A file of an exported network.

    Attributes:
        name: Its name in the folder.
        size_bytes: Its size.
        difference: Largest difference of its outputs from the network's, relative to the largest output; None where
            it has none.
    """

    name: str
    size_bytes: int
    difference: float | None = None


def write_formats(
    names: Sequence[str], folder: Path, module: nn.Module, inputs: InputsLike
) -> tuple[list[ExportedFile], dict[str, str]]:
    """Write a network in several formats; one that cannot express it does not keep the others from being written.

    Args:
        names: Names of files above.
        folder: Where they are written.
        module: The network, on the CPU, in evaluation mode.
        inputs: What it takes.

    Returns:
        The files, and the reasons by name of those that could not be written.
    """
    spec = as_spec(inputs)
    batch = spec.draw(2, torch.Generator().manual_seed(0))
    written: list[ExportedFile] = []
    missing: dict[str, str] = {}
    for name in names:
        path = folder / name
        try:
            difference = _WRITERS[name](path, module, spec, batch)
        except BadNetworkError as error:
            path.unlink(missing_ok=True)
            missing[name] = str(error)
        else:
            written.append(ExportedFile(name=name, size_bytes=path.stat().st_size, difference=difference))
    return written, missing


def _write_program(path: Path, module: nn.Module, inputs: InputSpec, batch: Inputs) -> float:
    try:
        args, kwargs = call_arguments(batch)
        with quiet():
            axes = dynamic_axes(any_size=returns_images(module, batch))
            shapes = dict.fromkeys(inputs.names, axes) if inputs.names else tuple(axes for _ in args)
            program = torch.export.export(module, args, kwargs, dynamic_shapes=shapes)
            _drop_origins(program)
            torch.export.save(program, path)
            loaded = torch.export.load(path).module()
    except Exception as error:  # the exporter and the network may raise anything
        raise BadNetworkError(f"torch.export cannot express the network: {reason(error)}") from error
    return compare("the exported program", loaded, module, batch)


def _drop_origins(program: torch.export.ExportedProgram) -> None:
    """Take out where the operators come from: lines of source files of this machine."""
    for module in program.graph_module.modules():
        if isinstance(module, torch.fx.GraphModule):
            for node in module.graph.nodes:
                node.meta.pop("stack_trace", None)


def _write_torchscript(path: Path, module: nn.Module, inputs: InputSpec, batch: Inputs) -> float:
    if inputs.names:
        raise BadNetworkError(
            f"TorchScript takes no keyword arguments, and the network takes {', '.join(inputs.names)}"
        )
    try:
        with quiet():  # torch advises against TorchScript
            torch.jit.save(torch.jit.trace(module, tensors_of(batch), check_trace=False), path)
            loaded = torch.jit.load(path)
    except Exception as error:  # a torch without TorchScript, or a network that it cannot trace
        raise BadNetworkError(f"TorchScript cannot express the network: {reason(error)}") from error
    difference = compare("the TorchScript", loaded, module, batch)
    for images in other_sizes(module, batch) if returns_images(module, batch) else ():
        difference = max(difference, compare("the TorchScript for images of another size", loaded, module, images))
    return difference


def _write_onnx(path: Path, module: nn.Module, inputs: InputSpec, batch: Inputs) -> float:
    content, difference = checked_onnx(module, inputs, batch)
    path.write_bytes(content)
    return difference


_WRITERS: Mapping[str, Callable[[Path, nn.Module, InputSpec, Inputs], float]] = {
    PROGRAM_FILE: _write_program,
    ONNX_FILE: _write_onnx,
    TORCHSCRIPT_FILE: _write_torchscript,
}
