"""Reference orders, not optimised for length, which the shortest path is compared with."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from types import MappingProxyType

import numpy as np
import torch
from jaxtyping import Float, Float64, Int
from torch import Tensor

from workers.ordering.path import Matrix

Reference = Callable[[Sequence[Tensor], Matrix, int], "Int[np.ndarray, ' n']"]


def identity(slices: Sequence[Float[Tensor, "n ..."]], distances: Matrix, seed: int) -> Int[np.ndarray, " n"]:
    """The original order of the channels."""
    return np.arange(len(distances))


def random(slices: Sequence[Float[Tensor, "n ..."]], distances: Matrix, seed: int) -> Int[np.ndarray, " n"]:
    """A random order."""
    return np.random.default_rng(seed).permutation(len(distances))


def by_norm(slices: Sequence[Float[Tensor, "n ..."]], distances: Matrix, seed: int) -> Int[np.ndarray, " n"]:
    """From the channel whose slices have the least l1 norm, summed over slices, to the one with the most."""
    norms = sum(matrix.detach().double().abs().flatten(1).sum(1) for matrix in _as_matrices(slices))
    return np.asarray(torch.as_tensor(norms).cpu().argsort(stable=True).numpy())


def spectral(slices: Sequence[Float[Tensor, "n ..."]], distances: Matrix, seed: int) -> Int[np.ndarray, " n"]:
    """Channels by their entries in the Fiedler vector of the graph of their similarities (Atkins et al. 1998).

    Similarity is a Gaussian of the distance whose width is the median distance; the graph is complete, so that its
    Laplacian has the eigenvalue 0 once. Equal entries (up to rounding) go by index. Equal channels keep their
    order.
    """
    n = len(distances)
    between = distances[np.triu_indices(n, 1)]
    width = float(np.median(between)) if n > 1 else 0.0
    width = width or float(distances.max())
    if width == 0:
        return np.arange(n)
    fiedler = _fiedler(np.exp(-((distances / width) ** 2)))
    return np.argsort(fiedler.round(12), kind="stable")


def _fiedler(similarities: Float64[np.ndarray, "n n"]) -> Float64[np.ndarray, " n"]:
    """The eigenvector of the Laplacian's second smallest eigenvalue; its entry of largest magnitude is positive."""
    laplacian = np.diag(similarities.sum(1)) - similarities
    vector = np.linalg.eigh(laplacian).eigenvectors[:, 1]
    return np.asarray(vector * np.sign(vector[np.abs(vector).argmax()]))


def _as_matrices(slices: Sequence[Tensor]) -> list[Float[Tensor, "n _"]]:
    return [tensor.reshape(len(tensor), -1) for tensor in slices if tensor.numel()]


REFERENCES: Mapping[str, Reference] = MappingProxyType(
    {"identity": identity, "random": random, "norm": by_norm, "spectral": spectral}
)
"""The orders that a sweep can name besides the shortest path."""
