"""Integral networks: channels as samples of smooth functions, and functions sampled at other sizes.

Independent of stages, training recipes and the cluster.
"""

from workers.integral.interpolation import interpolation_matrix
from workers.integral.kernels import cubic_convolution
from workers.integral.partition import PARTITIONS, Partition, cells_of, nodes_of
from workers.integral.quadrature import QUADRATURES, Quadrature
from workers.integral.resample import choose_cells, resample

__all__ = [
    "PARTITIONS",
    "QUADRATURES",
    "Partition",
    "Quadrature",
    "cells_of",
    "choose_cells",
    "cubic_convolution",
    "interpolation_matrix",
    "nodes_of",
    "resample",
]
