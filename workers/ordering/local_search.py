"""Local search on open paths: nearest neighbour, 2-opt and Or-opt, by neighbour lists.

The path lies between two virtual ends (index n, at distance 0 from everything), so that moves at the ends are the
same as moves in the middle. Every change is a reversal of positions i..j; the journal of reversals undoes a
trial. Deterministic.
"""

from __future__ import annotations

from array import array
from collections.abc import Iterable, Sequence

import numpy as np
from jaxtyping import Int

from workers.ordering.path import Matrix, path_length

Move = tuple[float, tuple[tuple[int, int], ...]]  # gain in length, and its reversals

_LONGEST_SEGMENT = 3  # channels that Or-opt moves together (Or 1976)


def neighbour_lists(distances: Matrix, k: int) -> Int[np.ndarray, "n k"]:
    """The k nearest channels of each channel, nearest first, ties by index.

    Args:
        distances: Symmetric distances, n x n.
        k: Wanted neighbours; n - 1 when that is fewer.

    Returns:
        Indices, n x min(k, n - 1).
    """
    other = distances.copy()
    np.fill_diagonal(other, np.inf)
    return np.argsort(other, axis=1, kind="stable")[:, : min(k, len(distances) - 1)]


def nearest_neighbour(distances: Matrix, start: int) -> list[int]:
    """The path that always goes to the nearest channel not visited yet.

    Args:
        distances: Symmetric distances, n x n.
        start: The channel to begin with.

    Returns:
        A permutation of 0..n-1; ties go to the smaller index.
    """
    order = [start]
    taken = np.zeros(len(distances))
    taken[start] = np.inf
    for _ in range(len(distances) - 1):
        order.append(int(np.argmin(distances[order[-1]] + taken)))
        taken[order[-1]] = np.inf
    return order


