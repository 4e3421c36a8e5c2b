"""In which way a graph is read, where it leaves open what gets shorter with fewer channels.

A view that splits channels may keep the number of parts or their length. Attention whose code takes the joint width of
its heads from its input (`reshape(b, n, c)`) works only if input and heads are cut alike: they are coupled, and a head
goes together with its part of the input.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import TypeAlias

from workers.channels.atoms import Obstacle
from workers.channels.gathering import ChannelFindings
from workers.channels.labelling import Labelling

Axis: TypeAlias = tuple[str, int]
"""The site of a call, and the number of an axis of its result."""

_COUPLED = Obstacle(operator="attention", where="", reason="heads share their width with channels that have to stay")


@dataclass(frozen=True, slots=True, kw_only=True)
class Reading:
    """One way to read a graph.

    Attributes:
        choices: which axis gets shorter with the channels that a view splits, by its site.
        couplings: axes whose channels only go together.
        given_up: couplings that did not help.
    """

    choices: Mapping[str, int] = field(default_factory=dict)
    couplings: frozenset[tuple[Axis, Axis]] = frozenset()
    given_up: frozenset[tuple[Axis, Axis]] = frozenset()

    def with_choices(self, choices: Mapping[str, int]) -> Reading:
        """The reading with other choices for some views."""
        return replace(self, choices={**self.choices, **choices})

    def couple(self, labelling: Labelling) -> None:
        """Joins the labels of the coupled axes."""
        for (site, axis), (other, number) in sorted(self.couplings):
            one, two = labelling.results[site][axis], labelling.results[other][number]
            if one.size == two.size:
                labelling.book.atoms.join(one, two, _COUPLED)

    def after(self, found: ChannelFindings, failed: Mapping[str, str]) -> Reading | None:
        """The next reading to try; None where there is none.

        Args:
            found: the findings in this reading.
            failed: names of the groups that failed the proof in it, each with the module where it did.
        """
        further = frozenset(_couplings(failed, found)) - self.couplings - self.given_up
        if further:
            return replace(self, couplings=self.couplings | further)
        untried = found.untried(failed)
        if not untried:
            return None
        in_vain = {pair for pair in self.couplings if any(_owns(found, axis, failed) for axis in pair)}
        return replace(self.with_choices(untried), couplings=self.couplings - in_vain, given_up=self.given_up | in_vain)


def _couplings(failed: Mapping[str, str], found: ChannelFindings) -> Iterator[tuple[Axis, Axis]]:
    """Heads that failed, each with the channels that failed and have their joint width in the same module."""
    for heads, module in failed.items():
        if heads not in found.heads:
            continue
        for site, stack in found.stacks.items():
            for axis, owned in enumerate(found.owned[site]):
                size = found.shapes[site][axis]
                if module in stack and owned == {heads: size}:
                    other = next(_axes(found, module, size, failed.keys() - {heads}), None)
                    if other is not None:
                        yield other, (site, axis)
                        break
            else:
                continue
            break


def _axes(found: ChannelFindings, module: str, size: int, groups: set[str]) -> Iterator[Axis]:
    """Axes of a size in a module that one of the groups owns."""
    for site, stack in found.stacks.items():
        if module in stack:
            for axis, owned in enumerate(found.owned[site]):
                if found.shapes[site][axis] == size and [size] == list(owned.values()) and owned.keys() <= groups:
                    yield site, axis


def _owns(found: ChannelFindings, axis: Axis, groups: Mapping[str, str]) -> bool:
    site, number = axis
    return not found.owned[site][number].keys().isdisjoint(groups)
