"""What a check says."""

from dataclasses import dataclass
from enum import StrEnum


class Verdict(StrEnum):
    """How bad it is."""

    OK = "ok"
    WARN = "warn"
    """A run may work; something is not as it should be, or could not be looked at."""
    FAIL = "fail"
    """A run will fail."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """The result of one check.

    Attributes:
        check: Its name.
        verdict: How bad it is.
        found: What was seen.
        remedy: What to do; empty where all is well.
    """

    check: str
    verdict: Verdict
    found: str
    remedy: str = ""


def ok(check: str, found: str) -> Finding:
    """All is well."""
    return Finding(check=check, verdict=Verdict.OK, found=found)


def warn(check: str, found: str, remedy: str) -> Finding:
    """It may go wrong."""
    return Finding(check=check, verdict=Verdict.WARN, found=found, remedy=remedy)


def fail(check: str, found: str, remedy: str) -> Finding:
    """It will go wrong."""
    return Finding(check=check, verdict=Verdict.FAIL, found=found, remedy=remedy)
