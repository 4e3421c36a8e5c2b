"""What usually goes wrong before a run, found before the run.

`look` and `cluster` collect facts, `checks` judges them and looks at nothing itself, `examine` does both. Repairs
nothing.
"""

from orchestrator.doctor.examine import examine
from orchestrator.doctor.finding import Finding, Verdict

__all__ = ["Finding", "Verdict", "examine"]
