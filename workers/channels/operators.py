"""The interface of operator rules: labelled tensors, one call, the book, and the table of rules.

A rule is one small function per family of operators. It reads the labels of the arguments, records in the book which
are coupled, and returns the labels of the result. To support a new operator, add a function with `@rule(...)` in one
of the `*_rules` modules. A rule that does not support a call raises `Unsupported`; the tensors of the call then stay
whole.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from enum import IntEnum
from fractions import Fraction
from typing import Any, TypeAlias, TypeVar

import numpy as np

from workers.channels.atoms import Atoms, Obstacle
from workers.channels.layout import NOT_A_CHANNEL, Labels
from workers.channels.origins import SizedAxis

NO_CHANNELS = "its channels meet an axis that is not made of channels"
"""Reason of the most common obstacle."""


class Sign(IntEnum):
    """What is known of numbers; more is greater."""

    ANY = 0
    NOT_NEGATIVE = 1
    POSITIVE = 2


class Unsupported(Exception):  # noqa: N818  # control flow between a rule and the interpreter, never leaves the package
    """A rule does not support this call; the message says why."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Traced:
    """A tensor in the graph.

    Attributes:
        axes: one array of labels per axis; a label is an atom or -1.
        tensor: name of the parameter or buffer that this is, or None for the result of an operator.
        rows_of: name of the parameter of which these are some rows, and how many rows that has.
        stored: whether it is computed from parameters and buffers alone.
        zero: whether a channel whose weights are all zero is zero here; elsewhere it may be any finite number.
        sign: what is known of the numbers of a channel whose weights are all zero (ones in divisors; see `signs`).
        origins: of a stored tensor, the parameters and buffers with several entries that it is computed from.
    """

    axes: tuple[Labels, ...]
    tensor: str | None = None
    rows_of: tuple[str, int] | None = None
    stored: bool = False
    zero: bool = False
    sign: Sign = Sign.ANY
    origins: frozenset[str] = frozenset()

    @property
    def shape(self) -> tuple[int, ...]:
        """Size of every axis."""
        return tuple(len(axis) for axis in self.axes)

    @property
    def whole(self) -> tuple[str, int] | None:
        """The parameter or buffer that this is, or of which it is some rows, and the number of its rows."""
        return self.rows_of if self.tensor is None else (self.tensor, len(self.axes[0]) if self.axes else 1)

    @property
    def labelled(self) -> bool:
        """Whether any index of any axis is a channel."""
        return any(is_labelled(axis) for axis in self.axes)


Value: TypeAlias = Traced | list[Traced]


@dataclass(frozen=True, slots=True, kw_only=True)
class OperatorCall:
    """One call of an operator.

    Attributes:
        operator: full name, such as `aten.conv2d.default`.
        where: dotted path of the calling module.
        site: name of the call in its graph; the same whenever the network is traced.
        arguments: by schema name, with `Traced` in place of tensors.
        shape: shape of the result, or None where it is not one tensor.
        lengths: labels of the axis that the code takes the length of an axis of the result from, by the latter.
        sized: where the lengths of axes of the results are from.
    """

    operator: str
    where: str
    site: str
    arguments: Mapping[str, Any]
    shape: tuple[int, ...] | None
    lengths: Mapping[int, Labels] = field(default_factory=dict)
    sized: tuple[SizedAxis, ...] = ()

    def tensor(self, *names: str) -> Traced:
        """The tensor passed under the first of the names that exists."""
        for name in names:
            if name in self.arguments:
                value = self.arguments[name]
                if isinstance(value, Traced):
                    return value
        raise Unsupported(f"expects a tensor as {' or '.join(names)}")

    def obstacle(self, reason: str) -> Obstacle:
        """An obstacle that names this call."""
        return Obstacle(operator=self.operator, where=self.where, reason=reason)


@dataclass(frozen=True, slots=True, kw_only=True)
class AxisSplit:
    """A view that splits an axis of channels.

    Attributes:
        labels: labels of the axis.
        interpretations: the new axes that may get shorter when channels are removed, the likeliest one first.
    """

    labels: Labels
    interpretations: tuple[int, ...]


