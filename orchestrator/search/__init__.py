"""The search for the smallest network that holds a tolerance: which compressions are tried, and as which sweeps. Pure.

Every round is an ordinary sweep; it is run in `commands.searching`.
"""

from orchestrator.search.bisection import Bisection
from orchestrator.search.sweeps import Searched, searched_methods, sweep_of

__all__ = ["Bisection", "Searched", "searched_methods", "sweep_of"]
