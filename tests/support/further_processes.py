"""What further processes do in tests of how they are started: little is imported for it."""

import os
import signal
import time

from workers.attempt.launching import accompany, end_with_parent_only


def fail(number, join):
    """The machine has too little memory."""
    import torch

    with join(torch.device("cpu")):
        raise torch.OutOfMemoryError("CUDA out of memory")


def fail_while_joining(number, join):
    """It was ready, and never arrives."""
    import torch

    import workers.parallel

    def joined(*_, **__):
        raise torch.OutOfMemoryError("CUDA out of memory")

    workers.parallel.joined = joined
    with join(torch.device("cpu")):
        pass


def die_while_joining(number, join):
    """It was ready, and is killed before the others have its address."""
    import torch

    import workers.parallel

    workers.parallel.joined = lambda *_, **__: os.kill(os.getpid(), signal.SIGKILL)
    with join(torch.device("cpu")):
        pass


def average_of_own_number(number, join):
    """Brings its own number to the average, and what others bring."""
    import torch

    with join(torch.device("cpu")) as processes:
        processes.average([], torch.tensor(float(number)))


def average_late(number, join):
    """Comes to the average only after a while."""
    import torch

    with join(torch.device("cpu")) as processes:
        time.sleep(3)
        processes.average([], torch.tensor(float(number)))


def run_machine(results, place, follow):
    """What a second machine with one of two processes does; it says why that failed, if it did."""
    if lost := accompany(range(1, 2), 2, place, follow):
        results.send(lost)


def stay():
    """Outlast signals to the whole job, but not the process that started this one."""
    end_with_parent_only()
    print(os.getpid(), flush=True)
    time.sleep(120)
