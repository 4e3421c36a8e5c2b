"""Many models in the place of `models`: what they have in common, and where those are that differ."""

import re
from itertools import pairwise
from typing import Annotated, Self

from pydantic import AfterValidator, Field, model_validator

from jobs import checks
from jobs.spec.base import Record

LABEL_PART = re.compile(r"\{([A-Za-z_][A-Za-z0-9_]*)\}")
"""A part of files' names that is a label: `{optimiser}`."""


def _parts_are_told_apart(label: str) -> str:
    parts = LABEL_PART.findall(label)
    if twice := next((part for part in parts if parts.count(part) > 1), None):
        raise checks.fault(f"names `{twice}` twice; give each part another name")
    for one, other in pairwise(LABEL_PART.finditer(label)):
        if one.end() == other.start():
            raise checks.fault(f"has nothing between {one[0]} and {other[0]}; write what stands there in the names")
    return label


class ManyModels(Record):
    """In the place of the named models: many of one kind, from a folder of checkpoints or from a table.

    Beside these keys stand the keys of a model, for what all of them have in common: `network`, `arguments`, `train`.
    """

    glob: str | None = Field(
        default=None,
        description="Files of weights on this machine, one model each, named as its file is: "
        "`checkpoints/*.safetensors`.",
    )
    table: str | None = Field(
        default=None,
        description="A CSV file with a model in each row. The column `name` names it. A column that is called like a "
        "key of a model, dotted where that is deeper (`weights`, `train.learning_rate`, `arguments.widths`), sets "
        "that; dotted ones are labels, too, by their last part, and so are all other columns. An empty cell says "
        "nothing.",
    )
    label: Annotated[str, AfterValidator(_parts_are_told_apart)] | None = Field(
        default=None,
        min_length=1,
        description="Which parts of the files' names, without ending, are labels: `{optimiser}-lr{learning_rate}`.",
    )

    @model_validator(mode="after")
    def _one_source(self) -> Self:
        if self.glob is None and self.table is None:
            raise checks.fault("names no files; give `glob`, or a `table`")
        if self.glob is not None and self.table is not None:
            raise checks.fault("has both `glob` and `table`; give one of them")
        if self.glob is not None and "://" in self.glob:
            raise checks.fault(f"glob: {self.glob} is a URI, and files are listed on this machine only; give a `table`")
        if self.label is not None and self.table is not None:
            raise checks.fault("`label` reads names of files, and a `table` has columns; remove it")
        return self
