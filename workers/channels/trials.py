"""Cuts of a network on the meta device, of the whole or of one module in it, and runs of them.

A group that stays within one module is tried in that module alone, with the inputs that it gets in the whole network:
the rest would do what it does without the cut. That is quick, and enough to refuse a group or to drop a trial; what is
kept is proved in the whole network.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import cached_property

from torch import nn

from workers.channels.attributes import follow_attached
from workers.channels.following import Assignment, assign
from workers.channels.gathering import ChannelFindings
from workers.channels.labelling import sizes_in
from workers.channels.rebuild import follow_shapes
from workers.channels.trace import Call, Example, FinishedCall, Pass, Way, meta_copy, run, trace

_SMALL = 4
"""A module that makes a share of 1 / `_SMALL` of all calls or fewer is worth being run alone."""


class Trials:
    """Cuts and runs of one network.

    Args:
        model: the network on the meta device.
        example: its inputs.
        found: its channel groups.
        ways: how it is traced.

    Attributes:
        model: the network.
        found: its channel groups.
    """

    def __init__(self, model: nn.Module, example: Example, found: ChannelFindings, ways: Sequence[Way]) -> None:
        self.model, self.found = model, found
        self._example, self._ways = example, ways
        self._full = found.channel_map.widths()

    def cut(self, widths: Mapping[str, int], assignment: Assignment, path: str = "") -> nn.Module:
        """A copy of a module with fewer channels.

        Args:
            widths: of the groups that are cut.
            assignment: the numbers in modules that follow.
            path: dotted path of the module; the whole network if empty.
        """
        prefix = f"{path}." if path else ""
        shapes = {
            name.removeprefix(prefix): shape
            for name, shape in self._shapes_at(widths).items()
            if name.startswith(prefix)
        }
        part = meta_copy(self.model.get_submodule(path), shapes)
        for module in part.modules():
            follow_shapes(module)
        follow_attached(part)
        inside = {
            (place[0].removeprefix(prefix) if place[0] != path else "", *place[1:]): size
            for place, size in assignment.items()
            if place[0] == path or place[0].startswith(prefix)
        }
        assign(part, inside, {**self._full, **widths})
        return part

    def run(self, widths: Mapping[str, int], assignment: Assignment) -> Pass:
        """A run of the whole network with fewer channels."""
        return run(self.cut(widths, assignment), self._example, reads_numbers=self._reads_numbers)

    def run_call(self, widths: Mapping[str, int], assignment: Assignment, call: Call) -> Pass:
        """A run of one module with fewer channels, as it was called in the whole network."""
        part = self.cut(widths, assignment, call.path)
        return run(part, self._example_of(call), reads_numbers=self._reads_numbers)

    def sizes_in_call(
        self, widths: Mapping[str, int], assignment: Assignment, call: Call
    ) -> Sequence[tuple[int, ...]] | None:
        """Sizes of the results of all operators in one call of a module; None if it cannot be traced by itself."""
        try:
            traced = trace(self.cut(widths, assignment, call.path), self._example_of(call), ways=self._ways)
        except ValueError:
            return None
        return list(sizes_in(traced).values())

    def attributes_read(self, widths: Mapping[str, int], assignment: Assignment) -> frozenset[tuple[str, str]]:
        """The attributes that are read of modules in a run of the whole network: path of the module, and name."""
        cut = self.cut(widths, assignment)
        read: set[tuple[str, str]] = set()
        for path, module in cut.named_modules():
            _watch(module, path, read)
        run(cut, self._example, reads_numbers=self._reads_numbers)
        return frozenset(read)

    def _example_of(self, call: Call) -> Example:
        return Example(subject=f"module '{call.path}'", args=call.args, kwargs=call.kwargs)

    @cached_property
    def _reads_numbers(self) -> bool:
        """Whether the whole network only runs where it is given numbers that it reads from tensors."""
        return bool(self._unaided.error)

    @cached_property
    def _unaided(self) -> Pass:
        return run(meta_copy(self.model), self._example)

    @cached_property
    def whole(self) -> Pass:
        """A run with all channels; it ends early where the network needs numbers: it can be traced, but not run."""
        return run(meta_copy(self.model), self._example, reads_numbers=True) if self._reads_numbers else self._unaided

    def calls_at_home(self, group: str) -> list[FinishedCall]:
        """The calls of the small module that a group stays within, in the run with all channels; none without one."""
        path = self._homes.get(group, "")
        calls = [each for each in self.whole.finished if each.call.path == path] if path else []
        return calls if _SMALL * sum(each.length for each in calls) <= self.whole.calls else []

    @cached_property
    def _homes(self) -> dict[str, str]:
        """Dotted path of the innermost module with all that a group touches, by the group's name."""
        stacks: dict[str, tuple[str, ...]] = {}
        for site, stack in self.found.stacks.items():
            for group in {name for owned in self.found.owned[site] for name in owned}:
                stacks[group] = _common(stacks.get(group, stack), stack)
        homes = {group: stack[-1] for group, stack in stacks.items() if stack}
        for group, tensor, _, _ in self._owned:
            if not tensor.startswith(f"{homes.get(group, '')}."):
                homes.pop(group, None)
        return homes

    @cached_property
    def _owned(self) -> list[tuple[str, str, int, int]]:
        """Group, tensor, axis, and how many of its entries each unit owns."""
        return [
            (
                each.group.name,
                each.tensor,
                each.axis,
                int((each.layout.groups == each.group_index).sum()) // each.group.width,
            )
            for each in self.found.channel_map.owned_axes()
        ]

    def _shapes_at(self, widths: Mapping[str, int]) -> dict[str, tuple[int, ...]]:
        """Shapes of the tensors that have other ones at these widths."""
        shapes: dict[str, list[int]] = {}
        for group, tensor, axis, times in self._owned:
            if group in widths:
                shape = shapes.setdefault(tensor, list(self.found.channel_map.shapes[tensor]))
                shape[axis] -= times * (self._full[group] - widths[group])
        return {tensor: tuple(shape) for tensor, shape in shapes.items()}


def _watch(module: nn.Module, path: str, read: set[tuple[str, str]]) -> None:
    """Gives a module a class that notes which of its attributes are read."""
    own = type(module)

    def get(self: nn.Module, name: str) -> object:
        read.add((path, name))
        return own.__getattribute__(self, name)

    module.__class__ = type(own.__name__, (own,), {"__getattribute__": get})


def _common(one: tuple[str, ...], other: tuple[str, ...]) -> tuple[str, ...]:
    """The beginning that two tuples have in common."""
    differing = (place for place, pair in enumerate(zip(one, other, strict=False)) if pair[0] != pair[1])
    length = next(differing, min(len(one), len(other)))
    return one[:length]
