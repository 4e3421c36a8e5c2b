"""Attempts as Ray tasks: the one place that runs anything on Ray."""

from orchestrator.backends.ray_cluster.backend import RayBackend

__all__ = ["RayBackend"]
