"""Proves a channel map by pruning the network on the meta device and analysing it again.

All groups are cut at once, each by another amount. Where the result is not the predicted map, where a number in the
code changes, or where the network does not run, the groups at fault are found by bisection and refused. Groups on a
sliced axis are also cut alone, since two equal cuts could hide each other. The analysis is a parameter.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TypeAlias

from torch import nn

from workers.channels.gathering import ChannelFindings
from workers.channels.layout import ChannelMap, RefusedGroup, restrict, without_groups
from workers.channels.rebuild import load_resized
from workers.channels.slicing import select
from workers.channels.trace import Example, meta_copy, run

Analyse: TypeAlias = Callable[[nn.Module], ChannelFindings]


def verified(
    meta_model: nn.Module, example: Example, found: ChannelFindings, analyse: Analyse
) -> tuple[ChannelMap, frozenset[str]]:
    """The map without the groups that fail the proof, and the names of these groups.

    Where one of them has another interpretation to try, the rest is not proved and the map is to be discarded.

    Args:
        meta_model: the network on the meta device.
        example: its inputs.
        found: the findings of the rules in it.
        analyse: computes the findings of another network on the meta device.
    """
    proof = _Proof(meta_model, example, found, analyse)
    faults: dict[str, str] = {}
    for name in sorted(found.sliced):
        width = found.channel_map.widths()[name]
        for smaller in sorted({width - 1, width - 2, width // 2} - {width}, reverse=True):  # one could fit by rounding
            fault = proof.fault({name: smaller}) if smaller >= 1 else ""
            if fault:
                faults[name] = fault
                break
    while True:
        good = without_groups(found.channel_map, _refusals(found.channel_map, faults))
        for cuts in filter(None, (_cuts(good), _cuts_to_one(good))):
            fault = proof.fault(cuts)
            if fault:
                faults.update(proof.culprits(cuts) or dict.fromkeys(cuts, fault))
                if found.untried(faults):
                    return good, frozenset(faults)
                break
        else:
            return good, frozenset(faults)


class _Proof:
    """Trial cuts of one network."""

    def __init__(self, meta_model: nn.Module, example: Example, found: ChannelFindings, analyse: Analyse) -> None:
        self._model = meta_model
        self._example = example
        self._found = found
        self._analyse = analyse
        self._runs: bool | None = None

    def culprits(self, cuts: Mapping[str, int]) -> dict[str, str]:
        """Groups that fail when cut alone.

        Where the network does not even run, the search skips the traces, which are far more expensive.
        """
        return self._search(cuts, self._run_fault if self._run_fault(cuts) else self.fault)

    def _search(self, cuts: Mapping[str, int], test: Callable[[Mapping[str, int]], str]) -> dict[str, str]:
        """Bisects the set that fails."""
        if len(cuts) == 1:
            fault = test(cuts)
            return dict.fromkeys(cuts, fault) if fault else {}
        names = list(cuts)
        culprits: dict[str, str] = {}
        for half in (names[: len(names) // 2], names[len(names) // 2 :]):
            part = {name: cuts[name] for name in half}
            if len(part) == 1 or test(part):
                culprits.update(self._search(part, test))
        return culprits

    def fault(self, widths: Mapping[str, int]) -> str:
        """The fault at these widths, in words; empty if there is none.

        Every tensor in the cut network has to be of the predicted shape, the numbers in the code the same, and the map
        the predicted one. That last is left out at width 1: a depthwise convolution of one channel looks like an
        ordinary one.
        """
        return self._run_fault(widths) or self._trace_fault(widths)

    def _cut(self, widths: Mapping[str, int]) -> nn.Module:
        cut = meta_copy(self._model)
        index = {name: range(width) for name, width in widths.items()}
        load_resized(cut, select(cut.state_dict(), self._found.channel_map, index))
        return cut

    def _run_fault(self, widths: Mapping[str, int]) -> str:
        try:
            run(self._cut(widths), self._example)
        except ValueError as error:
            return f"the network does not run with fewer of these channels: {error}" if self._whole_runs() else ""
        return ""

    def _whole_runs(self) -> bool:
        """Whether the whole network runs without numbers; one that reads a number can be traced, but not run."""
        if self._runs is None:
            try:
                run(meta_copy(self._model), self._example)
            except ValueError:
                self._runs = False
            else:
                self._runs = True
        return self._runs

    def _trace_fault(self, widths: Mapping[str, int]) -> str:
        try:
            again = self._analyse(self._cut(widths))
        except ValueError as error:
            return f"the network does not run with fewer of these channels: {error}"
        predicted = self._found.shapes_at(widths)
        for site in sorted(predicted.keys() & again.shapes.keys()):
            if predicted[site] != again.shapes[site]:
                return f"with fewer of these channels {site} has sizes {again.shapes[site]}, not {predicted[site]}"
        for site in self._found.facts.keys() & again.facts.keys():
            if self._found.facts[site] != again.facts[site]:
                return f"with fewer of these channels {site} computes with other numbers"
        expected = restrict(self._found.channel_map, widths)
        same = again.channel_map.groups == expected.groups and again.channel_map.tensors == expected.tensors
        if min(widths.values()) > 1 and not same:
            return "with fewer of these channels the network couples other channels"
        return ""


def _cuts(channel_map: ChannelMap) -> dict[str, int]:
    """A smaller width of at least 2 for every group, by amounts that differ from one group to the next."""
    return {
        group.name: max(2, group.width - 1 - 3 * number % 7)
        for number, group in enumerate(channel_map.groups)
        if group.width > 2
    }


def _cuts_to_one(channel_map: ChannelMap) -> dict[str, int]:
    """Width 1 for the groups that have no other smaller width."""
    return {group.name: 1 for group in channel_map.groups if group.width == 2}


def _refusals(found: ChannelMap, faults: Mapping[str, str]) -> dict[str, RefusedGroup]:
    layers = {group.name: group.layers for group in found.groups}
    return {
        name: RefusedGroup(layers=layers[name], operator="second trace", where="", reason=reason)
        for name, reason in faults.items()
    }
