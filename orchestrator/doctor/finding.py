"""Findings: the results of checks."""

from dataclasses import dataclass
from enum import StrEnum


class Verdict(StrEnum):
    """The severity of a finding."""

    OK = "ok"
    WARN = "warn"
    """A run may work; something is wrong or could not be checked."""
    FAIL = "fail"
    """A run will fail."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """The result of one check.

    Attributes:
        check: The name of the check.
        verdict: Its severity.
        found: What was found.
        remedy: What to do; empty for OK.
    """

    check: str
    verdict: Verdict
    found: str
    remedy: str = ""


def ok(check: str, found: str) -> Finding:
    """A finding without a problem."""
    return Finding(check=check, verdict=Verdict.OK, found=found)


def warn(check: str, found: str, remedy: str) -> Finding:
    """A finding that may make a run fail."""
    return Finding(check=check, verdict=Verdict.WARN, found=found, remedy=remedy)


def fail(check: str, found: str, remedy: str) -> Finding:
    """A finding that will make a run fail."""
    return Finding(check=check, verdict=Verdict.FAIL, found=found, remedy=remedy)
