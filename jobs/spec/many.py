"""Many models in the place of `models`: what they have in common, and where those are that differ."""

from typing import Self

from pydantic import Field, model_validator

from jobs import checks
from jobs.spec.base import Record


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
    label: str | None = Field(
        default=None,
        min_length=1,
        description="Which parts of the files' names, without ending, are labels: `{optimiser}-lr{learning_rate}`.",
    )

    @model_validator(mode="after")
    def _one_source(self) -> Self:
        if (self.glob is None) == (self.table is None):
            raise checks.fault("has both `glob` and `table`; give one of them")
        if self.glob is not None and "://" in self.glob:
            raise checks.fault(f"glob: {self.glob} is a URI, and files are listed on this machine only; give a `table`")
        if self.label is not None and self.table is not None:
            raise checks.fault("`label` reads names of files, and a `table` has columns; remove it")
        return self
