"""How a network is run, shared by training, partition tuning and evaluation."""

from collections.abc import Iterator
from typing import Annotated, Literal, Protocol, runtime_checkable

from pydantic import BaseModel, Field

Precision = Literal["float32", "float16", "bfloat16"]
CompileMode = Literal["reduce-overhead"]

PrecisionField = Annotated[
    Precision,
    Field(
        exclude_if=lambda value: value == "float32",  # the keys of tasks are those from before there was a choice
        description="What the network computes in. `float32`: in full, without TF32. `bfloat16`, `float16`: by torch's "
        "autocast; weights, losses and metrics stay in float32. `float16`: on GPUs, with scaled losses in training.",
    ),
]
ChannelsLastField = Annotated[
    bool,
    Field(
        exclude_if=lambda value: not value,
        description="Images with the channels as the innermost axis in memory: quicker in half precision.",
    ),
]
CompileField = Annotated[
    Literal[False, True, "reduce-overhead"],
    Field(
        exclude_if=lambda value: value is False,
        description="`torch.compile`, in its default mode or the one named, with static shapes.",
    ),
]


@runtime_checkable
class Execution(Protocol):
    """The settings of a record that say how a network is run."""

    @property
    def precision(self) -> Precision:
        """What it computes in."""

    @property
    def channels_last(self) -> bool:
        """Whether images and the weights of convolutions have the channels as the innermost axis in memory."""

    @property
    def compile(self) -> bool | CompileMode:
        """Whether `torch.compile` runs it, and in which mode."""


def precisions(record: object, where: str = "") -> Iterator[tuple[str, Precision]]:
    """Every precision that a record and those within it ask for, with its path in the sweep file.

    Args:
        record: A record, or a mapping of names to records; of anything else there is none.
        where: The path of the record.
    """
    if isinstance(record, Execution):
        yield f"{where}.precision", record.precision
    within = dict(record) if isinstance(record, BaseModel | dict) else {}
    for name, value in within.items():
        yield from precisions(value, f"{where}.{name}".lstrip("."))
