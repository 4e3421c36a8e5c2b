"""Execution backends: this process, a virtual clock, or a Ray cluster. One protocol, one contract suite."""

from orchestrator.backends.base import Backend, NodeKind, Slots
from orchestrator.backends.inline import InlineBackend
from orchestrator.backends.simulated import SimulatedBackend

__all__ = ["Backend", "InlineBackend", "NodeKind", "SimulatedBackend", "Slots"]
