"""The server process of the reload gate: makes a network from its files and returns a digest of its outputs.

It imports what is needed, computes nothing itself, and forks for every request.
"""

import json
import os
import struct
import sys
from collections.abc import Mapping, Sequence
from hashlib import sha256
from typing import IO

import torch
from safetensors.torch import load

from workers.artifacts import RECIPE_FILE, WEIGHTS_FILE
from workers.channels import dtype_of, outputs_of
from workers.network import NetworkRecipe, rebuild

FILES = (RECIPE_FILE, WEIGHTS_FILE)
"""The files of a network artifact that the network is rebuilt from."""

_LENGTH = struct.Struct("<Q")


def outputs_digest(recipe: bytes, weights: bytes) -> str:
    """SHA-256 of a network's outputs, and those of its prunable parts, on two fixed random samples of its own type.

    Args:
        recipe: `network.json`.
        weights: `weights.safetensors`.
    """
    parsed = NetworkRecipe.from_json(recipe)
    network = rebuild(parsed, load(weights))
    inputs = parsed.inputs.draw(2, torch.Generator().manual_seed(0), dtype_of(network))
    with torch.inference_mode():
        outputs = outputs_of(network, inputs, parsed.parts)
    # NumPy has no bfloat16.
    return sha256(b"".join(each.flatten().view(torch.uint8).numpy().tobytes() for each in outputs)).hexdigest()


def write_request(stream: IO[bytes], settings: Mapping[str, object], contents: Sequence[bytes]) -> None:
    """Send a request to the server process."""
    for part in (json.dumps(settings).encode(), *contents):
        stream.write(_LENGTH.pack(len(part)))
        stream.write(part)
    stream.flush()


def read_answer(stream: IO[bytes]) -> bytes:
    """Read one part of a request or an answer.

    Raises:
        EOFError: The other process has ended.
    """
    head = stream.read(_LENGTH.size)
    if len(head) < _LENGTH.size:
        raise EOFError
    (length,) = _LENGTH.unpack(head)
    return stream.read(length)


def serve() -> None:
    """Answer requests from standard input until it ends; prints of a network go to standard error."""
    requests, answers = sys.stdin.buffer, os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)
    while True:
        try:
            settings, *contents = (read_answer(requests) for _ in range(1 + len(FILES)))
        except (EOFError, KeyboardInterrupt):
            return
        answer = _in_a_fork(json.loads(settings), contents)
        answers.write(_LENGTH.pack(len(answer)))
        answers.write(answer)
        answers.flush()


def _in_a_fork(settings: Mapping[str, object], contents: Sequence[bytes]) -> bytes:
    read_end, write_end = os.pipe()
    child = os.fork()
    if child == 0:
        os.close(read_end)
        with os.fdopen(write_end, "wb") as answer:
            answer.write(json.dumps(_answer(settings, contents)).encode())
        os._exit(0)
    os.close(write_end)
    with os.fdopen(read_end, "rb") as answer:
        text = answer.read()
    _, status = os.waitpid(child, 0)
    return text or json.dumps({"died": os.waitstatus_to_exitcode(status)}).encode()


def _answer(settings: Mapping[str, object], contents: Sequence[bytes]) -> dict[str, str]:
    try:
        sys.path[:] = list(settings["path"])  # type: ignore[call-overload]  # JSON: a list of strings
        torch.set_num_threads(int(settings["threads"]))  # type: ignore[call-overload]  # JSON: a number
        return {"digest": outputs_digest(*contents)}
    except Exception as error:  # the user's network may raise anything
        return {"problem": f"{type(error).__name__}: {error}"}
