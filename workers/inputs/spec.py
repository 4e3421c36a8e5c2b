"""What a network takes: the shapes and types of its inputs, from which example inputs are made."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal, TypeAlias

import torch
from torch import Tensor

from jobs.errors import BadInputError
from jobs.identity import Json, Parsed
from jobs.spec.inputs import NumberType, TensorSpec
from workers.inputs.batch import Inputs, checked, tensors_of

Floats: TypeAlias = Literal["uniform", "normal", "ones"]
"""How floating-point numbers are drawn: uniformly from [0, 1), from the normal distribution, or not at all."""

_TYPES: Mapping[torch.dtype, NumberType] = {
    torch.int64: "int64",
    torch.int32: "int32",
    torch.int16: "int16",
    torch.int8: "int8",
    torch.uint8: "uint8",
    torch.bool: "bool",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class InputSpec:
    """The inputs of a network.

    Attributes:
        tensors: its tensors, in order.
        names: their names, where they are keyword arguments; empty where they are positional.
    """

    tensors: tuple[TensorSpec, ...]
    names: tuple[str, ...] = ()

    @classmethod
    def of_shape(cls, shape: Sequence[int]) -> InputSpec:
        """One floating-point tensor.

        Args:
            shape: of one sample, without the batch, such as (3, 32, 32).
        """
        return cls(tensors=(TensorSpec(shape=tuple(shape)),))

    @classmethod
    def of(cls, given: Sequence[TensorSpec] | Mapping[str, TensorSpec]) -> InputSpec:
        """Positional arguments, or keyword arguments by name."""
        if isinstance(given, Mapping):
            return cls(tensors=tuple(given.values()), names=tuple(given))
        return cls(tensors=tuple(given))

    @classmethod
    def of_sample(cls, sample: Inputs) -> InputSpec:
        """The inputs that one sample shows; whole numbers of examples are in the range that the sample has.

        Raises:
            BadInputError: The sample has no tensors, or numbers of a type that examples cannot be made of.
        """
        names = tuple(sample) if isinstance(sample, Mapping) else ()
        return cls(tensors=tuple(map(_shown_by, tensors_of(sample))), names=names)

    @classmethod
    def from_document(cls, document: Parsed) -> InputSpec:
        """The inputs that `document` wrote."""
        written = document.get("inputs")
        if written is None:
            shape: list[int] = document["input_shape"]
            return cls.of_shape(shape)
        if isinstance(written, Mapping):
            return cls.of({name: _parsed(each) for name, each in written.items()})
        return cls.of([_parsed(each) for each in written])

    def document(self) -> dict[str, Json]:
        """An entry of a JSON record: `input_shape` of one floating-point tensor, `inputs` of anything else."""
        if self.is_plain:
            return {"input_shape": list(self.tensors[0].shape)}
        written = [each.model_dump(mode="json", exclude_defaults=True) for each in self.tensors]
        return {"inputs": dict(zip(self.names, written, strict=True)) if self.names else written}

    @property
    def is_plain(self) -> bool:
        """Whether they are one floating-point tensor, such as an image."""
        return len(self.tensors) == 1 and not self.names and self.tensors[0].dtype == "float"

    def one_shape(self, what: str) -> tuple[int, ...]:
        """The shape of the one floating-point tensor.

        Args:
            what: what can take no other inputs, for the error.

        Raises:
            BadInputError: They are something else.
        """
        if not self.is_plain:
            raise BadInputError(f"{what}: takes networks of one floating-point tensor; this one takes {self}")
        return self.tensors[0].shape

    def draw(
        self,
        batch_size: int,
        generator: torch.Generator,
        dtype: torch.dtype = torch.float32,
        *,
        floats: Floats = "uniform",
    ) -> Inputs:
        """Random inputs, on the CPU.

        Args:
            batch_size: number of samples.
            generator: source of the numbers, on the CPU.
            dtype: type of floating-point numbers.
            floats: how these are drawn; whole numbers are drawn uniformly from their range.
        """

        def drawn(spec: TensorSpec) -> Tensor:
            shape = (batch_size, *spec.shape)
            if spec.dtype != "float":
                high = 2 if spec.high is None else spec.high
                return torch.randint(spec.low, high, shape, generator=generator).to(getattr(torch, spec.dtype))
            if floats == "ones":
                return torch.ones(shape, dtype=dtype)
            make = torch.rand if floats == "uniform" else torch.randn
            return make(shape, generator=generator, dtype=dtype)

        return self._made(drawn)

    def blank(self, batch_size: int, dtype: torch.dtype) -> Inputs:
        """Inputs on the meta device, which have no numbers; see `draw`."""

        def empty(spec: TensorSpec) -> Tensor:
            kind = dtype if spec.dtype == "float" else getattr(torch, spec.dtype)
            return torch.empty(batch_size, *spec.shape, dtype=kind, device="meta")

        return self._made(empty)

    def check_like(self, sample: Inputs) -> None:
        """Check that a sample of the data has these arguments; its shapes may differ.

        Raises:
            BadInputError: It has others.
        """
        found = InputSpec.of_sample(sample)
        if self._kinds() != found._kinds():
            raise BadInputError(
                f"inputs: the sweep says {self}, and a sample of the data has {found}; give the same arguments, "
                "or leave `inputs` out"
            )

    def __str__(self) -> str:
        words = [_words(each) for each in self.tensors]
        if self.names:
            words = [f"{name}: {each}" for name, each in zip(self.names, words, strict=True)]
        return words[0] if self.is_plain else f"{len(words)} input{'s' * (len(words) != 1)} ({'; '.join(words)})"

    def _kinds(self) -> dict[object, NumberType]:
        """The types of the arguments, by place or name."""
        places: Sequence[object] = self.names or range(len(self.tensors))
        return {place: each.dtype for place, each in zip(places, self.tensors, strict=True)}

    def _made(self, make: Callable[[TensorSpec], Tensor]) -> Inputs:
        tensors = tuple(map(make, self.tensors))
        if self.names:
            return dict(zip(self.names, tensors, strict=True))
        return tensors if len(tensors) > 1 else tensors[0]


InputsLike: TypeAlias = InputSpec | Sequence[int]
"""The inputs of a network, or, of one floating-point tensor, the shape of a sample, such as (3, 32, 32)."""


def as_spec(inputs: InputsLike) -> InputSpec:
    """The inputs of a network."""
    return inputs if isinstance(inputs, InputSpec) else InputSpec.of_shape(inputs)


def _shown_by(value: object) -> TensorSpec:
    tensor = checked(value)
    shape = tuple(tensor.shape)
    if tensor.is_floating_point():
        return TensorSpec(shape=shape)
    if tensor.dtype not in _TYPES:
        known = ", ".join(sorted(_TYPES.values()))
        raise BadInputError(f"a sample of the data has numbers of type {tensor.dtype}; fractions and {known} are known")
    if tensor.dtype is torch.bool:
        return TensorSpec(shape=shape, dtype="bool")
    low, high = (int(tensor.min()), int(tensor.max())) if tensor.numel() else (0, 0)
    return TensorSpec(shape=shape, dtype=_TYPES[tensor.dtype], low=low, high=high + 1)


def _parsed(written: Parsed) -> TensorSpec:
    return TensorSpec.model_validate(written, strict=False)


def _words(spec: TensorSpec) -> str:
    return f"shape {spec.shape}" if spec.dtype == "float" else f"shape {spec.shape} of {spec.dtype}"
