"""Hands out the networks behind a sweep's points: as modules, and as folders that need no Orchard."""

from orchestrator.export.chosen import ChosenNetwork, read_network

__all__ = ["ChosenNetwork", "read_network"]
