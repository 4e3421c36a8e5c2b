"""A batch of a network's inputs: one tensor, a tuple of positional arguments, or a mapping of keyword arguments.

All tensors have the samples on their first axis.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, TypeAlias

import torch
from jaxtyping import Int64, Shaped
from torch import Tensor, nn

from jobs.errors import BadInputError

Inputs: TypeAlias = Shaped[Tensor, "..."] | tuple[Shaped[Tensor, "..."], ...] | Mapping[str, Shaped[Tensor, "..."]]
"""Of a batch, or, without its axis, of one sample."""


def call_arguments(inputs: Inputs) -> tuple[tuple[Tensor, ...], dict[str, Tensor]]:
    """The positional and the keyword arguments that a network is called with."""
    if isinstance(inputs, Mapping):
        return (), dict(inputs)
    return (inputs,) if isinstance(inputs, Tensor) else inputs, {}


def call(network: Callable[..., Any] | nn.Module, inputs: Inputs) -> Any:
    """What a network returns for a batch."""
    args, kwargs = call_arguments(inputs)
    return network(*args, **kwargs)


def tensors_of(inputs: Inputs) -> tuple[Tensor, ...]:
    """The tensors, in order."""
    args, kwargs = call_arguments(inputs)
    return (*args, *kwargs.values())


def num_samples(inputs: Inputs) -> int:
    """Number of samples.

    Raises:
        BadInputError: There is no tensor, or one has another number of samples than the others.
    """
    counts = {len(tensor) for tensor in tensors_of(inputs)}
    if len(counts) != 1:
        found = f"of {', '.join(map(str, sorted(counts)))} samples" if counts else "none"
        raise BadInputError(
            f"the inputs are tensors {found}; at least one is needed, all of the same number of samples"
        )
    return counts.pop()


def map_inputs(change: Callable[[Tensor], Tensor], inputs: Inputs) -> Inputs:
    """The inputs with every tensor changed."""
    if isinstance(inputs, Mapping):
        return {name: change(tensor) for name, tensor in inputs.items()}
    return change(inputs) if isinstance(inputs, Tensor) else tuple(map(change, inputs))


def to_device(inputs: Inputs, device: torch.device | str) -> Inputs:
    """The inputs on a device."""
    return map_inputs(lambda tensor: tensor.to(device), inputs)


def take(inputs: Inputs, indices: Int64[Tensor, " k"] | slice | int) -> Inputs:
    """Some samples of a batch, in the order of the indices; of a single number, that one without its axis."""
    return map_inputs(lambda tensor: tensor[indices], inputs)


def one_by_one(inputs: Inputs) -> Iterator[Inputs]:
    """Batches of a single sample."""
    for index in range(num_samples(inputs)):
        yield take(inputs, slice(index, index + 1))


def stack(samples: Sequence[Inputs]) -> Inputs:
    """A batch of samples, which have the same arguments and shapes."""
    first = samples[0]
    if isinstance(first, Mapping):
        return {name: torch.stack([_named(sample)[name] for sample in samples]) for name in first}
    tensors = map(torch.stack, zip(*map(tensors_of, samples), strict=True))
    return next(tensors) if isinstance(first, Tensor) else tuple(tensors)


def form_of(sample: Inputs) -> tuple[object, ...]:
    """What samples of one batch have in common: how many arguments, their names and shapes."""
    names = tuple(sample) if isinstance(sample, Mapping) else type(sample) is Tensor
    return (names, *(tuple(checked(tensor).shape) for tensor in tensors_of(sample)))


def checked(value: object) -> Tensor:
    """A tensor among the inputs of a sample.

    Raises:
        BadInputError: It is something else.
    """
    if not isinstance(value, Tensor):
        raise BadInputError(
            f"a sample of the data has a {type(value).__name__} among its inputs; give tensors: one, a tuple of "
            "positional arguments, or a mapping of keyword arguments"
        )
    return value


def _named(sample: Inputs) -> Mapping[str, Tensor]:
    if not isinstance(sample, Mapping):
        raise BadInputError(f"a sample is a {type(sample).__name__} beside others that are mappings; give all alike")
    return sample