@dataclass(slots=True, kw_only=True)
class Book:
    """The records of the rules.

    Attributes:
        atoms: which atoms are coupled, and which have to stay.
        contracted: sites of the calls that sum over an axis of a parameter as layers do, by (name, axis).
        met: sites of all calls in which a parameter meets something that is not stored, by its name.
        applications: how often one sample is multiplied by every number of a layer's weight; on the average, where its
            rows are used one by one.
        produced: (layer, labels) for every layer that makes new channels, in order of execution.
        sliced: labels of axes that an operator slices.
        normalised: labels of axes that an operator takes statistics over.
        summed: labels of axes that an operator sums over without a weight, and what sums, in words.
        divisors: names of the stored tensors that an operator divides by; a mask has to put ones there.
        facts: numbers of a call, by its site, that must not change when channels are removed.
        splits: views that split an axis of channels, by their sites.
        choices: for each of these views the interpretation in use (see `shape_rules.reshape`).
        heads: sites of the views whose results are queries, keys or values of an attention product.
        stored: labels of every parameter and buffer of the state, by its name.
        overwritten: whether a tensor was changed in place so that `Traced.zero` may be out of date.
    """

    atoms: Atoms = field(default_factory=Atoms)
    contracted: dict[tuple[str, int], set[str]] = field(default_factory=lambda: defaultdict(set))
    met: dict[str, set[str]] = field(default_factory=lambda: defaultdict(set))
    applications: dict[str, Fraction] = field(default_factory=dict)
    produced: list[tuple[str, Labels]] = field(default_factory=list)
    sliced: list[Labels] = field(default_factory=list)
    normalised: list[Labels] = field(default_factory=list)
    summed: list[tuple[Labels, str]] = field(default_factory=list)
    divisors: set[str] = field(default_factory=set)
    facts: dict[str, tuple[float, ...]] = field(default_factory=dict)
    splits: dict[str, AxisSplit] = field(default_factory=dict)
    choices: dict[str, int] = field(default_factory=dict)
    heads: set[str] = field(default_factory=set)
    stored: Mapping[str, tuple[Labels, ...]] = field(default_factory=dict)
    overwritten: bool = False


Rule: TypeAlias = Callable[[Book, OperatorCall], Value]
RULES: dict[str, Rule] = {}
"""Rule by operator name without namespace, overload and the underscore of in-place variants."""


SomeRule = TypeVar("SomeRule", bound=Rule)


def rule(*operators: str) -> Callable[[SomeRule], SomeRule]:
    """Registers a rule for operators such as `conv2d`; and for in-place variants such as `conv2d_`."""

    def register(function: SomeRule) -> SomeRule:
        for operator in operators:
            if operator in RULES:
                raise ValueError(f"operator {operator!r} has two rules")
            RULES[operator] = function
        return function

    return register


def is_labelled(axis: Labels) -> bool:
    """Whether any index of an axis is a channel."""
    return bool((axis >= 0).any())


def unlabelled(size: int) -> Labels:
    """Labels of an axis without channels."""
    return np.full(size, NOT_A_CHANNEL, dtype=np.int64)


def covers(tensor: Traced, axes: Sequence[Labels]) -> bool:
    """Whether a tensor that is broadcast to these axes is itself labelled wherever they are."""
    missing = len(axes) - len(tensor.axes)
    return all(
        number >= missing
        and len(tensor.axes[number - missing]) == len(labels)
        and is_labelled(tensor.axes[number - missing])
        for number, labels in enumerate(axes)
        if is_labelled(labels)
    )


def only_channels_on(tensor: Traced, axis: int) -> None:
    """Raises `Unsupported` for a tensor that has channels on another axis than the given one."""
    for number, labels in enumerate(tensor.axes):
        if number != axis and is_labelled(labels):
            raise Unsupported(f"axis {number} carries channels, this operator expects them on axis {axis} only")


def meet(book: Book, call: OperatorCall, axes: Sequence[Labels], size: int) -> Labels:
    """Labels of an axis on which several operands meet index by index.

    An axis of size 1 that is broadcast over a longer one has to stay.
    """
    labels: Labels | None = None
    for axis in axes:
        if len(axis) != size:
            book.atoms.fix(axis, call.obstacle("one channel is spread over several"))
        elif labels is None:
            labels = axis
        else:
            labels = book.atoms.join(labels, axis, call.obstacle(NO_CHANNELS))
    return unlabelled(size) if labels is None else labels


def sum_over(book: Book, call: OperatorCall, axes: Sequence[Labels]) -> None:
    """Records axes that a call sums over without a weight, which could stand for the number of channels."""
    who = f"{call.operator} in {call.where}" if call.where else call.operator
    book.summed.extend((axis, f"{who} sums over its channels without a weight") for axis in axes if is_labelled(axis))


def axis_number(axis: int, dimensions: int) -> int:
    """An axis counted from the front."""
    return axis + dimensions if axis < 0 else axis
