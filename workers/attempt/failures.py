"""Diagnoses the exception of a failed attempt: a cause, and one line for people.

The scheduler decides what follows from a cause.
"""

import errno
from dataclasses import dataclass

from jobs.artifact import CorruptArtifactError, MissingArtifactError
from jobs.errors import BadInputError, BadNetworkError, BadNumericsError, CancelledError, UnfitMachineError
from jobs.outcome import Cause
from jobs.secrets import mask

_GPU_MEMORY = ("CUDA error: out of memory", "CUBLAS_STATUS_ALLOC_FAILED", "CUDNN_STATUS_ALLOC_FAILED")
"""Messages of the libraries below torch when a GPU's memory is full."""

_GPU_BROKEN = (
    *(
        f"CUDA error: {said}"
        for said in (
            "device-side assert triggered",
            "an illegal memory access was encountered",
            "an illegal instruction was encountered",
            "misaligned address",
            "operation not supported on global/shared address space",
            "invalid program counter",
            "unspecified launch failure",
            "the launch timed out and was terminated",
            "hardware stack error",
            "uncorrectable ECC error encountered",
            "uncorrectable NVLink error detected during the execution",
            "unknown error",
            "no CUDA-capable device is detected",
            "CUDA-capable device(s) is/are busy or unavailable",
            "no kernel image is available for execution on the device",
        )
    ),
    "CUDA unknown error",
    "CUBLAS_STATUS_EXECUTION_FAILED",
    "CUDNN_STATUS_EXECUTION_FAILED",
)
"""Messages after which a process can compute nothing more on its GPU: of a device that fails or was lost, and of
kernels that broke the process's context (errors that NVIDIA calls sticky)."""

_HOST_MEMORY = "can't allocate memory"
"""torch's message when the CPU's memory is full, in a RuntimeError."""

_READER_LOST = "DataLoader worker (pid"
"""torch's message when a process that reads data was killed: as a rule the system was out of memory."""

_DISK_FULL = {errno.ENOSPC, errno.EDQUOT}


@dataclass(frozen=True, slots=True, kw_only=True)
class Diagnosis:
    """The diagnosis of an exception.

    Attributes:
        cause: Why the attempt failed.
        message: One line for people.
        on_gpu: It was the GPU's memory that ran out.
        sticky: Whatever this process computes next on its GPU fails, too.
        damaged: Key of the artifact to compute again.
    """

    cause: Cause
    message: str
    on_gpu: bool = False
    sticky: bool = False
    damaged: str = ""


class LostProcessError(Exception):
    """Another process that trains together with this one has failed.

    Args:
        diagnosis: Why.
        trace: Its traceback.
    """

    def __init__(self, diagnosis: Diagnosis, trace: str = "") -> None:
        super().__init__(diagnosis.message)
        self.diagnosis, self._trace = diagnosis, trace
        if trace:
            self.add_note(trace)

    def __reduce__(self) -> tuple[type["LostProcessError"], tuple[Diagnosis, str]]:
        """It is sent between machines."""
        return LostProcessError, (self.diagnosis, self._trace)


def diagnose(error: BaseException) -> Diagnosis:
    """Diagnose an exception; its message has its notes, and secrets in it are masked."""
    message = mask("; ".join([str(error) or type(error).__name__, *getattr(error, "__notes__", ())]))
    match error:
        case LostProcessError():
            return error.diagnosis
        case UnfitMachineError():
            return Diagnosis(cause=Cause.UNFIT_MACHINE, message=message)
        case BadInputError():
            return Diagnosis(cause=Cause.BAD_INPUT, message=message)
        case BadNumericsError():
            return Diagnosis(cause=Cause.BAD_NUMERICS, message=message)
        case BadNetworkError():
            return Diagnosis(cause=Cause.BAD_NETWORK, message=message)
        case CancelledError():
            return Diagnosis(cause=Cause.CANCELLED, message=message)
        case CorruptArtifactError():
            return Diagnosis(cause=Cause.CORRUPT, message=message, damaged=error.key)
        case MissingArtifactError():
            return Diagnosis(cause=Cause.TRANSIENT, message=message)
        case SystemExit():
            ended = f"code that it runs ends Python (sys.exit with {message}); let it raise an error instead"
            return Diagnosis(cause=Cause.BAD_INPUT, message=ended)
        case MemoryError():
            return Diagnosis(cause=Cause.OUT_OF_MEMORY, message=message)
        case OSError():
            return _diagnose_system(error, message)
    # torch's own error, by name so that this module need not import torch.
    if type(error).__name__ == "OutOfMemoryError" or any(words in message for words in _GPU_MEMORY):
        return Diagnosis(cause=Cause.OUT_OF_MEMORY, message=message, on_gpu=True)
    if any(words in message for words in _GPU_BROKEN):
        return Diagnosis(cause=Cause.UNFIT_MACHINE, message=message, sticky=True)
    if _HOST_MEMORY in message:
        return Diagnosis(cause=Cause.OUT_OF_MEMORY, message=message)
    if _READER_LOST in message:
        advice = "is the machine, or its /dev/shm, out of memory? lower data.workers; it will be tried again"
        return Diagnosis(cause=Cause.TRANSIENT, message=f"a process that reads the data ended ({message}): {advice}")
    return Diagnosis(cause=Cause.BUG, message=f"{type(error).__name__}: {message}")


def _diagnose_system(error: OSError, message: str) -> Diagnosis:
    if error.errno == errno.ENOMEM:
        return Diagnosis(cause=Cause.OUT_OF_MEMORY, message=message)
    if error.errno in _DISK_FULL:
        place = error.filename or "the store or the worker's temporary folder (the system does not say which)"
        return Diagnosis(cause=Cause.TRANSIENT, message=f"no space left in {place}: make room; it will be tried again")
    return Diagnosis(cause=Cause.TRANSIENT, message=message)
