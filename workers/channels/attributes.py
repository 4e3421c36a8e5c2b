"""Whole numbers that modules keep as attributes and that follow from the widths of channel groups.

An attention layer knows its number of heads, a block the sizes at which it splits its channels. When channels go, such
numbers have to follow. `following` finds which do; here they are records, and are set. The lengths of buffers that are
no part of a state (BEiT's biases of keys, which are zeros) are such numbers, too, if all entries along an axis are
equal.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from torch import Tensor, nn

_ATTACHED = "_size_attributes"
"""Under this name a module keeps the records of the numbers in it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SizeTerm:
    """A multiple of the length of an axis.

    Attributes:
        tensor: name of a parameter or buffer, relative to the module that has the records.
        axis: its axis.
        times: the factor.
    """

    tensor: str
    axis: int
    times: int


@dataclass(frozen=True, slots=True, kw_only=True)
class SizeAttribute:
    """A whole number in a module, or the length of a buffer's axis: (constant + sum of terms) / over.

    Attributes:
        module: dotted path of the module that keeps it, relative to the module that has the records.
        name: name of the attribute.
        position: where in the attribute it is, if that is a tuple or a list; of a buffer the number of the axis.
        constant: the part that does not depend on widths.
        terms: the part that does.
        over: the divisor of both.
    """

    module: str
    name: str
    position: int | None = None
    constant: int = 0
    terms: tuple[SizeTerm, ...]
    over: int = 1

    @classmethod
    def from_json(cls, value: Mapping[str, Any]) -> SizeAttribute:
        """The record from the result of `to_json`."""
        return cls(**{**value, "terms": tuple(SizeTerm(**term) for term in value["terms"])})

    def to_json(self) -> dict[str, Any]:
        """The record as JSON data."""
        return asdict(self) | {"terms": [asdict(term) for term in self.terms]}


def attach(model: nn.Module, attributes: Sequence[SizeAttribute]) -> None:
    """Tells a network which of its attributes follow from its tensors; `load_resized` then sets them."""
    if attributes:
        setattr(model, _ATTACHED, tuple(attributes))


def follow_attached(model: nn.Module) -> None:
    """Sets the attributes that a network, or a network within it, was told of."""
    for owner in model.modules():
        for record in vars(owner).get(_ATTACHED, ()):
            total = record.constant + sum(term.times * _length(owner, term.tensor, term.axis) for term in record.terms)
            set_number(owner.get_submodule(record.module), record.name, record.position, total // record.over)


def attached_buffers(model: nn.Module) -> set[str]:
    """Names of the buffers with an axis whose length follows, in a network that was told so."""
    return {
        ".".join(filter(None, (path, record.module, record.name)))
        for path, owner in model.named_modules()
        for record in vars(owner).get(_ATTACHED, ())
        if record.name in owner.get_submodule(record.module)._buffers
    }


def set_number(module: nn.Module, name: str, position: int | None, value: int) -> None:
    """Sets an attribute, one entry of a tuple or a list, or the length of a buffer's axis with equal entries."""
    if position is None:
        setattr(module, name, value)
        return
    buffer = module._buffers.get(name)
    if buffer is not None:
        shape = [value if axis == position else length for axis, length in enumerate(buffer.shape)]
        module._buffers[name] = buffer.narrow(position, 0, 1).expand(shape).clone()
        return
    entries = list(getattr(module, name))
    entries[position] = value
    setattr(module, name, type(getattr(module, name))(entries))


def numbers_of(module: nn.Module) -> dict[tuple[str, int | None], int]:
    """The whole numbers above 1 that a module keeps as attributes, alone or in tuples and lists."""
    found: dict[tuple[str, int | None], int] = {}
    for name, value in vars(module).items():
        if _is_number(value):
            found[name, None] = value
        elif type(value) in (tuple, list) and all(
            _is_number(entry) or (type(entry) is int and entry == 1) for entry in value
        ):
            found.update({(name, position): entry for position, entry in enumerate(value) if entry > 1})
    return found


@dataclass(frozen=True, slots=True, kw_only=True)
class ConstantBuffer:
    """A buffer that is no part of the state.

    Attributes:
        axes: those along which all entries are equal.
        least: its smallest number.
        most: its largest number.
    """

    axes: tuple[int, ...]
    least: float
    most: float


def constants_of(model: nn.Module) -> dict[str, ConstantBuffer]:
    """The buffers with real numbers that are no part of a network's state and constant along some axis, by name."""
    found = {}
    for path, module in model.named_modules():
        for name in sorted(module._non_persistent_buffers_set):
            buffer = module._buffers.get(name)
            if buffer is not None and (constant := _constant(buffer)):
                found[f"{path}.{name}".lstrip(".")] = constant
    return found


def _constant(buffer: Tensor) -> ConstantBuffer | None:
    if not buffer.is_floating_point() or buffer.is_meta or not buffer.numel():
        return None
    axes = [
        axis
        for axis, length in enumerate(buffer.shape)
        if length > 1 and bool((buffer == buffer.narrow(axis, 0, 1)).all())
    ]
    if not axes:
        return None
    return ConstantBuffer(axes=tuple(axes), least=float(buffer.min()), most=float(buffer.max()))


def _is_number(value: object) -> bool:
    return type(value) is int and value > 1


def _length(owner: nn.Module, tensor: str, axis: int) -> int:
    path, _, name = tensor.rpartition(".")
    module = owner.get_submodule(path)
    return int(getattr(module, name).shape[axis])
