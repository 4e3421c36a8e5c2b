"""Reads files of tensors: safetensors, and what torch.save wrote, unpickled with weights_only so that it runs no code.

A file that holds something else is named as what it is.
"""

import argparse
import io
import pickle
import zipfile
from collections.abc import Callable
from pathlib import PurePosixPath
from typing import cast

import fsspec
import numpy as np
import safetensors.torch
import torch

from jobs.errors import BadInputError
from workers.reading import unreadable

_TORCH = (".pt", ".pth", ".ckpt", ".bin", ".tar")
ENDINGS = (".safetensors", *_TORCH)
"""Endings of checkpoints."""

_MOST_EXPANSION, _SLACK_BYTES = 4, 2**20
"""How much larger than the file its contents may be, as its directory says, before anything of them is read."""

_SAVE = "Save model.state_dict() as safetensors where the file comes from"
_COPY = "it may be cut off: copy it again"

_SCALAR = cast(Callable[..., object], np.float64(0).__reduce__()[0])  # private, and moved between versions of numpy

_HARMLESS: list[Callable[..., object] | tuple[Callable[..., object], str]] = [
    argparse.Namespace,
    np.dtype,
    type(np.dtype(np.float32)),
    type(np.dtype(np.float64)),
    type(np.dtype(np.int64)),
    (_SCALAR, "numpy.core.multiarray.scalar"),
    (_SCALAR, "numpy._core.multiarray.scalar"),
]
"""What training scripts put beside tensors (their arguments, a best accuracy), and what cannot run code."""


def read_checkpoint(path: str) -> object:
    """The content of a file on the CPU, of a .safetensors its tensors by name.

    Args:
        path: A local path or any URI that fsspec opens.

    Raises:
        BadInputError: The file is not there, has another ending, is empty, cut off or damaged, is a program or a
            pickle of Python objects.
        OSError: The system could not read it now.
    """
    ending = PurePosixPath(path).suffix
    if ending not in ENDINGS:
        raise BadInputError(f"{path}: ends in '{ending}'; weights are read from {', '.join(ENDINGS)} files")
    try:
        with fsspec.open(path, "rb") as file:
            content: bytes = file.read()
    except (OSError, ValueError, ImportError) as error:
        raise unreadable(error, f"{path}: cannot be opened ({error}); name a file that the workers can read") from error
    if said := _no_checkpoint(content):
        raise BadInputError(f"{path}: {said}")
    try:
        return safetensors.torch.load(content) if ending == ".safetensors" else _unpickled(content)
    except pickle.UnpicklingError as error:
        raise BadInputError(
            f"{path}: refused: it is damaged or holds Python objects{_objects(content)}, which could run code; only "
            f"tensors are loaded. {_SAVE}."
        ) from error
    except MemoryError:
        raise
    except Exception as error:  # a damaged pickle can raise anything
        raise BadInputError(f"{path}: not a readable '{ending}' file ({error}); {_COPY}") from error


def _unpickled(content: bytes) -> object:
    with torch.serialization.safe_globals(_HARMLESS):
        return torch.load(io.BytesIO(content), map_location="cpu", weights_only=True)


def _no_checkpoint(content: bytes) -> str | None:
    """What a file is in the place of a checkpoint, and what to do; None where it may be one."""
    if not content:
        return "is empty; copy it again"
    if content.startswith(b"version https://git-lfs"):
        return "is a pointer of Git LFS; fetch the file itself (git lfs pull)"
    if content[:200].lstrip().lower().startswith((b"<!doctype html", b"<html")):
        return "is a web page, such as a download's page of consent; fetch the file itself"
    if not content.startswith(b"PK\x03\x04"):
        return None
    try:
        with zipfile.ZipFile(io.BytesIO(content)) as archive:
            names = archive.namelist()
            size = sum(entry.file_size for entry in archive.infolist())
    except zipfile.BadZipFile:
        return f"not a readable archive of torch.save: {_COPY}"
    if size > _MOST_EXPANSION * len(content) + _SLACK_BYTES:
        return (
            f"would take {size / 1e9:.1f} GB when it is read, {size // len(content)} times its size; torch.save does "
            f"not compress. {_SAVE}."
        )
    if any(name.endswith("/constants.pkl") for name in names):
        return f"is a TorchScript program, torch.jit.load(FILE). {_SAVE}."
    if any(name.endswith(("archive_format", "serialized_exported_program.json")) for name in names):
        return f"is a program of torch.export, torch.export.load(FILE). {_SAVE}."
    return None


def _objects(content: bytes) -> str:
    """The names of classes and functions that a file of torch.save would need, read without running it."""
    try:
        with torch.serialization.safe_globals(_HARMLESS):
            found = torch.serialization.get_unsafe_globals_in_checkpoint(io.BytesIO(content))
    except Exception:  # it is damaged
        return ""
    return f" ({', '.join(found[:3])}{', ...' if len(found) > 3 else ''})" if found else ""
