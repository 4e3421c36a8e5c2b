"""The reload gate: a fresh process that has only the files has to compute the same outputs, bit for bit.

Starting a process costs seconds, most of them for importing torch. So one is kept for as long as this process lives,
and forks one for each network.
"""

import json
import subprocess
import sys
from collections.abc import Mapping
from functools import cache
from threading import Lock
from typing import IO

import torch

from jobs.errors import BadNetworkError
from workers.gates.fresh import FILES, outputs_digest, read_answer, write_request

_one_at_a_time = Lock()


def check_reload(files: Mapping[str, bytes]) -> None:
    """Compare a network's outputs in a fresh process and here, both made from its files.

    Args:
        files: The files of a network artifact.

    Raises:
        BadNetworkError: The outputs differ, or the fresh process cannot make or run the network.
        OSError: The fresh process died.
    """
    contents = [files[name] for name in FILES]
    with _one_at_a_time:
        requests, answers = _fresh_processes()
        try:
            write_request(requests, {"path": sys.path, "threads": torch.get_num_threads()}, contents)
            answer = json.loads(read_answer(answers))
        except (BrokenPipeError, EOFError, ValueError):
            _fresh_processes.cache_clear()
            raise OSError("the process that reloads networks is gone; it is started again") from None
    if "died" in answer:  # killed, for example out of memory
        raise OSError(f"the process that reloads a network ended with status {answer['died']}")
    if "problem" in answer:
        raise BadNetworkError(f"a fresh process cannot use the network: {answer['problem']}")
    if answer["digest"] != outputs_digest(*contents):
        raise BadNetworkError(
            "reloaded in a fresh process, the network has other outputs; does it draw random numbers, or keep state "
            "outside of its parameters and buffers? `measure: {reload: false}` skips this check"
        )


@cache
def _fresh_processes() -> tuple[IO[bytes], IO[bytes]]:
    """Pipes for requests and answers of the server process, which ends with this process."""
    process = subprocess.Popen(
        [sys.executable, "-c", _START.format(path=sys.path)], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    )
    if process.stdin is None or process.stdout is None:
        raise OSError("the process that reloads networks has no pipes")
    return process.stdin, process.stdout


_START = "import sys; sys.path[:] = {path!r}; from workers.gates.fresh import serve; serve()"
