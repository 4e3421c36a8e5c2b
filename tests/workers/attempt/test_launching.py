"""Processes that train together fail together, and none outlives the first one."""

import multiprocessing
import os
import signal
import subprocess
import sys

import pytest
import torch
from further_processes import fail

from jobs.outcome import Cause
from workers.attempt.failures import LostProcessError, diagnose
from workers.attempt.launching import leading

PARENT = """
import multiprocessing, sys, time
sys.path[:] = {path!r}
import further_processes
multiprocessing.get_context("spawn").Process(target=further_processes.stay).start()
time.sleep(120)
"""


def test_the_failure_of_another_process_is_that_of_the_task():
    with pytest.raises(LostProcessError) as caught, leading(2, torch.device("cpu"), fail) as processes:
        processes.average([], torch.zeros(()))
    found = diagnose(caught.value)
    assert (found.cause, found.on_gpu) == (Cause.OUT_OF_MEMORY, True)
    assert found.message == "process 2 of 2: CUDA out of memory"
    assert "in fail" in caught.value.__notes__[0]  # where it happened
    assert multiprocessing.active_children() == []


def test_a_process_ends_with_the_one_that_started_it_and_not_before():
    command = [sys.executable, "-c", PARENT.format(path=sys.path)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as parent:
        child = int(parent.stdout.readline())
        os.kill(child, signal.SIGTERM)
        os.kill(child, signal.SIGINT)
        os.kill(child, 0)  # it is still there
        parent.kill()
        assert parent.communicate(timeout=60) == ("", None)  # at its end nobody is left who could write
