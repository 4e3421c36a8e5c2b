"""Atoms, the smallest pieces of channels, and their connected components.

An atom is one index of one axis of one parameter or buffer. Rules say which atoms are coupled and which have to stay;
this module records it and computes the connected components.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from workers.channels.layout import NOT_A_CHANNEL, Labels


@dataclass(frozen=True, slots=True, kw_only=True)
class Obstacle:
    """Why atoms have to stay: the operator, the module that calls it, and the reason in words.

    A quiet obstacle (the network's output) is not reported.
    """

    operator: str
    where: str
    reason: str
    quiet: bool = False


class Atoms:
    """Atoms joined pairwise, some of them fixed."""

    def __init__(self) -> None:
        self._count = 0
        self._left: list[Labels] = []
        self._right: list[Labels] = []
        self._fixed: list[tuple[Labels, Obstacle]] = []

    def fresh(self, size: int) -> Labels:
        """New atoms, one per index of an axis."""
        labels = np.arange(self._count, self._count + size, dtype=np.int64)
        self._count += size
        return labels

    def join(self, left: Labels, right: Labels, obstacle: Obstacle) -> Labels:
        """Joins two axes index by index and returns the labels of the result.

        An atom that meets an index which is not a channel has to stay, for the reason given by `obstacle`; the result
        has no channel there.
        """
        both = (left >= 0) & (right >= 0)
        self._left.append(left[both])
        self._right.append(right[both])
        self.fix(left[(left >= 0) & (right < 0)], obstacle)
        self.fix(right[(right >= 0) & (left < 0)], obstacle)
        return np.where(both, left, NOT_A_CHANNEL)

    def tie(self, table: Labels, obstacle: Obstacle) -> Labels:
        """Joins all labels in each row of a table (rows, columns) and returns one label per row."""
        first = table[:, 0]
        labels = first
        for column in table.T[1:]:
            if not np.array_equal(column, first):
                labels = self.join(labels, column, obstacle)
        return labels

    def fix(self, labels: Labels, obstacle: Obstacle) -> None:
        """Marks atoms that have to stay; indices that are not channels are ignored."""
        labels = labels[labels >= 0]
        if labels.size:
            self._fixed.append((labels, obstacle))

    def roots(self) -> Labels:
        """Per atom the smallest atom that it is joined with, directly or through others."""
        # It takes a second to be imported, and most tasks analyse no network.
        from scipy.sparse import coo_array
        from scipy.sparse.csgraph import connected_components

        left = np.concatenate([np.empty(0, dtype=np.int64), *self._left])
        right = np.concatenate([np.empty(0, dtype=np.int64), *self._right])
        joins = coo_array((np.ones(left.size), (left, right)), shape=(self._count, self._count))
        _, component = connected_components(joins, directed=False)
        _, smallest = np.unique(component, return_index=True)
        roots: Labels = smallest[component]
        return roots

    def obstacles(self, roots: Labels) -> tuple[Labels, list[Obstacle]]:
        """Per root the number of its obstacle, or -1, with the numbered list; quiet ones come last."""
        order = sorted(self._fixed, key=lambda entry: entry[1].quiet)
        known: dict[Obstacle, int] = {}
        found = np.full(self._count, NOT_A_CHANNEL, dtype=np.int64)
        for labels, obstacle in order:
            number = known.setdefault(obstacle, len(known))
            free = roots[labels]
            found[free[found[free] < 0]] = number
        return found, list(known)
