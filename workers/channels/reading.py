"""In which way a graph is read, where it leaves open what gets shorter with fewer channels.

A view that splits channels may keep the number of parts or their length. Code that takes the width of a result from
its input (`reshape(b, n, c)`) works only if both are cut alike: they are coupled. So in much attention a head goes
together with its part of the input. Heads are coupled before their places are tried, others as a last resort.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import TypeAlias

from workers.channels.atoms import Obstacle
from workers.channels.gathering import ChannelFindings
from workers.channels.labelling import Labelling

Axis: TypeAlias = tuple[str, int]
"""The site of a call, and the number of an axis of its result."""

_COUPLED = Obstacle(operator="view", where="", reason="shares its width with channels that have to stay")


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
        """Joins the labels of the coupled axes; with a single channel, a graph may lack some of these calls."""
        for pair in sorted(self.couplings):
            found = [
                labelling.results[site][axis] for site, axis in pair if axis < len(labelling.results.get(site, ()))
            ]
            if len(found) == 2 and found[0].size == found[1].size:
                labelling.book.atoms.join(found[0], found[1], _COUPLED)

    def after(self, found: ChannelFindings, failed: Mapping[str, str]) -> Reading | None:
        """The next reading to try; None where there is none.

        Args:
            found: the findings in this reading.
            failed: names of the groups that failed the proof in it, each with the module where it did.
        """
        in_vain = frozenset(pair for pair in self.couplings if any(_owns(found, axis, failed) for axis in pair))
        mended = replace(self, couplings=self.couplings - in_vain, given_up=self.given_up | in_vain)
        known = self.couplings | mended.given_up
        if heads := frozenset(_couplings(failed, found, found.heads)) - known:
            return replace(mended, couplings=mended.couplings | heads)
        if untried := found.untried(failed):
            return mended.with_choices(untried)
        if others := frozenset(_couplings(failed, found, failed.keys())) - known:
            return replace(mended, couplings=mended.couplings | others)
        return mended if in_vain else None


def _couplings(
    failed: Mapping[str, str], found: ChannelFindings, groups: Collection[str]
) -> Iterator[tuple[Axis, Axis]]:
    """Of these groups those that failed, each with another one that failed and has as many channels in that module."""
    for group, module in failed.items():
        if group not in groups:
            continue
        for site, stack in found.stacks.items():
            for axis, owned in enumerate(found.owned[site]):
                size = found.shapes[site][axis]
                if module in stack and owned == {group: size}:
                    other = next(_axes(found, module, size, failed.keys() - {group}), None)
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
