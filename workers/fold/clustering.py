"""Ways to cluster the channels of a group into a given number of clusters, by scikit-learn.

Pure: channels are the rows of a matrix, in any order.
"""

from collections.abc import Mapping
from typing import Protocol, runtime_checkable

import numpy as np
import torch
from jaxtyping import Float, Int64
from torch import Tensor

_RESTARTS = 10
"""Runs of k-means from other centres, of which the best counts."""


@runtime_checkable
class Clustering(Protocol):
    """Chooses which channels become one."""

    def __call__(self, channels: Float[Tensor, "n d"], size: int, seed: int) -> Int64[Tensor, " n"]:
        """The cluster of each channel, by a number from 0 to `size` - 1; no cluster is empty.

        Args:
            channels: What is compared of each channel, a row per channel.
            size: Number of clusters, from 1 to n.
            seed: Of what is drawn.
        """


def kmeans(channels: Float[Tensor, "n d"], size: int, seed: int) -> Int64[Tensor, " n"]:
    """Least sum of squared distances from the clusters' means, from several random starts. See `Clustering`.

    Channels that are equal can leave it fewer clusters than were asked for; then Ward's are taken.

    Source: Wang et al. 2025, "Forget the Data and Fine-Tuning! Just Fold the Network to Compress", section 3.
    """
    from sklearn.cluster import KMeans

    rows = channels.double().cpu().numpy()
    if size == len(rows) or len(np.unique(rows, axis=0)) < size:
        return ward(channels, size, seed)
    found = KMeans(n_clusters=size, n_init=_RESTARTS, random_state=seed).fit_predict(rows)
    labels = torch.from_numpy(found).to(torch.int64)
    return labels if len(labels.unique()) == size else ward(channels, size, seed)


def ward(channels: Float[Tensor, "n d"], size: int, seed: int) -> Int64[Tensor, " n"]:
    """Joins the two clusters that add least to that sum, again and again; draws nothing. See `Clustering`.

    Source: Ward 1963.
    """
    return _agglomerated(channels, size, linkage="ward", metric="euclidean")


def cosine(channels: Float[Tensor, "n d"], size: int, seed: int) -> Int64[Tensor, " n"]:
    """Joins the two clusters with the largest mean cosine, whatever their lengths; draws nothing. See `Clustering`.

    Source: Chen et al. 2024, "Going Beyond Neural Network Feature Similarity: The Network Feature Complexity and Its
    Interpretation Using Category Theory": iterative feature merging. Stops at a number of clusters, not at a cosine.
    """
    return _agglomerated(channels, size, linkage="average", metric="cosine")


CLUSTERINGS: Mapping[str, Clustering] = {"kmeans": kmeans, "ward": ward, "cosine": cosine}
"""The clusterings that a sweep can name."""


def joining_errors(channels: Float[Tensor, "n d"]) -> Float[Tensor, " n"]:
    """Sum of squared distances of all channels from the means of their clusters, after k of Ward's joins.

    Args:
        channels: A row per channel.
    """
    from sklearn.cluster import ward_tree

    if len(channels) == 1:
        return torch.zeros(1, dtype=torch.float64)
    distances = ward_tree(channels.double().cpu().numpy(), return_distance=True)[-1]
    costs = torch.from_numpy(distances).double().square() / 2  # a distance is the root of twice what a join adds
    return torch.cat([costs.new_zeros(1), costs.cumsum(0)])


def _agglomerated(channels: Float[Tensor, "n d"], size: int, *, linkage: str, metric: str) -> Int64[Tensor, " n"]:
    from sklearn.cluster import AgglomerativeClustering

    rows = channels.double().cpu()
    if len(rows) == 1:
        return torch.zeros(1, dtype=torch.int64)
    if metric == "cosine":  # channels without any entry have no direction
        rows = torch.where(rows.any(1, keepdim=True), rows, torch.ones_like(rows))
    clustering = AgglomerativeClustering(n_clusters=size, linkage=linkage, metric=metric)
    return torch.from_numpy(clustering.fit_predict(rows.numpy())).to(torch.int64)
