"""The inputs of networks: what they are, examples of them, and batches that a network is called with."""

from workers.inputs.batch import (
    Inputs,
    call,
    call_arguments,
    form_of,
    map_inputs,
    num_samples,
    one_by_one,
    stack,
    take,
    tensors_of,
    to_device,
)
from workers.inputs.spec import InputsLike, InputSpec, as_spec

__all__ = [
    "InputSpec",
    "Inputs",
    "InputsLike",
    "as_spec",
    "call",
    "call_arguments",
    "form_of",
    "map_inputs",
    "num_samples",
    "one_by_one",
    "stack",
    "take",
    "tensors_of",
    "to_device",
]
