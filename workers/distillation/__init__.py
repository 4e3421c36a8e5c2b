"""Distillation: what a smaller network learns from the dense one while it is trained or tuned."""

from workers.distillation._teacher import Teacher

__all__ = ["Teacher"]
