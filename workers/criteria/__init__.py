"""What a channel is worth. One file per criterion; each scores every unit of every channel group."""

from collections.abc import Mapping

from workers.criteria._base import Criterion
from workers.criteria.l1 import l1
from workers.criteria.random import random

CRITERIA: Mapping[str, Criterion] = {"l1": l1, "random": random}
"""The criteria that a sweep can name."""

__all__ = ["CRITERIA", "Criterion"]
