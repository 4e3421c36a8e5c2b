"""Orders of a group's channels: distances, the shortest-path solvers around OR-Tools, and their bounds."""

from workers.ordering.distances import DistanceMetric, pairwise_distances
from workers.ordering.methods import METHODS, Method, order_channels
from workers.ordering.path import Ordering, path_length
from workers.ordering.solve import solve_path

__all__ = [
    "METHODS",
    "DistanceMetric",
    "Method",
    "Ordering",
    "order_channels",
    "pairwise_distances",
    "path_length",
    "solve_path",
]
