"""Costs that grow with the widths of the channel groups: sums of products of lengths of axes.

The number of parameters is such a sum, and so are MACs, activations and modelled times. A cost never falls when a group
gets wider. Pure.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from workers.channels.layout import AxisLayout, ChannelMap


@dataclass(frozen=True, slots=True, kw_only=True)
class Length:
    """The length of an axis: a fixed part, and for every unit of a group some indices.

    Attributes:
        constant: indices that no group owns.
        occurrences: group name -> indices per unit of the group, at least 1.
    """

    constant: int = 0
    occurrences: Mapping[str, int]


@dataclass(frozen=True, slots=True, kw_only=True)
class CostTerm:
    """A product of lengths.

    Attributes:
        weight: cost of one element, at least 0.
        lengths: the factors that depend on widths, at least one.
    """

    weight: float
    lengths: tuple[Length, ...]


class Cost:
    """A constant and a sum of terms, as a function of the widths of the groups.

    The axes are analysed once, so that a call costs one small matrix product.

    Args:
        widths: group name -> full width.
        constant: the part that does not depend on the widths.
        terms: the parts that do.
    """

    def __init__(self, widths: Mapping[str, int], constant: float, terms: Iterable[CostTerm]) -> None:
        self.constant = constant
        self.terms = tuple(terms)
        self._widths = dict(widths)
        self._position = {name: index for index, name in enumerate(self._widths)}
        lengths = [length for term in self.terms for length in term.lengths]
        self._starts = np.cumsum([0, *(len(term.lengths) for term in self.terms)][:-1], dtype=np.int64)
        self._weights = np.array([term.weight for term in self.terms])
        self._constants = np.array([length.constant for length in lengths], dtype=np.int64)
        self._occurrences = np.zeros((len(lengths), len(self._widths)), dtype=np.int64)
        for row, length in enumerate(lengths):
            for name, count in length.occurrences.items():
                self._occurrences[row, self._position[name]] = count

    def __call__(self, widths: Mapping[str, int]) -> float:
        """The cost at these widths; a group that is not named counts whole.

        Raises:
            ValueError: an unknown group, or a width outside 0 .. width.
        """
        sizes = np.array(list(self._widths.values()), dtype=np.int64)
        for name, width in widths.items():
            if name not in self._position or not 0 <= width <= self._widths[name]:
                known = f"0..{self._widths[name]}" if name in self._position else "no such group"
                raise ValueError(f"group {name!r}: width {width}; allowed: {known}")
            sizes[self._position[name]] = width
        if not self.terms:
            return self.constant
        lengths = self._constants + self._occurrences @ sizes
        varying: float = (np.multiply.reduceat(lengths, self._starts) @ self._weights).item()
        return self.constant + varying


def axis_length(channel_map: ChannelMap, layout: AxisLayout) -> Length:
    """The length of an axis of a tensor."""
    return Length(
        constant=int((layout.groups < 0).sum()),
        occurrences={channel_map.groups[group].name: layout.positions(group).shape[1] for group in layout.present()},
    )


def product_term(weight: float, lengths: Sequence[Length]) -> tuple[float, CostTerm | None]:
    """Weight times all lengths: as a constant and no term where none of them depends on a width, else as a term."""
    weight *= math.prod(length.constant for length in lengths if not length.occurrences)
    varying = tuple(length for length in lengths if length.occurrences)
    return (0.0, CostTerm(weight=weight, lengths=varying)) if varying else (weight, None)


def cost_of_tensors(
    channel_map: ChannelMap, weights: Mapping[str, int] | Mapping[str, float]
) -> tuple[float, list[CostTerm]]:
    """Constant and terms of a weighted number of elements of tensors.

    Args:
        channel_map: the map of the whole network.
        weights: weight of each element of a tensor, by the tensor's name; others count 0.
    """
    constant, terms = 0.0, []
    for name in sorted(weights):
        if name not in channel_map.tensors:
            constant += float(weights[name] * math.prod(channel_map.shapes[name]))
            continue
        fixed, term = product_term(
            float(weights[name]), [axis_length(channel_map, layout) for layout in channel_map.tensors[name]]
        )
        constant += fixed
        terms += [term] if term else []
    return constant, terms
