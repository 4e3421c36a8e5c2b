import errno

import numpy as np
import pytest
import torch

from jobs.artifact import CorruptArtifactError, MissingArtifactError
from jobs.errors import BadInputError, BadNumericsError, CancelledError, InvalidFileError, UnfitMachineError
from jobs.outcome import Cause
from workers.attempt.failures import diagnose
from workers.factories import running

CAUSES = [
    (BadInputError("no such layer"), Cause.BAD_INPUT),
    (InvalidFileError("net.pt", []), Cause.BAD_INPUT),
    (UnfitMachineError("no GPU"), Cause.UNFIT_MACHINE),
    (BadNumericsError("the loss is nan"), Cause.BAD_NUMERICS),
    (CancelledError("stopped"), Cause.CANCELLED),
    (SystemExit(0), Cause.BAD_INPUT),
    (MemoryError(), Cause.OUT_OF_MEMORY),
    (OSError(errno.ENOMEM, "Cannot allocate memory"), Cause.OUT_OF_MEMORY),
    (torch.OutOfMemoryError("CUDA out of memory"), Cause.OUT_OF_MEMORY),
    (MissingArtifactError("it has no such file"), Cause.TRANSIENT),
    (CorruptArtifactError("another digest", key="ab"), Cause.CORRUPT),
    (ConnectionResetError("peer"), Cause.TRANSIENT),
    (TimeoutError("slow disk"), Cause.TRANSIENT),
    (RuntimeError("DataLoader worker (pid 7) is killed by signal: Killed."), Cause.TRANSIENT),
    (RuntimeError("shapes"), Cause.BUG),
    (KeyError("role"), Cause.BUG),
    (AssertionError(), Cause.BUG),
]


@pytest.mark.parametrize(("error", "cause"), CAUSES, ids=[type(error).__name__ for error, _ in CAUSES])
def test_every_exception_stands_for_a_cause_and_says_something(error, cause):
    diagnosis = diagnose(error)
    assert diagnosis.cause is cause
    assert diagnosis.message


def test_what_code_of_the_user_raises_says_where_and_keeps_its_cause():
    with pytest.raises(OSError, match="broken picture") as caught, running("in sample 3 of train"):
        raise OSError("broken picture")
    diagnosis = diagnose(caught.value)
    assert (diagnosis.cause, diagnosis.message) == (Cause.TRANSIENT, "broken picture; in sample 3 of train")


def test_a_damaged_artifact_is_named():
    assert diagnose(CorruptArtifactError("another digest", key="ab")).damaged == "ab"


@pytest.mark.parametrize(
    "error",
    [
        torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 20.00 MiB"),
        RuntimeError("CUDA error: out of memory"),
        RuntimeError("CUDA error: CUBLAS_STATUS_ALLOC_FAILED when calling `cublasCreate(handle)`"),
        RuntimeError("cuDNN error: CUDNN_STATUS_ALLOC_FAILED"),
    ],
)
def test_memory_of_the_gpu_is_told_from_that_of_the_machine(error):
    diagnosis = diagnose(error)
    assert (diagnosis.cause, diagnosis.on_gpu) == (Cause.OUT_OF_MEMORY, True)


@pytest.mark.parametrize("ask", [lambda: torch.empty(2**60), lambda: np.empty(2**58), lambda: bytearray(2**60)])
def test_memory_that_the_machine_really_lacks(ask):
    with pytest.raises((RuntimeError, MemoryError)) as caught:
        ask()
    diagnosis = diagnose(caught.value)
    assert (diagnosis.cause, diagnosis.on_gpu) == (Cause.OUT_OF_MEMORY, False)


@pytest.mark.parametrize("number", [errno.ENOSPC, errno.EDQUOT])
def test_a_full_disk_may_pass_and_names_the_place(number):
    known = diagnose(OSError(number, "No space left on device", "/data/store/x"))
    assert (known.cause, known.message) == (
        Cause.TRANSIENT,
        "no space left in /data/store/x: make room; it will be tried again",
    )
    unknown = diagnose(OSError(number, "No space left on device"))
    assert "the store or the worker's temporary folder" in unknown.message


def test_a_disk_that_is_really_full():
    with open("/dev/full", "wb", buffering=0) as full, pytest.raises(OSError, match="No space left") as caught:
        full.write(b"x")
    assert diagnose(caught.value).message.startswith("no space left in the store or")


def test_the_message_of_a_bug_names_the_exception():
    assert diagnose(KeyError("role")).message == "KeyError: 'role'"
    assert diagnose(AssertionError()).message == "AssertionError: AssertionError"


@pytest.mark.parametrize(
    ("message", "sticky"),
    [
        ("CUDA error: device-side assert triggered\nSearch for `cudaErrorAssert'", True),
        ("CUDA error: an illegal memory access was encountered", True),
        ("CUDA error: no CUDA-capable device is detected", True),
        ("CUDA error: CUBLAS_STATUS_EXECUTION_FAILED when calling `cublasSgemm`", True),
        ("CUDA error: invalid argument", False),
    ],
)
def test_errors_that_stay_with_the_process_are_told_from_those_of_one_call(message, sticky):
    diagnosis = diagnose(RuntimeError(message))
    assert (diagnosis.cause is Cause.UNFIT_MACHINE, diagnosis.sticky) == (sticky, sticky)
