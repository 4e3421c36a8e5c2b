"""Checks the environment before a run.

`probe` and `cluster` collect facts, `checks` judges them, `examine` does both. Nothing is repaired.
"""

from orchestrator.doctor.examine import examine
from orchestrator.doctor.finding import Finding, Verdict

__all__ = ["Finding", "Verdict", "examine"]
