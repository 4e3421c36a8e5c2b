"""The precision that networks compute in, shared by training and measurements."""

from typing import Annotated, Literal

from pydantic import Field

Precision = Literal["float32", "float16", "bfloat16"]

PrecisionField = Annotated[
    Precision,
    Field(
        exclude_if=lambda value: value == "float32",  # the keys of tasks are those from before there was a choice
        description="What the network computes in. `float32`: in full, without TF32. `bfloat16`, `float16`: by torch's "
        "autocast; weights, losses and metrics stay in float32. `float16`: on GPUs, with scaled losses in training.",
    ),
]
