"""What further processes do in tests of how they are started: little is imported for it."""

import os
import time

from workers.attempt.launching import end_with_parent_only


def fail(number, join):
    """The machine has too little memory."""
    import torch

    with join(torch.device("cpu")):
        raise torch.OutOfMemoryError("CUDA out of memory")


def stay():
    """Outlast signals to the whole job, but not the process that started this one."""
    end_with_parent_only()
    print(os.getpid(), flush=True)
    time.sleep(120)