class LocalSearch:
    """A path under improvement; ``length`` is updated by the delta of every change.

    Attributes:
        length: Length of the path now.
        journal: Reversals done since it was last cleared, oldest first.
    """

    def __init__(self, distances: Matrix, order: Sequence[int], num_neighbours: int = 8) -> None:
        n = len(distances)
        padded = np.zeros((n + 1, n + 1))
        padded[:n, :n] = distances
        self._rows = [array("d", row.tobytes()) for row in padded]
        self._near: list[list[int]] = neighbour_lists(distances, num_neighbours).tolist()
        self._tour = [n, *map(int, order), n]
        self._where = [0] * (n + 1)
        for position in range(1, n + 1):
            self._where[self._tour[position]] = position
        self._least_gain = 1e-10 * max(float(distances.max()), 1e-300)
        self.length = path_length(distances, order)
        self.journal: list[tuple[int, int]] = []

    @property
    def order(self) -> list[int]:
        """The path now: a permutation of 0..n-1."""
        return self._tour[1:-1]

    def apply(self, move: Move) -> None:
        """Apply a move and record it in the journal."""
        gain, reversals = move
        self._reverse(reversals)
        self.journal.extend(reversals)
        self.length -= gain

    def undo(self, length: float) -> None:
        """Undo the whole journal; ``length`` is the path's length when it was cleared."""
        self._reverse(self.journal[::-1])
        self.journal.clear()
        self.length = length

    def descend(self, dirty: Iterable[int]) -> None:
        """Apply improving moves around the given channels, and around what they touch, until none is left."""
        queue = list(dirty)
        waiting = set(queue)
        while queue:
            channel = queue.pop()
            waiting.discard(channel)
            while (move := self.two_opt(channel) or self.or_opt(channel)) is not None:
                for other in self.touched_by(move):
                    if other not in waiting:
                        waiting.add(other)
                        queue.append(other)
                self.apply(move)

    def segment_swap(self, i: int, j: int, k: int) -> Move:
        """The double bridge: exchange positions i..j-1 with j..k-1 (1 <= i < j < k <= n + 1), unreversed."""
        t, d = self._tour, self._rows
        p, a, b, c, e, q = t[i - 1], t[i], t[j - 1], t[j], t[k - 1], t[k]
        gain = d[p][a] + d[b][c] + d[e][q] - d[p][c] - d[e][a] - d[b][q]
        return gain, ((i, j - 1), (j, k - 1), (i, k - 1))

    def two_opt(self, a: int) -> Move | None:
        """The first improving reversal that gives channel ``a`` a nearer neighbour, if there is one."""
        t, where, d = self._tour, self._where, self._rows
        row, i = d[a], where[a]
        after, before = t[i + 1], t[i - 1]
        old_after, old_before = row[after], row[before]
        for c in self._near[a]:
            new, j = row[c], where[c]
            if new >= old_after and new >= old_before:
                return None
            if new < old_after:  # a-after, c-e  ->  a-c, after-e; each edge once
                e = t[j + 1]
                gain = old_after + d[c][e] - new - d[after][e]
                if gain > self._least_gain:
                    return gain, ((i + 1, j) if i < j else (j + 1, i),)
            if new < old_before:
                e = t[j - 1]
                gain = old_before + d[c][e] - new - d[before][e]
                if gain > self._least_gain:
                    return gain, ((i, j - 1) if i < j else (j, i - 1),)
        return None

    def or_opt(self, a: int) -> Move | None:
        """The first improving move of a segment of up to three channels that ends in ``a``, next to a near channel."""
        n, here = len(self._near), self._where[a]
        for extra in range(_LONGEST_SEGMENT):
            for i, j in ((here, here + extra), (here - extra, here))[: 1 + (extra > 0)]:
                if i >= 1 and j <= n and (move := self._insert(a, i, j)) is not None:
                    return move
        return None

    def _insert(self, a: int, i: int, j: int) -> Move | None:
        """Move positions i..j, of which ``a`` is one end, between two neighbours elsewhere."""
        t, where, d = self._tour, self._where, self._rows
        row, far = d[a], t[i] if t[j] == a else t[j]
        p, q = t[i - 1], t[j + 1]
        freed = d[p][t[i]] + d[t[j]][q] - d[p][q]
        last = d[far]
        for c in self._near[a]:
            if row[c] >= freed:
                return None
            x = where[c]
            if i <= x <= j:
                continue
            for y in (x - 1, x + 1):
                if y in (i, j):
                    continue  # the segment is there already
                e = t[y]
                gain = freed + d[c][e] - row[c] - last[e]
                if gain > self._least_gain:
                    return gain, _insertion(i, j, min(x, y), (a == t[i]) == (x < y))
        return None

    def touched_by(self, move: Move) -> set[int]:
        """The channels whose neighbours a move changes."""
        t, n = self._tour, len(self._near)
        return {t[p] for i, j in move[1] for p in (i - 1, i, j, j + 1)} - {n}

    def _reverse(self, reversals: Sequence[tuple[int, int]]) -> None:
        """Reverse positions i..j, one pair after the other; positions of channels are updated once, in the end."""
        tour, where = self._tour, self._where
        low, high = len(tour), 0
        for i, j in reversals:
            segment = tour[i : j + 1]
            segment.reverse()
            tour[i : j + 1] = segment
            low, high = min(low, i), max(high, j)
        for position, channel in enumerate(tour[low : high + 1], low):
            where[channel] = position


def _insertion(i: int, j: int, gap: int, forward: bool) -> tuple[tuple[int, int], ...]:
    """Reversals that move positions i..j into the gap after position ``gap``, kept in direction or turned."""
    low, high = (i, gap) if gap > j else (gap + 1, j)
    turned = (low, high - (j - i) - 1) if gap > j else (low + (j - i) + 1, high)  # what the segment passes
    landed = (high - (j - i), high) if gap > j else (low, low + (j - i))
    return ((low, high), turned, landed) if forward else ((low, high), turned)
