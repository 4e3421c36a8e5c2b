"""The errors that Orchard raises on purpose: each says where, what was found, what is allowed and what to do next."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from difflib import get_close_matches


class OrchardError(Exception):
    """Base of all errors that are reported to the user without a traceback."""


class BadInputError(OrchardError):
    """User input (a file, a name, a network, data) that cannot be used as it is."""


class UnfitMachineError(BadInputError):
    """This machine cannot compute a task as it was planned, for what it is or what lies on it; another one may."""


class BadNumericsError(OrchardError):
    """A computation gave NaN or infinity; running the task again would give the same."""


class BadNetworkError(OrchardError):
    """A network failed a gate, so its results would be misleading."""


class StoppedError(OrchardError):
    """A run was stopped before its end by something outside of it; the same command continues it."""

    exit_code = 3


class CancelledError(OrchardError):
    """The task stopped on request."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Fault:
    """One thing wrong in a file.

    Attributes:
        path: Where, in dotted form (`methods.l1.compressions[2]`); empty for the file as a whole.
        problem: What was found, what is allowed, what to do.
    """

    path: str
    problem: str

    def __str__(self) -> str:
        return f"{self.path}: {self.problem}" if self.path else self.problem


class InvalidFileError(BadInputError):
    """A file with faults: all of them, each with its path."""

    def __init__(self, source: str, faults: Sequence[Fault]) -> None:
        self.source = source
        self.faults = tuple(faults)
        count = "1 problem" if len(faults) == 1 else f"{len(faults)} problems"
        super().__init__("\n  ".join([f"{source}: {count}", *map(str, faults)]))


def nearest(name: str, known: Iterable[str]) -> str:
    """The last part of an error on an unknown name: the nearest known one, or all of them.

    Args:
        name: What was found.
        known: What is allowed.
    """
    known = sorted(known)
    close = get_close_matches(name, known, n=1, cutoff=0.6)
    if close:
        return f"did you mean '{close[0]}'?"
    return f"known: {', '.join(known)}" if known else "none is known here"
