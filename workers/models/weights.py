"""Loads a model's parameters and buffers from a file of tensors.

Reads safetensors, and .pt/.pth with weights_only, so that a file cannot run code. Names and shapes have to agree, and
every one that does not is reported.
"""

import io
import pickle
from collections.abc import Mapping
from pathlib import PurePosixPath

import fsspec
import safetensors.torch
import torch
from torch import Tensor, nn

from jobs.errors import BadInputError, Fault, InvalidFileError

# Batch norm reads its step counter only when momentum is None; many published files leave it out.
_OPTIONAL = "num_batches_tracked"


def load_weights(model: nn.Module, path: str) -> None:
    """Copy the tensors of a file into a model, cast to the model's types.

    A `{"state_dict": ...}` around the tensors and a `module.` before all names (nn.DataParallel) are removed.
    On an error the model is unchanged.

    Args:
        model: The network; its tensors are overwritten in place.
        path: A .safetensors, .pt or .pth file; a local path or any URI that fsspec opens.

    Raises:
        BadInputError: The file is not there, cannot be read, or holds something other than tensors.
        InvalidFileError: Tensors are missing, unexpected or of another shape: all of them, by name.
    """
    state = _unwrap(read_tensors(path), path)
    expected = model.state_dict()
    faults = _compare(state, expected)
    if faults:
        raise InvalidFileError(path, faults)
    model.load_state_dict(state, strict=False)


def read_tensors(path: str) -> object:
    """The content of a .safetensors, .pt or .pth file on the CPU; for the last two, not necessarily tensors.

    Raises:
        BadInputError: The file is not there, has another ending, is damaged, or is a pickle with code in it.
    """
    ending = PurePosixPath(path).suffix
    if ending not in (".safetensors", ".pt", ".pth"):
        raise BadInputError(f"{path}: ends in '{ending}'; weights are read from .safetensors, .pt or .pth files")
    try:
        with fsspec.open(path, "rb") as file:
            content = file.read()
    except (OSError, ValueError, ImportError) as error:
        raise BadInputError(f"{path}: cannot be opened ({error}); name a file that the workers can read") from error
    try:
        if ending == ".safetensors":
            return safetensors.torch.load(content)
        return torch.load(io.BytesIO(content), map_location="cpu", weights_only=True)
    except pickle.UnpicklingError as error:
        raise BadInputError(
            f"{path}: refused: it is damaged or holds Python objects, which could run code; only tensors are loaded. "
            "Save model.state_dict() as safetensors where the file comes from."
        ) from error
    except MemoryError:
        raise
    except Exception as error:  # a damaged pickle can raise anything
        raise BadInputError(
            f"{path}: not a readable '{ending}' file ({error}); it may be cut off: copy it again"
        ) from error


def _unwrap(content: object, path: str) -> dict[str, Tensor]:
    """Remove the wrapper and the prefix that frameworks add."""
    if isinstance(content, Mapping) and isinstance(content.get("state_dict"), Mapping):
        content = content["state_dict"]
    if not isinstance(content, Mapping) or not content:
        raise BadInputError(
            f"{path}: holds {type(content).__name__}; a non-empty mapping of names to tensors is needed"
        )
    not_tensors = [
        Fault(path=str(name), problem=f"is of type {type(value).__name__}; a tensor is needed")
        for name, value in content.items()
        if not (isinstance(name, str) and isinstance(value, Tensor))
    ]
    if not_tensors:
        raise InvalidFileError(path, not_tensors)
    if all(name.startswith("module.") for name in content):
        return {name.removeprefix("module."): value for name, value in content.items()}
    return dict(content)


def _compare(state: Mapping[str, Tensor], expected: Mapping[str, Tensor]) -> list[Fault]:
    """All differences between the names and shapes of a file's tensors and of the model's."""
    faults = []
    for name, tensor in expected.items():
        wanted = f"{tuple(tensor.shape)}"
        if name in state and state[name].shape != tensor.shape:
            faults.append(Fault(path=name, problem=f"has shape {tuple(state[name].shape)}; the network's is {wanted}"))
        elif name not in state and name.rpartition(".")[2] != _OPTIONAL:
            faults.append(Fault(path=name, problem=f"missing from the file; the network has it with shape {wanted}"))
    faults += [
        Fault(path=name, problem="not in the network; check its name and arguments")
        for name in state
        if name not in expected
    ]
    return faults
