"""Runs attempts as Ray tasks."""

from orchestrator.backends.ray_cluster.backend import RayBackend

__all__ = ["RayBackend"]
