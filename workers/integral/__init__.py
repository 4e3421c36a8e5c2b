"""Integral networks: channels as samples of smooth functions, and functions sampled at other sizes.

Knows matrices along channel axes; knows no stage, no training recipe and no cluster.
"""

from workers.integral.interpolation import cubic_convolution, interpolation_matrix
from workers.integral.partition import nodes_from_delta, uniform_nodes
from workers.integral.quadrature import QUADRATURES, Quadrature
from workers.integral.resample import resample

__all__ = [
    "QUADRATURES",
    "Quadrature",
    "cubic_convolution",
    "interpolation_matrix",
    "nodes_from_delta",
    "resample",
    "uniform_nodes",
]
