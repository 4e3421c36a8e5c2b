"""Proves a channel map by pruning the network on the meta device and analysing it again.

All groups are cut at once, each by another amount. Where the result is not the predicted map, where a number in the
code changes, or where the network does not run, the groups at fault are found by bisection and refused. Groups on a
sliced axis are also cut apart from each other, since two equal cuts could hide each other, and alone. The analysis is a
parameter.

Whole numbers that modules keep as attributes, such as heads, are made to follow where that mends a fault (see
`following`); with them the proof goes on.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Hashable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from itertools import islice
from typing import Protocol, TypeAlias

from torch import nn

from workers.channels.cuts import cuts_of_all, cuts_to_one, lone_cuts, separate_cuts
from workers.channels.following import Assignment, Candidates, Unreadable, known, records
from workers.channels.gathering import ChannelFindings
from workers.channels.layout import ChannelMap, RefusedGroup, restrict, without_groups
from workers.channels.reading import Reading
from workers.channels.trace import Call, Pass
from workers.channels.trials import Trials

_RUNS, _TRACES = 30, 12
"""How many assignments of numbers in modules are tried at one place by runs, and by traces."""


class Again(Protocol):
    """A cut network that was traced."""

    def sizes(self) -> Mapping[str, tuple[int, ...]]:
        """Sizes of the axes of the results of a call, by its site."""
        ...

    def findings(self) -> ChannelFindings:
        """The findings of the rules in it."""
        ...


Retrace: TypeAlias = Callable[[nn.Module], Again]


@dataclass(frozen=True, slots=True, kw_only=True)
class Verdict:
    """The result of a proof.

    Attributes:
        channel_map: the map without the groups that fail.
        further: another reading of the graph, to be tried since groups fail in this one; the proof has then ended
            early, and the map is to be discarded.
    """

    channel_map: ChannelMap
    further: Reading | None = None


def verified(trials: Trials, retrace: Retrace, after: Callable[[Mapping[str, str]], Reading | None]) -> Verdict:
    """Proves a map.

    Args:
        trials: of the network, with the findings of the rules in it.
        retrace: traces another network on the meta device, which it may change.
        after: another reading to try when these groups fail, each given with the innermost module at work there.
    """
    found, proof = trials.found, _Proof(trials, retrace)
    faults: dict[str, str] = {}
    widths, sliced = found.channel_map.widths(), sorted(found.sliced)
    for some in (*separate_cuts(widths, sliced), *lone_cuts(widths, sliced)):
        rest = some
        while rest := {name: width for name, width in rest.items() if name not in faults}:
            fault = proof.fault(rest)
            if not fault:
                break
            faults.update(proof.culprits(rest) or dict.fromkeys(rest, fault))
    while True:
        good = without_groups(found.channel_map, _refusals(found.channel_map, faults, proof.places(faults)))
        for widths in filter(None, (cuts_of_all(good), cuts_to_one(good))):
            fault = proof.fault(widths)
            if fault:
                faults.update(proof.culprits(widths) or dict.fromkeys(widths, fault))
                further = after(proof.places(faults))
                if further is not None:
                    return Verdict(channel_map=good, further=further)
                break
        else:
            try:
                attributes = records(proof.assignment, good, found.channel_map.widths())
            except Unreadable as unreadable:
                faults[str(unreadable)] = "a number in a module has to follow its width, which no tensor shows"
                continue
            return Verdict(channel_map=replace(good, attributes=attributes))


@dataclass(frozen=True, slots=True, kw_only=True)
class _Fault:
    """Why a cut network is not the predicted one.

    Attributes:
        reason: in words.
        reached: how far the test came: whether the network runs, and how many calls were right.
        stack: dotted paths of the modules at work there, the innermost last.
        sizes: the sizes that should have changed otherwise, where the network runs.
        inside: where the innermost of these modules was at work, by the number of its calls.
        calls: calls of modules at work there, as they were made in the run.
        groups: names of the groups that own channels of the call at fault, or around it, where the network runs.
    """

    reason: str
    reached: tuple[bool, int]
    stack: tuple[str, ...] = ()
    sizes: tuple[int, ...] = ()
    inside: int = 0
    calls: tuple[Call, ...] = ()
    groups: frozenset[str] = frozenset()


_Test: TypeAlias = Callable[[Mapping[str, int], Assignment], _Fault | None]
"""What it finds at these widths, with these numbers in modules."""


class _Proof:
    """Trial cuts of one network.

    Attributes:
        assignment: the numbers in modules that follow from widths, as far as trials have shown.
    """

    def __init__(self, trials: Trials, retrace: Retrace) -> None:
        self._trials, self._retrace = trials, retrace
        self._model, self._found = trials.model, trials.found
        self._full = self._found.channel_map.widths()
        self._hopeless: set[Hashable] = set()
        self._where: dict[str, str] = {}
        self._known: tuple[Hashable, _Fault | None] = None, None
        self.assignment: Assignment = known(self._model, self._found)

    def places(self, groups: Iterable[str]) -> dict[str, str]:
        """Dotted path of the innermost module at work where a group, cut alone, failed; by its name."""
        return {name: self._where.get(name, "") for name in groups}

    def culprits(self, cuts: Mapping[str, int]) -> dict[str, str]:
        """Groups that fail when cut alone.

        Where the network does not even run, the search skips the traces, which are far more expensive, and runs of the
        whole network for what stays within one module. Where it does, groups at the place of the fault come first.
        """
        if not self._lasting(cuts, self._run_fault):
            return self._traced_culprits(cuts)
        local = {name: width for name, width in cuts.items() if self._trials.calls_at_home(name)}
        culprits = self._alone(local, self._home_fault)
        others = {name: width for name, width in cuts.items() if name not in local}
        if not others or (culprits and not self._run_reason(others)):
            return culprits
        return culprits | self._search(others, self._run_reason)

    def _traced_culprits(self, cuts: Mapping[str, int]) -> dict[str, str]:
        culprits: dict[str, str] = {}
        rest = dict(cuts)
        while rest and (fault := self._lasting(rest, self._any_fault)):
            suspects = {name: width for name, width in rest.items() if name in fault.groups}
            found = self._alone(suspects, self._any_fault) if len(rest) > 1 else dict.fromkeys(rest, fault.reason)
            if not found:
                return culprits | self._search(rest, self.fault)
            culprits |= found
            rest = {name: width for name, width in rest.items() if name not in culprits}
        return culprits

    def _alone(self, widths: Mapping[str, int], test: _Test) -> dict[str, str]:
        """The faults of groups that are cut alone, in words."""
        faults = {name: self._lasting({name: width}, test) for name, width in widths.items()}
        return {name: fault.reason for name, fault in faults.items() if fault}

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
        return self._reason(widths, self._any_fault)

    def _run_reason(self, widths: Mapping[str, int]) -> str:
        return self._reason(widths, self._run_fault)

    def _reason(self, widths: Mapping[str, int], test: _Test) -> str:
        fault = self._lasting(widths, test)
        return fault.reason if fault else ""

    def _lasting(self, widths: Mapping[str, int], test: _Test) -> _Fault | None:
        """The fault that a test finds, after all numbers in modules that mend one were made to follow."""
        key = tuple(widths.items()), test.__name__
        if key == self._known[0]:
            return self._known[1]
        fault = test(widths, self.assignment)
        while fault:
            mended = self._mended(widths, fault, test)
            if mended is None:
                if len(widths) == 1:
                    self._where.update(dict.fromkeys(widths, fault.stack[-1] if fault.stack else ""))
                self._known = key, fault
                break
            self.assignment, fault = mended
        return fault

    def _mended(self, widths: Mapping[str, int], fault: _Fault, test: _Test) -> tuple[Assignment, _Fault | None] | None:
        """Numbers in modules which let the test get further when they follow from widths; what it then finds."""
        kinds = self._kinds(widths, fault)
        if not kinds.isdisjoint(self._hopeless):
            return None
        runs, _ = fault.reached
        quick = self._run_fault if test == self._any_fault else test
        read = None if test == self._home_fault else self._trials.attributes_read(widths, self.assignment)
        trials = self._candidates.assignments(fault.stack, fault.sizes, read)
        for further in islice(trials, _TRACES if runs else _RUNS):
            trial = {**self.assignment, **further}
            if trial == self.assignment or not self._may_help(widths, fault, further):
                continue
            result = quick(widths, trial) or (test(widths, trial) if runs else None)
            if not result or result.reached > fault.reached:
                return trial, result or (test(widths, trial) if quick != test and not runs else None)
        self._hopeless |= kinds | self._kinds({}, fault)
        return None

    def _may_help(self, widths: Mapping[str, int], fault: _Fault, further: Assignment) -> bool:
        """Whether numbers in modules let the module at work get further, by itself; if unknown, they may."""
        changed = {path for path, _, _ in further}
        call = next((each for each in fault.calls if each.path in changed), None)
        if call is None or not call.path:
            return True
        trial = {**self.assignment, **further}
        if not fault.reached[0]:
            result = self._trials.run_call(widths, trial, call)
            return not result.error or result.calls > fault.reached[1] - call.before
        before = self._right_sizes(widths, self.assignment, call)
        place = sum(call.path in self._found.stacks[site] for site in islice(self._found.stacks, fault.reached[1]))
        return before != place or self._right_sizes(widths, trial, call) > place

    def _right_sizes(self, widths: Mapping[str, int], assignment: Assignment, call: Call) -> int:
        """How many of the first operators in a module, traced by itself, have results of the predicted sizes."""
        predicted = self._found.shapes_at(widths)
        expected = [predicted[site] for site, stack in self._found.stacks.items() if call.path in stack]
        found = self._trials.sizes_in_call(widths, assignment, call)
        if found is None:
            return -1
        pairs = enumerate(zip(expected, found, strict=False))
        return next((place for place, pair in pairs if pair[0] != pair[1]), len(expected))

    def _kinds(self, widths: Mapping[str, int], fault: _Fault) -> set[Hashable]:
        """What a fault has in common with those that the same trials mend: its place, or that in a module of its class.

        A group that is cut alone is tried again unless one as wide had the same fault there.
        """
        place: Hashable = fault.stack, fault.reached
        module = type(self._model.get_submodule(fault.stack[-1])) if fault.stack else None
        alike = module, fault.inside, fault.sizes, re.sub(r"\d+", "", fault.reason)
        return {place, (*alike, *(self._full[name] for name in widths if len(widths) == 1))}

    @cached_property
    def _candidates(self) -> Candidates:
        return Candidates(self._model, self._found)

    def _any_fault(self, widths: Mapping[str, int], assignment: Assignment) -> _Fault | None:
        """What the traced network shows; where it cannot be traced, a run tells how far it comes."""
        try:
            again = self._retrace(self._trials.cut(widths, assignment))
        except ValueError as error:
            reason = f"the network does not run with fewer of these channels: {error}"
            return self._run_fault(widths, assignment) or _Fault(reason=reason, reached=(True, 0))
        predicted, sizes = self._found.shapes_at(widths), again.sizes()
        for number, site in enumerate(_comparable(predicted, sizes)):
            if predicted[site] != sizes[site]:
                passed = self._trials.run(widths, assignment)
                return self._wrong_size(number, site, predicted[site], sizes[site], passed)
        return self._other_map(widths, again.findings())

    def _run_fault(self, widths: Mapping[str, int], assignment: Assignment) -> _Fault | None:
        result = self._trials.run(widths, assignment)
        if not result.error or self._trials.whole.error:
            return None
        return self._stopped(result, result.at_work)

    def _home_fault(self, widths: Mapping[str, int], assignment: Assignment) -> _Fault | None:
        """The same for one group that stays within a module: only that is run."""
        (group,) = widths
        for finished in self._trials.calls_at_home(group):
            call = finished.call
            result = self._trials.run_call(widths, assignment, call)
            if result.error:
                inner = [replace(each, path=f"{call.path}.{each.path}".rstrip(".")) for each in result.at_work]
                return self._stopped(result, inner)
            if result.finished[-1].outlines != finished.outlines:
                return self._run_fault(widths, assignment)
        return None

    def _stopped(self, result: Pass, at_work: Sequence[Call]) -> _Fault:
        return _Fault(
            reason=f"the network does not run with fewer of these channels: {result.error}",
            reached=(False, result.calls),
            stack=tuple(call.path for call in at_work),
            inside=result.calls - at_work[-1].before if at_work else 0,
            calls=tuple(at_work),
        )

    def _other_map(self, widths: Mapping[str, int], again: ChannelFindings) -> _Fault | None:
        """What differs from the predicted map in a network of the predicted sizes."""
        end = True, len(self._found.shapes)
        for site, numbers in self._found.facts.items():
            if again.facts.get(site, numbers) != numbers:
                reason = f"with fewer of these channels {site} computes with other numbers"
                return _Fault(reason=reason, reached=end, groups=self._groups_around(site.partition(" ")[0]))
        if min(widths.values()) == 1:
            return None
        expected = restrict(self._found.channel_map, widths)
        if again.channel_map.groups != expected.groups or again.channel_map.tensors != expected.tensors:
            return _Fault(reason="with fewer of these channels the network couples other channels", reached=end)
        return None

    def _groups_around(self, site: str) -> frozenset[str]:
        """Names of the groups that own channels in the innermost module at work at a call."""
        stacks, owned = self._found.stacks, self._found.owned
        inside = [each for each, stack in stacks.items() if stack[-1:] == stacks[site][-1:]]
        return frozenset(name for each in inside for axis in owned[each] for name in axis)

    def _wrong_size(
        self, number: int, site: str, predicted: tuple[int, ...], sizes: tuple[int, ...], passed: Pass
    ) -> _Fault:
        full = self._found.shapes[site]
        return _Fault(
            reason=f"with fewer of these channels {site} has sizes {sizes}, not {predicted}",
            reached=(True, number),
            stack=self._found.stacks[site],
            sizes=tuple(size for size, one, other in zip(full, predicted, sizes, strict=False) if one != other),
            calls=_single_calls(self._found.stacks[site], passed),
            groups=frozenset(name for owned in self._found.owned[site] for name in owned),
        )


def _single_calls(stack: Sequence[str], passed: Pass) -> tuple[Call, ...]:
    """Calls of these modules in a run, of those that were called once."""
    calls = [[each.call for each in passed.finished if each.call.path == path] for path in stack]
    return tuple(found[0] for found in calls if len(found) == 1)


def _comparable(predicted: Iterable[str], found: Iterable[str]) -> Iterator[str]:
    """The sites of the operators that two graphs call equally often, in the order of the first.

    With a single channel, some calls are left out as unnecessary, and the sites of that operator have other numbers.
    """
    calls = [Counter(site.rstrip("_0123456789") for site in sites) for sites in (predicted, found)]
    present = set(found)
    for site in predicted:
        name = site.rstrip("_0123456789")
        if calls[0][name] == calls[1][name] and site in present:
            yield site


def _refusals(found: ChannelMap, faults: Mapping[str, str], places: Mapping[str, str]) -> dict[str, RefusedGroup]:
    layers = {group.name: group.layers for group in found.groups}
    return {
        name: RefusedGroup(layers=layers[name], operator="second trace", where=places[name], reason=reason)
        for name, reason in faults.items()
    }
