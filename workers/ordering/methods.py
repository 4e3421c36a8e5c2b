"""Ways to order a group's channels, by name; what the order stage calls.

This module refuses to know models, groups and files: it sees the slices' values.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Literal

import numpy as np
from jaxtyping import Float
from torch import Tensor

from workers.ordering.bounds import held_karp_bound
from workers.ordering.distances import Metric, pairwise_distances
from workers.ordering.effort import Effort, limits
from workers.ordering.path import Matrix, Ordering, canonical, checked, path_length
from workers.ordering.solve import _ordering, solve_path

Method = Literal["tsp", "identity", "random"]
