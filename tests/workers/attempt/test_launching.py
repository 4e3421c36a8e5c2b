"""Processes that train together fail together, and none outlives the first one."""

import multiprocessing
import os
import signal
import subprocess
import sys
from datetime import timedelta

import pytest
import torch
from further_processes import (
    average_late,
    average_of_own_number,
    die_while_joining,
    fail,
    fail_while_joining,
    run_machine,
)

from jobs.outcome import Cause
from jobs.resources import Resources
from workers.attempt.failures import LostProcessError, diagnose
from workers.attempt.launching import leading

TWO = Resources(processes=2)
TWO_MACHINES = Resources(processes=2, nodes=2)


class OtherMachine:
    """A process of its own that does what a further machine does."""

    host = "127.0.0.1"

    def __init__(self):
        self._results, results = multiprocessing.Pipe(duplex=False)
        self._start = lambda place, follow: multiprocessing.get_context("spawn").Process(
            target=run_machine, args=(results, place, follow)
        )

    def start(self, place, follow):
        self.process = self._start(place, follow)
        self.process.start()

    def lost(self, timeout_s):
        return self._results.recv() if self._results.poll(timeout_s) else None

    def end(self):
        self.process.kill()
        self.process.join()


PARENT = """
import multiprocessing, sys, time
sys.path[:] = {path!r}
import further_processes
multiprocessing.get_context("spawn").Process(target=further_processes.stay).start()
time.sleep(120)
"""


def test_the_failure_of_another_process_is_that_of_the_task():
    with pytest.raises(LostProcessError) as caught, leading(TWO, torch.device("cpu"), fail) as processes:
        processes.average([], torch.zeros(()))
    found = diagnose(caught.value)
    assert (found.cause, found.on_gpu) == (Cause.OUT_OF_MEMORY, True)
    assert found.message == "process 2 of 2: CUDA out of memory"
    assert "in fail" in caught.value.__notes__[0]  # where it happened
    assert multiprocessing.active_children() == []


def test_the_failure_of_a_process_that_is_about_to_join_is_that_of_the_task(monkeypatch):
    def joined(*_, **__):
        raise RuntimeError("Connection closed by peer")  # as gloo says it

    monkeypatch.setattr("workers.parallel.joined", joined)
    with pytest.raises(LostProcessError) as caught, leading(TWO, torch.device("cpu"), fail_while_joining):
        pass
    assert diagnose(caught.value).message == "process 2 of 2: CUDA out of memory"
    assert multiprocessing.active_children() == []


@pytest.mark.parametrize(("resources", "other"), [(TWO, None), (TWO_MACHINES, OtherMachine)])
def test_a_process_that_is_killed_as_it_joins_is_not_waited_for(monkeypatch, resources, other):
    monkeypatch.setattr("workers.parallel.processes._JOINING", timedelta(seconds=2))
    with (
        pytest.raises(LostProcessError) as caught,
        leading(resources, torch.device("cpu"), die_while_joining, other and other()),
    ):
        pass
    found = diagnose(caught.value)
    assert found.cause is Cause.TRANSIENT
    assert found.message.startswith("process 2 of 2 was killed by signal 9")
    assert multiprocessing.active_children() == []


def test_the_next_try_finds_its_processes(monkeypatch):
    with monkeypatch.context() as patch:
        patch.setattr("workers.parallel.processes._JOINING", timedelta(seconds=2))
        with pytest.raises(LostProcessError), leading(TWO, torch.device("cpu"), die_while_joining):
            pass
    with leading(TWO, torch.device("cpu"), average_of_own_number) as processes:
        assert processes.average([], torch.zeros(())) == 0.5


def test_how_long_others_are_waited_for_changes_once_they_have_joined(monkeypatch):
    monkeypatch.setattr("workers.parallel.processes._PATIENCE", timedelta(seconds=0.1))  # in this process
    with (
        pytest.raises(RuntimeError, match=r"(?i)timed out"),
        leading(TWO, torch.device("cpu"), average_late) as processes,
    ):
        processes.average([], torch.zeros(()))


def test_processes_of_two_machines_meet_at_a_port():
    with leading(TWO_MACHINES, torch.device("cpu"), average_of_own_number, OtherMachine()) as processes:
        assert processes.average([], torch.zeros(())) == 0.5


def test_what_fails_on_another_machine_is_the_failure_of_the_task():
    with (
        pytest.raises(LostProcessError) as caught,
        leading(TWO_MACHINES, torch.device("cpu"), fail, OtherMachine()) as processes,
    ):
        processes.average([], torch.zeros(()))
    assert diagnose(caught.value).message == "process 2 of 2: CUDA out of memory"
    assert "in fail" in caught.value.__notes__[0]


def test_a_process_ends_with_the_one_that_started_it_and_not_before():
    command = [sys.executable, "-c", PARENT.format(path=sys.path)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as parent:
        child = int(parent.stdout.readline())
        os.kill(child, signal.SIGTERM)
        os.kill(child, signal.SIGINT)
        os.kill(child, 0)  # it is still there
        parent.kill()
        assert parent.communicate(timeout=60) == ("", None)  # at its end nobody is left who could write
