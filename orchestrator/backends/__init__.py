"""Where tasks run: in this process, on a virtual clock, or on a Ray cluster. One protocol, one contract suite."""

from orchestrator.backends.base import Backend, NodeKind, Slots
from orchestrator.backends.inline import InlineBackend
from orchestrator.backends.simulated import SimulatedBackend

__all__ = ["Backend", "InlineBackend", "NodeKind", "SimulatedBackend", "Slots"]
