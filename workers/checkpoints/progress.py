"""The progress of a computation, as tensors and a record, and its encoding as bytes. No pickles."""

import json
from collections.abc import Mapping
from dataclasses import dataclass

import safetensors
import safetensors.torch
from torch import Tensor

from jobs.identity import Parsed

_FORMAT = 1
"""Version of the encoding, to be raised when it changes: checkpoints of another version are ignored."""


class UnfitProgressError(ValueError):
    """A checkpoint is damaged, or belongs to another computation."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Progress:
    """The state that the rest of a computation depends on.

    Attributes:
        where: For people, e.g. `epoch 3, step 5 of 20`.
        tensors: Part (no slash in it) -> name -> tensor.
        record: Plain values beside them.
    """

    where: str
    tensors: Mapping[str, Mapping[str, Tensor]]
    record: Parsed


def encode(progress: Progress) -> bytes:
    """One safetensors blob; its metadata hold the record as JSON."""
    # Clones, since safetensors refuses tensors that share memory, as tied weights do.
    tensors = {
        f"{part}/{name}": tensor.detach().cpu().contiguous().clone()
        for part, named in progress.tensors.items()
        for name, tensor in named.items()
    }
    head = {"format": _FORMAT, "where": progress.where, "parts": list(progress.tensors), "record": progress.record}
    return safetensors.torch.save(tensors, metadata={"progress": json.dumps(head)})


def decode(content: bytes) -> Progress:
    """The progress from the result of `encode`, on the CPU.

    Raises:
        UnfitProgressError: It is torn, damaged, or in another format.
    """
    try:
        flat = safetensors.torch.load(content)
        # The layout of safetensors: the header's length in eight bytes, then the header as JSON.
        header = json.loads(content[8 : 8 + int.from_bytes(content[:8], "little")])
        head = json.loads(header["__metadata__"]["progress"])
        if head["format"] != _FORMAT:
            raise UnfitProgressError(f"it has format {head['format']}; {_FORMAT} is read")
        tensors: dict[str, dict[str, Tensor]] = {part: {} for part in head["parts"]}
        for path, tensor in flat.items():
            part, _, name = path.partition("/")
            tensors[part][name] = tensor
        return Progress(where=head["where"], tensors=tensors, record=head["record"])
    except (safetensors.SafetensorError, LookupError, TypeError, ValueError) as error:
        if isinstance(error, UnfitProgressError):
            raise
        raise UnfitProgressError(f"it is damaged ({error})") from error


def check_fit(part: str, found: Mapping[str, Tensor], wanted: Mapping[str, Tensor]) -> None:
    """Raise UnfitProgressError unless two sets of tensors agree in names, shapes and types.

    Args:
        part: Their name, for the message.
        found: Tensors of a checkpoint.
        wanted: Tensors that they would be copied into.
    """
    if found.keys() != wanted.keys():
        raise UnfitProgressError(
            f"its {part}: it or the computation lacks {', '.join(sorted(found.keys() ^ wanted.keys()))}"
        )
    for name, tensor in wanted.items():
        kept = found[name]
        if (kept.shape, kept.dtype) != (tensor.shape, tensor.dtype):
            raise UnfitProgressError(
                f"its {part} has '{name}' as {kept.dtype} {tuple(kept.shape)}; "
                f"{tensor.dtype} {tuple(tensor.shape)} fits"
            )
